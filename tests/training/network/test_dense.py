"""Dense passes: the numbers of patches, for every operation and any network."""

import hypothesis
import numpy as np
import torch
from hypothesis import strategies as st

from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.network import Network
from tests.training.network.helpers import (
    ADDITION,
    CONCATENATION,
    DOWN,
    FINEST,
    assert_same,
    block,
    conv,
    denses,
    experiment,
    predictions,
    tiles_for,
)

START = 0.7  # what is added to every output


@st.composite
def networks(draw):
    """Return an experiment whose network pads nothing."""
    n_inputs = draw(st.integers(1, 3))
    factors = [1, *draw(st.lists(st.integers(1, 8), min_size=2, max_size=2))]
    factors = factors[:n_inputs]
    whole = int(np.lcm.reduce(factors))
    n_window = whole * draw(st.integers(1, max(1, 40 // whole)))
    hypothesis.assume(n_window <= 56)
    architecture = draw(st.sampled_from(architectures()))

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
    network.start_at({v.name: START for v in checked.outputs})
    tiles = tiles_for(checked, n_more, seed)
    plan = plan_dense(network, Layout.of(checked))
    assert all("joins images" in obstacle for obstacle in plan.obstacles)
    exact = {}
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        _, dense = predictions(checked, tiles, "dense", dtype, network)
        _, patches = predictions(checked, tiles, "patches", dtype, network)
        for name in patches:
            truth = exact.setdefault(name, patches[name])
            # sums that nearly cancel are no better patch by patch; where they nearly
            # cancel the start, its own size is the measure
            scale = max(np.abs(truth).max(), START)
            own_error = np.abs(patches[name] - truth).max() / scale
            bound = max(tolerance, 4 * own_error)
            assert_same(dense[name], patches[name], bound, least=START)


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
    plan = plan_dense(Network(checked), Layout.of(checked))
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
    plan = plan_dense(network, Layout.of(checked))
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
    plan = plan_dense(Network(checked), Layout.of(checked))
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
    plan = plan_dense(Network(checked), Layout.of(checked))
    assert not plan.is_partly_dense
    assert "coincide only every 864" in plan.obstacles[0]
