"""Dense passes: the numbers of patches, for every operation and any network."""

import dataclasses

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from glacier_inversion.grid import Grid
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.network import convolutions, merging, operations
from glacier_inversion.training.network.counting import MultiplyAdds
from glacier_inversion.training.network.covering import cut
from glacier_inversion.training.network.dense import Plan, evaluate, make_plan
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.fields import Field
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.predict import Block, predict_points
from tests.test_network import (
    ADDITION,
    CONCATENATION,
    DOWN,
    block,
    denses,
    experiment,
)

VALID = {"padding": "valid"}
FINEST = 12.5


def conv(*args, **keys):
    """Return a valid `convolutions` operation."""
    return block(*args, **VALID, **keys)


def random_field(channels, side, spacing, n_points=24, is_vector=False):
    """Return a field of two blocks of random values and the images it was made of."""
    n = n_points + (side - 1) * spacing
    images = torch.randn(2, channels, n, n, dtype=torch.float64)
    return Field.of(images, spacing, side, is_vector), images


def every_point(n):
    """Return the rows, columns and blocks of two blocks of n x n points."""
    block, row, col = torch.cartesian_prod(*map(torch.arange, (2, n, n))).T
    return row, col, block


def assert_same(actual, expected, tolerance):
    """Compare within a tolerance relative to the largest of the values."""
    assert actual.shape == expected.shape
    scale = np.abs(expected).max() or 1.0
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("spacing", [1, 2, 3, 6])
@pytest.mark.parametrize("side", [1, 4, 5])
def test_a_field_holds_the_window_of_every_point(spacing, side):
    "Pixel (i, j) of point (row, col) is pixel (row + i spacing, col + j spacing)."
    field, images = random_field(2, side, spacing, 12)
    assert torch.equal(field.images(), images)
    points = every_point(12)
    gathered = field.gather(*points)
    assert gathered.shape == (288, 2, side, side)
    for patch, (r, c, b) in zip(gathered, torch.stack(points, 1).tolist(), strict=True):
        reach = side * spacing
        window = images[b, :, r : r + reach : spacing, c : c + reach : spacing]
        assert torch.equal(patch, window)


def on(*images, vectors=(), **keys):
    """Return what a test of an operation needs: the shapes of its inputs."""
    return [*images, *((units,) for units in vectors)], keys


OPERATIONS = {
    convolutions.PlainConvolutions: [
        on((3, 7, 7), vectors=[2], filters=[4, 5], kernel_size=3, padding="valid"),
        on((3, 6, 6), filters=[4], kernel_size=4, padding="valid"),
        on((3, 5, 5), filters=[4], kernel_size=1, padding="same"),
    ],
    convolutions.ResidualBlock: [
        on((3, 8, 8), filters=[4, 5], kernel_size=3, padding="valid"),
        on((3, 7, 7), vectors=[2], filters=[4], kernel_size=4, padding="valid"),
    ],
    operations.Downsample: [
        on((3, 6, 6)),
        on((3, 7, 7), vectors=[2]),
        on((2, 3, 3)),
    ],
    merging.Concatenation: [on((3, 4, 4), (2, 4, 4), vectors=[2, 3]), on((1, 2, 2))],
    merging.Addition: [on((3, 4, 4), (3, 4, 4), vectors=[2]), on(vectors=[2, 2])],
    operations.Denses: [
        on((3, 4, 4), filters=[6, 2], last_activation="relu", bias=[True, False]),
        on(
            (2, 3, 3),
            vectors=[2, 1],
            filters=[3],
            last_activation="sigmoid",
            bias=[True],
        ),
        on(vectors=[2, 3], filters=[4, 1], last_activation="tanh", bias=[True, True]),
    ],
}


def concrete(kind):
    """Return the classes that are made, below a class."""
    below = kind.__subclasses__()
    own = [] if kind.__abstractmethods__ else [kind]
    return own + [found for sub in below for found in concrete(sub)]


def test_every_operation_is_compared():
    "A new one must be added here; one without a dense way cannot even be made."
    assert set(concrete(operations.Operation)) == set(OPERATIONS)

    class Half(operations.Operation):
        def forward(self, values):
            return values

    with pytest.raises(TypeError, match=r"abstract method '?dense"):
        Half()


@pytest.mark.parametrize("spacing", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "shapes", "keys"),
    [(kind, *case) for kind, cases in OPERATIONS.items() for case in cases],
)
def test_an_operation_gives_each_patch_the_same_both_ways(kind, shapes, keys, spacing):
    "The dense way, gathered at points, and the patches of those points."
    torch.manual_seed(0)
    layer = kind(shapes, **keys).double()
    fields = [
        random_field(shape[0], shape[-1] if len(shape) == 3 else 1, spacing, 12)[0]
        if len(shape) == 3
        else random_field(shape[0], 1, 1, 12, is_vector=True)[0]
        for shape in shapes
    ]
    points = every_point(12)
    with torch.inference_mode():
        expected = layer([field.gather(*points) for field in fields])
        actual = [field.gather(*points) for field in layer.dense(fields)]
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "kind", [convolutions.PlainConvolutions, convolutions.ResidualBlock]
)
def test_zero_padding_is_not_dense(kind):
    "A kernel of 1 x 1 pads nothing, whatever it says."
    field = random_field(3, 6, 1)[0].values.float()
    padded = kind([(3, 6, 6)], filters=[2], kernel_size=3, padding="same")
    with pytest.raises(operations.NotDenseError, match="pads with zeros"):
        padded.dense([Field(field, 1, 6)])
    kind([(3, 6, 6)], filters=[2], kernel_size=1, padding="same").dense(
        [Field(field, 1, 6)]
    )


def tiles_for(checked, n_more, seed, unknown=0.0):
    """Return random tiles with so many points more than one per side, some unknown."""
    rng = np.random.default_rng(seed)
    factors = {v.name: checked.factor(v) for v in checked.inputs}
    whole = int(np.lcm.reduce(list(factors.values())))
    side = -(-(checked.window_px + n_more) // whole) * whole
    arrays = {}
    for name, k in factors.items():
        values = rng.normal(size=(side // k, side // k)).astype("f4")
        values[rng.random(values.shape) < unknown] = np.nan
        arrays[name] = values
    return Tiles("a", "test", Grid(0.0, 0.0, FINEST, side, side), arrays, {})


def predictions(checked, tiles, method, dtype, network):
    """Return what a network predicts at the usable points of tiles, by output."""
    layout = Layout.of(checked)
    part = to_lattice(tiles, layout)
    scales = {v.name: Scale(0.3, 1.7) for v in checked.inputs}
    one = Block(part, layout, scales, torch.device("cpu"), dtype)
    plan = make_plan(network.float(), layout)
    members = [network.to(dtype).eval()]
    values = predict_points(members, one, part.usable, plan, method, CPU)
    return part.usable, {name: value[0].numpy() for name, value in values.items()}


def by_hand(checked, tiles, network, wanted):
    """Predict point by point, each patch cut out of the images by a slice."""
    layout = Layout.of(checked)
    part = to_lattice(tiles, layout)
    values = {name: [] for name in layout.outputs}
    scale = np.float32(1 / 1.7)
    for row, col in np.argwhere(wanted):
        batch = {}
        for name, k in layout.images.items():
            n = layout.patch_px(name) * k
            patch = part.images[name][row : row + n : k, col : col + n : k]
            known = np.nan_to_num((patch - np.float32(0.3)) * scale)
            batch[name] = torch.from_numpy(known)[None, None].double()
        for name in layout.scalars:
            value = (part.scalars[name][row, col] - np.float32(0.3)) * scale
            batch[name] = torch.tensor([[np.nan_to_num(value)]]).double()
        with torch.inference_mode():
            for name, value in network.double()(batch).items():
                values[name].append(float(value[0, 0]))
    return {name: np.array(value) for name, value in values.items()}


TWO = {
    "s": (FINEST, False, [conv(3, 4), DOWN]),
    "v": (2 * FINEST, False, [conv(4)]),
    "z": (FINEST, True, []),
}


@pytest.mark.parametrize("architecture", ["resnet", "vggnet"])
def test_both_ways_equal_patches_cut_out_by_hand(architecture):
    "Two resolutions, a pool of odd sizes, a scalar, two outputs, unknown pixels."
    checked = experiment(
        TWO,
        [CONCATENATION, conv(5), DOWN],
        {"h": [denses(6, 1)], "w": [conv(3), denses(1, activation="sigmoid")]},
        area_size=22 * FINEST,
        architecture=architecture,
        min_valid=0.9,
    )
    torch.manual_seed(1)
    network = Network(checked)
    tiles = tiles_for(checked, 11, seed=2, unknown=0.08)
    usable, dense = predictions(checked, tiles, "dense", torch.float64, network)
    assert 10 < usable.sum() < 0.9 * usable.size
    _, patches = predictions(checked, tiles, "patches", torch.float64, network)
    expected = by_hand(checked, tiles, network, usable)
    for name, truth in expected.items():
        assert_same(dense[name], truth, 1e-12)
        assert_same(patches[name], truth, 1e-12)


@st.composite
def networks(draw):
    """Return an experiment whose network pads nothing."""
    n_inputs = draw(st.integers(1, 3))
    factors = [1, *draw(st.lists(st.integers(1, 8), min_size=2, max_size=2))]
    factors = factors[:n_inputs]
    whole = int(np.lcm.reduce(factors))
    n_window = whole * draw(st.integers(1, max(1, 40 // whole)))
    hypothesis.assume(n_window <= 56)
    architecture = draw(st.sampled_from(["resnet", "vggnet"]))

    def some(side, most):
        """Return up to so many operations, and the side that they leave."""
        made = []
        for _ in range(draw(st.integers(0, most))):
            choice = draw(st.sampled_from(["conv", "conv", "pool", "one"]))
            if choice == "conv":
                n = draw(st.integers(1, 2))
                kernel = draw(st.integers(1, 5))
                if side > n * (kernel - 1):
                    filters = [draw(st.integers(1, 4)) for _ in range(n)]
                    made.append(conv(*filters, kernel_size=kernel))
                    side -= n * (kernel - 1)
            elif choice == "pool" and side >= 2:
                made.append(DOWN)
                side //= 2
            elif choice == "one":
                made.append(
                    {"name": "convolution_1", "filter": draw(st.integers(1, 4))}
                )
        return made, side

    branches, sides = [], []
    for k in factors:
        made, side = some(n_window // k, 3)
        branches.append(made)
        sides.append(side)
    side = min(sides)
    joint = draw(st.sampled_from(["concatenation", "addition", "vectors"]))
    for made, own in zip(branches, sides, strict=True):
        if joint == "vectors":
            made.append(denses(draw(st.integers(1, 4)), activation="relu"))
            continue
        if own > side:  # a convolution brings images to a common size
            made.append(conv(2, kernel_size=own - side + 1))
        if joint == "addition":
            made.append({"name": "convolution_1", "filter": 3})
    main = []
    if joint != "vectors":
        main, side = some(side, 3)
        main = [CONCATENATION if joint == "concatenation" else ADDITION, *main]
    inputs = {
        f"image{i}": (FINEST * k, False, made)
        for i, (k, made) in enumerate(zip(factors, branches, strict=True))
    }
    if draw(st.booleans()):
        inputs["scalar"] = (FINEST * draw(st.sampled_from(factors)), True, [])
    outputs = {}
    for name in ["h", "w"][: draw(st.integers(1, 2))]:
        made = [] if joint == "vectors" else some(side, 1)[0]
        activation = draw(st.sampled_from(["linear", "relu", "softplus"]))
        hidden = [draw(st.integers(1, 5)) for _ in range(draw(st.integers(0, 2)))]
        outputs[name] = [*made, denses(*hidden, 1, activation=activation)]
    return experiment(
        inputs, main, outputs, area_size=n_window * FINEST, architecture=architecture
    )


@hypothesis.given(networks(), st.integers(0, 30), st.integers(0, 2**31))
@hypothesis.settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_random_networks_give_the_same_both_ways(checked, n_more, seed):
    "Any depth, kernels, pools, resolutions and joints, in float64 and float32."
    torch.manual_seed(seed)
    network = Network(checked)
    tiles = tiles_for(checked, n_more, seed)
    plan = make_plan(network, Layout.of(checked))
    assert all("joins images" in obstacle for obstacle in plan.obstacles)
    exact = {}
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        _, dense = predictions(checked, tiles, "dense", dtype, network)
        _, patches = predictions(checked, tiles, "patches", dtype, network)
        for name in patches:
            truth = exact.setdefault(name, patches[name])
            # sums that nearly cancel are no better patch by patch
            scale = np.abs(truth).max() or 1.0
            own_error = np.abs(patches[name] - truth).max() / scale
            assert_same(dense[name], patches[name], max(tolerance, 4 * own_error))


def test_images_of_different_spacing_are_joined_patch_by_patch():
    "What lies before is evaluated densely; the plan says where that ends."
    checked = experiment(
        {
            "s": (FINEST, False, [conv(3, kernel_size=9)]),
            "v": (2 * FINEST, False, []),
        },
        [CONCATENATION, conv(4)],
        {"h": [denses(1)]},
        area_size=16 * FINEST,
    )
    plan = make_plan(Network(checked), Layout.of(checked))
    assert plan.is_partly_dense
    assert not plan.is_dense
    assert plan.obstacles == [
        "main[0] joins images whose pixels lie 1 and 2 of the finest pixels apart"
    ]
    assert 0 < plan.per_gathered < plan.per_patch


def test_padding_ends_the_dense_pass_where_it_is():
    "Operations before it are still evaluated once for all patches."
    checked = experiment(
        {"s": (FINEST, False, [conv(3), DOWN, block(4)])},
        [],
        {"h": [denses(1)]},
        area_size=16 * FINEST,
    )
    network = Network(checked)
    plan = make_plan(network, Layout.of(checked))
    assert plan.is_partly_dense
    assert plan.obstacles[0].startswith("inputs.s[2] pads with zeros")
    tiles = tiles_for(checked, 20, 0)
    _, dense = predictions(checked, tiles, "dense", torch.float64, network)
    _, patches = predictions(checked, tiles, "patches", torch.float64, network)
    assert_same(dense["h"], patches["h"], 1e-12)


def test_nothing_is_dense_where_nothing_is_saved():
    "A mere concatenation before the first padded convolution."
    checked = experiment(
        {"s": (FINEST, False, []), "v": (FINEST, False, [])},
        [CONCATENATION, block(4)],
        {"h": [denses(1)]},
        area_size=16 * FINEST,
    )
    plan = make_plan(Network(checked), Layout.of(checked))
    assert not plan.is_partly_dense
    assert plan.obstacles[0].startswith("main[1] pads with zeros")


def test_pixels_that_seldom_coincide_leave_patches():
    "Blocks of thousands of points would be needed."
    checked = experiment(
        {
            "a": (FINEST, False, [denses(1)]),
            "b": (27 * FINEST, False, [denses(1)]),
            "c": (32 * FINEST, False, [denses(1)]),
        },
        [],
        {"h": [denses(1)]},
        area_size=27 * 32 * FINEST,
    )
    plan = make_plan(Network(checked), Layout.of(checked))
    assert not plan.is_partly_dense
    assert "coincide only every 864" in plan.obstacles[0]


def test_multiply_adds_are_those_of_a_pass():
    "Counted in a pass over another block than the plan's."
    checked = experiment(
        TWO, [CONCATENATION, conv(5), DOWN], {"h": [denses(6, 1)]}, area_size=400.0
    )
    network = Network(checked)
    layout = Layout.of(checked)
    plan = make_plan(network, layout)
    part = to_lattice(tiles_for(checked, 40, 0), layout)
    scales = {v.name: Scale(0.0, 1.0) for v in checked.inputs}
    whole = Block(part, layout, scales, torch.device("cpu"))
    n_rows, n_cols = 8 * plan.period, 5 * plan.period
    fields = whole.fields(network, plan, slice(3, 3 + n_rows), slice(2, 2 + n_cols))
    with MultiplyAdds() as counted:
        evaluate(network, fields, densely=True)
    assert counted.total == plan.multiply_adds(n_rows, n_cols)
    largest = 0

    def watch(fields):
        nonlocal largest
        largest = max(largest, *(field.values.nbytes for field in fields))

    evaluate(network, fields, True, watch)
    assert plan.n_bytes(n_rows, n_cols) == 3 * largest


PLAN = Plan([], 4, [(100, 24), (50, 8)], [(10, 24)], 0, 9_000, 1)
ROOMY = dataclasses.replace(CPU, most_bytes=1e9)


@hypothesis.given(
    st.integers(0, 2**31), st.integers(1, 90), st.integers(1, 90), st.booleans()
)
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
def test_parts_hold_every_point_once(seed, n_rows, n_cols, with_patches):
    "Unless points may be left to patches; none has more points than allowed."
    rng = np.random.default_rng(seed)
    wanted = rng.random((n_rows, n_cols)) < rng.random() ** 3
    n_covered = np.zeros(wanted.shape, dtype=int)
    tight = dataclasses.replace(CPU, most_bytes=PLAN.n_bytes(32, 32), calls=1e5)
    parts = cut(wanted, PLAN, tight, with_patches)
    for rows, cols in parts:
        n_covered[rows, cols] += 1
        size = rows.stop - rows.start, cols.stop - cols.start
        assert PLAN.n_bytes(*(PLAN.rounded(n) for n in size)) <= tight.most_bytes
    assert n_covered.max(initial=0) <= 1
    if not with_patches:
        assert (n_covered[wanted] == 1).all()


def test_parts_follow_what_is_wanted():
    "A compact area is one part, areas far apart are two, single points are left over."
    costly = dataclasses.replace(PLAN, terms=[(80_000, 24)], per_patch=4_500_000)
    wanted = np.zeros((512, 512), dtype=bool)
    wanted[100:200, 300:400] = True
    assert cut(wanted, costly, ROOMY, True) == [(slice(100, 200), slice(300, 400))]
    wanted[450:470, 10:60] = True
    parts = cut(wanted, costly, ROOMY, True)
    assert len(parts) == 2
    assert cut(np.ones((512, 512), dtype=bool), costly, ROOMY, True) == [
        (slice(0, 512), slice(0, 512))
    ]
    lonely = np.zeros((512, 512), dtype=bool)
    lonely[::100, ::100] = True
    assert cut(lonely, costly, ROOMY, True) == []
    assert len(cut(lonely, costly, ROOMY, False)) == 36
    assert cut(np.zeros((5, 5), dtype=bool), costly, ROOMY, True) == []


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("method", ["auto", "dense", "patches"])
def test_members_and_pieces_keep_their_places(n_members, method):
    "Wanted points are scattered and compact; memory allows but small pieces."
    checked = experiment(
        TWO, [CONCATENATION, conv(5), DOWN], {"h": [denses(6, 1)]}, area_size=400.0
    )
    layout = Layout.of(checked)
    tiles = tiles_for(checked, 50, 3)
    part = to_lattice(tiles, layout)
    wanted = np.random.default_rng(0).random(part.usable.shape) < 0.02
    wanted[5:30, 20:40] = True
    scales = {v.name: Scale(0.3, 1.7) for v in checked.inputs}
    one = Block(part, layout, scales, torch.device("cpu"), torch.float64)
    members = []
    for seed in range(n_members):
        torch.manual_seed(seed)
        members.append(Network(checked).double().eval())
    small = dataclasses.replace(CPU, most_bytes=1e5, most_patches=7)
    plan = make_plan(members[0].float(), layout)
    members[0].double()
    values = predict_points(members, one, wanted, plan, method, small)["h"].numpy()
    for network, own in zip(members, values, strict=True):
        expected = by_hand(checked, tiles, network, wanted)["h"]
        assert_same(own, expected, 1e-12)
