"""Networks: built as described, refused where they do not fit."""

import resource
import time

import pytest
import torch

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.cost import measure_cost
from glacier_inversion.training.network import convolutions, operations
from glacier_inversion.training.network.network import Network
from tests import synthetic


def block(*filters, **more):
    """Return a `convolutions` operation."""
    return {"name": "convolutions", "filters": list(filters), **more}


def denses(*filters, activation="linear"):
    """Return a `denses` operation."""
    return {"name": "denses", "filters": list(filters), "last_activation": activation}


DOWN, CONCATENATION = {"name": "downsample"}, {"name": "concatenation"}
ADDITION = {"name": "addition"}


def experiment(inputs, main, outputs, area_size=400.0, architecture="resnet", **keys):
    """Return an experiment: inputs {name: (resolution, scalar, operations)}."""
    raw = synthetic.experiment()
    raw["model_architecture"], raw["area_size"] = architecture, area_size
    raw["inputs"] = [
        {"name": n, "resolution": r, "scalar": s} for n, (r, s, _) in inputs.items()
    ]
    finest = min(r for r, _, _ in inputs.values())
    raw["outputs"] = [
        {"name": n, "resolution": finest, "scalar": True} for n in outputs
    ]
    raw["losses_name"] = dict.fromkeys(outputs, "nan_mae")
    raw["metrics_name"] = {}
    raw["dataset_description"]["rasters"] = [
        {"name": v["name"], "resolution": v["resolution"], "file": "f.tif"}
        for v in (*raw["inputs"], *raw["outputs"])
    ]
    raw["model_description"] = {
        "inputs": {n: {"operations": o} for n, (_, _, o) in inputs.items()},
        "main": {"operations": main},
        "outputs": {n: {"operations": o} for n, o in outputs.items()},
    }
    return check_experiment(raw | keys, "exp")


def batch_of(checked, n=3):
    """Return random inputs for an experiment's network."""
    sides = {v.name: round(checked.area_size / v.resolution) for v in checked.inputs}
    return {
        v.name: torch.randn(
            (n, 1) if v.scalar else (n, 1, sides[v.name], sides[v.name])
        )
        for v in checked.inputs
    }


PUBLISHED_TAIL = [block(32, 32), DOWN, block(64, 64)]


@pytest.mark.parametrize(
    ("checked", "n_parameters"),
    [
        (  # slope alone, one output
            experiment(
                {"slope": (12.5, False, [block(16, 16), DOWN, block(16, 16), DOWN])},
                [block(32, 32), DOWN],
                {"h": [*PUBLISHED_TAIL, denses(256, 1, activation="relu")]},
            ),
            164_736,
        ),
        (  # two velocities and the slope, two outputs
            experiment(
                {
                    "vx": (50.0, False, [block(16, 16)]),
                    "vy": (50.0, False, [block(16, 16)]),
                    "slope": (12.5, False, [block(16, 16), DOWN, block(16, 16), DOWN]),
                },
                [CONCATENATION, block(32, 32), DOWN],
                {
                    "h": [*PUBLISHED_TAIL, denses(256, 1, activation="relu")],
                    "ice": [*PUBLISHED_TAIL, denses(256, 1, activation="sigmoid")],
                },
            ),
            322_880,
        ),
    ],
)
def test_parameter_counts_are_those_of_the_original_networks(checked, n_parameters):
    "Measured on the original code, for networks of its published kind."
    network = Network(checked)
    assert network.n_parameters() == n_parameters
    assert sum(row.parameters for row in network.table) == n_parameters
    predictions = network(batch_of(checked))
    assert {name: tuple(p.shape) for name, p in predictions.items()} == {
        output.name: (3, 1) for output in checked.outputs
    }


def test_kernel_size_has_an_effect():
    "A documented setting that the original did not read."
    counts = {
        k: Network(
            experiment(
                {"s": (50.0, False, [block(4, kernel_size=k)])}, [], {"h": [denses(1)]}
            )
        ).n_parameters()
        for k in (1, 3, 5)
    }
    # kernels 4 k², shortcut 4, 8 biases, dense 4 x 8 x 8
    assert counts == {k: 4 * k**2 + 4 + 8 + 256 for k in (1, 3, 5)}


def test_residual_block_is_a_sum_of_two_paths():
    "Against the formula, written out with torch's functional convolutions."
    conv = torch.nn.functional.conv2d
    image = torch.randn(2, 3, 9, 10)
    for padding, crop in (("same", slice(None)), ("valid", slice(2, -2))):
        layer = convolutions.ResidualBlock([(3, 9, 10)], [5, 4], 3, padding)
        first, second, short = *layer.layers, layer.shortcut
        path = conv(image, first.weight, first.bias, padding=padding)
        path = conv(path.relu(), second.weight, second.bias, padding=padding)
        shortcut = conv(image[..., crop, crop], short.weight, short.bias)
        expected = (path + shortcut).relu()
        torch.testing.assert_close(layer([image])[0], expected)


def test_plain_convolutions_are_rectified_each():
    "vggnet: valid padding by default, dense layers with a bias but for the last."
    checked = experiment(
        {"s": (50.0, False, [block(4, 6), {"name": "convolution_1", "filter": 2}])},
        [{"name": "upsample"}],
        {"h": [denses(7, 1)]},
        architecture="vggnet",
    )
    network = Network(checked)
    shapes = [row.shapes for row in network.table]
    assert shapes == [((1, 8, 8),), ((6, 4, 4),), ((2, 4, 4),), ((2, 2, 2),), ((1,),)]
    # 3x3 kernels and biases, 1x1, dense with a bias, dense without
    assert network.n_parameters() == (36 + 4) + (216 + 6) + (12 + 2) + (56 + 7) + 7
    image = torch.randn(2, 1, 8, 8)
    assert (network.inputs["0"]([image])[0] >= 0).all()


def test_fusion_is_an_addition():
    "Of images of one shape."
    checked = experiment(
        {"a": (50.0, False, []), "b": (50.0, False, [])},
        [{"name": "fusion"}],
        {"h": [denses(1)]},
        architecture="vggnet",
    )
    network = Network(checked)
    batch = batch_of(checked)
    weight = network.outputs["0"][0].layers[0].weight
    expected = (batch["a"] + batch["b"]).flatten(1) @ weight.T
    torch.testing.assert_close(network(batch)["h"], expected)


def test_scalars_meet_the_image_before_the_dense_layers():
    "Vectors pass by the operations on images; an own branch may widen them."
    checked = experiment(
        {
            "slope": (50.0, False, [block(4), DOWN]),
            "elevation": (50.0, True, []),
            "speed": (100.0, True, [denses(5, activation="relu")]),
        },
        [CONCATENATION, DOWN],
        {"h": [denses(1)]},
    )
    network = Network(checked)
    assert network.table[-1].parameters == 4 * 2 * 2 + 1 + 5
    batch = batch_of(checked)
    before = network(batch)["h"]
    batch["elevation"] = batch["elevation"] + 1
    assert (network(batch)["h"] != before).all()


def test_scalars_alone_make_a_network():
    "No image at all."
    checked = experiment(
        {"slope": (50.0, True, []), "speed": (100.0, True, [])},
        [],
        {"h": [denses(4, 1)]},
    )
    assert Network(checked)(batch_of(checked))["h"].shape == (3, 1)


@pytest.mark.parametrize("activation", sorted(operations.ACTIVATIONS))
def test_last_activation_is_on_the_last_layer_alone(activation):
    "Hidden dense layers have a ReLU."
    checked = experiment(
        {"slope": (50.0, True, [])}, [], {"h": [denses(6, 1, activation=activation)]}
    )
    network = Network(checked)
    first, second = network.outputs["0"][0].layers
    batch = batch_of(checked)
    hidden = (batch["slope"] @ first.weight.T).relu()
    expected = operations.ACTIVATIONS[activation](hidden @ second.weight.T)
    torch.testing.assert_close(network(batch)["h"], expected)


def test_gaussian_output_has_a_mean_and_a_log_variance():
    "The activation is on the mean alone."
    keys = {"losses_name": {"h": "gaussian_nll"}}
    inputs = {"s": (50.0, True, [])}
    checked = experiment(
        inputs, [], {"h": [denses(8, 2, activation="softplus")]}, **keys
    )
    batch = {"s": torch.linspace(-50, 50, 101)[:, None]}
    prediction = Network(checked)(batch)["h"]
    assert prediction.shape == (101, 2)
    assert (prediction[:, 0] >= 0).all()
    assert (prediction[:, 1] < 0).any() or (prediction[:, 1] > 0).any()


@pytest.mark.parametrize(
    ("inputs", "main", "tail", "message"),
    [
        (
            {"a": (50.0, False, [block(4)]), "b": (100.0, False, [block(4)])},
            [CONCATENATION],
            [denses(1)],
            r"main\[0\] concatenation puts images side by side .*Given: 4 x 8 x 8, 4 x 4 x 4",
        ),
        (
            {"a": (50.0, False, [block(4)]), "b": (50.0, False, [block(5)])},
            [ADDITION],
            [denses(1)],
            r"main\[0\] addition adds images that differ in shape",
        ),
        (
            {"a": (50.0, False, []), "b": (50.0, False, [])},
            [block(4)],
            [denses(1)],
            r"main\[0\] convolutions needs one image: put a concatenation",
        ),
        (
            {"a": (50.0, False, []), "b": (50.0, False, [])},
            [],
            [denses(1)],
            r"outputs\.h\[0\] denses needs one image",
        ),
        (
            {"a": (50.0, False, [DOWN, DOWN, DOWN, DOWN])},
            [],
            [denses(1)],
            r"inputs\.a\[3\] downsample halves an image of 1 x 1",
        ),
        (
            {"a": (50.0, False, [block(4, 4, 4, 4, padding="valid")])},
            [],
            [denses(1)],
            r"inputs\.a\[0\] convolutions takes 8 rows and columns from .* 8 x 8",
        ),
        ({"a": (50.0, False, [])}, [], [], r"outputs\.h must end in a vector of 1"),
        (
            {"a": (50.0, False, [])},
            [],
            [denses(3)],
            r"outputs\.h must end in a vector of 1",
        ),
        (
            {"a": (50.0, False, [denses(3)])},
            [block(3)],
            [denses(1)],
            r"main\[0\] convolutions needs an image, and there are only vectors",
        ),
    ],
)
def test_operations_that_do_not_fit_are_named_in_a_table(inputs, main, tail, message):
    "With the shapes of all that came before."
    checked = experiment(inputs, main, {"h": tail})
    with pytest.raises(ExperimentError, match=message) as caught:
        Network(checked)
    table = str(caught.value).split("Up to there:\n")[1]
    assert table.splitlines()[0].split() == ["inputs.a", "1", "x", "8", "x", "8", "0"]


@pytest.mark.parametrize(
    ("area_size", "operations", "message"),
    [
        (400.0, [block(65_536, 65_536)], r"comes to 38,655,295,488 weights: use at"),
        (200_000.0, [block(4, kernel_size=63)], r"254,016,000,000 multiply-adds for a"),
        (200_000.0, [block(20)], r"comes to 320,000,000 values made of a patch"),
        (400.0, [denses(65_536, 65_536)], r"comes to 4,299,161,600 weights"),
        pytest.param(  # each is allowed, not all together
            400.0,
            [denses(16_384, 16_384, 1)] * 2,
            r"inputs.a\[1\] .* 537,968,640 weights",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_network_beyond_all_measure_is_refused_before_it_is_built(
    area_size, operations, message
):
    "With what it comes to, and the limit."
    begin, grown = time.process_time(), resource.getrusage(resource.RUSAGE_SELF)
    checked = experiment({"a": (50.0, False, operations)}, [], {"h": [denses(1)]})
    checked = checked.model_copy(update={"area_size": area_size})
    with pytest.raises(ExperimentError, match=message):
        Network(checked)
    assert time.process_time() - begin < 30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak - grown.ru_maxrss < 3_000_000  # kB


def test_a_step_that_takes_long_is_not_tried():
    "Gradients of wide kernels, a hundred times slower than what they were counted for."
    operations = [block(8, 8, kernel_size=15)]
    checked = experiment({"a": (50.0, False, operations)}, [], {"h": [denses(1)]})
    cost = measure_cost(checked.model_copy(update={"area_size": 25_600.0}))
    assert cost.multiply_adds > 4e9
    assert cost.train_seconds == 3 * cost.predict_seconds
    assert cost.activation_bytes >= 4 * 8 * 512**2


def test_odd_sizes_lose_their_last_row_in_a_pool():
    "As a pool of stride 2 does."
    layer = operations.Downsample([(1, 5, 7)])
    image = torch.arange(35.0).view(1, 1, 5, 7)
    torch.testing.assert_close(
        layer([image])[0][0, 0], torch.tensor([[8.0, 10, 12], [22, 24, 26]])
    )


def test_weights_follow_from_the_generator():
    "The same state of torch's generator, the same weights."
    checked = experiment({"s": (50.0, False, [block(4)])}, [], {"h": [denses(1)]})
    torch.manual_seed(5)
    first = Network(checked).state_dict()
    torch.manual_seed(5)
    second = Network(checked).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_pools_are_the_same_with_and_without_gradients():
    "Two ways of computing them, odd sizes included."
    layer = operations.Downsample([(3, 7, 6)])
    image = torch.randn(2, 3, 7, 6)
    with_gradients = layer([image.clone().requires_grad_()])[0]
    assert torch.equal(layer([image])[0], with_gradients)
