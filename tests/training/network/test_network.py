"""Networks: built as described, refused where they do not fit."""

import time

import pytest
import torch

from glacier_inversion.errors import ExperimentError
from glacier_inversion.training.network.network import Network
from tests.training.network.helpers import (
    ADDITION,
    CONCATENATION,
    DOWN,
    batch_of,
    block,
    denses,
    experiment,
)

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


def test_outputs_that_start_at_their_means_end_in_layers_of_their_own():
    "In those of a common main they would start at one number."
    main, both = [denses(4), denses(1)], {"h": [], "u": []}
    raw = experiment({"slope": (50.0, False, [])}, main, both)
    Network(raw)
    mean = raw.model_copy(update={"start": "mean"})
    with pytest.raises(ExperimentError, match=r"outputs\.h must end in denses of its"):
        Network(mean)


def test_scalars_alone_make_a_network():
    "No image at all."
    checked = experiment(
        {"slope": (50.0, True, []), "speed": (100.0, True, [])},
        [],
        {"h": [denses(4, 1)]},
    )
    assert Network(checked)(batch_of(checked))["h"].shape == (3, 1)


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
    resource = pytest.importorskip("resource")
    begin, grown = time.process_time(), resource.getrusage(resource.RUSAGE_SELF)
    checked = experiment({"a": (50.0, False, operations)}, [], {"h": [denses(1)]})
    checked = checked.model_copy(update={"area_size": area_size})
    with pytest.raises(ExperimentError, match=message):
        Network(checked)
    assert time.process_time() - begin < 30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak - grown.ru_maxrss < 3_000_000  # kB


def test_weights_follow_from_the_generator():
    "The same state of torch's generator, the same weights."
    checked = experiment({"s": (50.0, False, [block(4)])}, [], {"h": [denses(1)]})
    torch.manual_seed(5)
    first = Network(checked).state_dict()
    torch.manual_seed(5)
    second = Network(checked).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
