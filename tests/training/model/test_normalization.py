"""Inputs and targets in the unit that networks see."""

import numpy as np
import pytest
import torch

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.data import prepare
from glacier_inversion.training.model.normalization import (
    NO_SCALE,
    KnownTargets,
    Moments,
    fit_starts,
    in_own_unit,
    mix,
    normalise_target,
)
from glacier_inversion.training.network.activations import ACTIVATIONS
from tests import synthetic
from tests.training.helpers import experiment, made_up_tiles, some_tiles


def test_inputs_and_targets_are_normalised_by_training_pixels_alone():
    "Inputs to mean 0 and std 1, targets by their std, not shifted, NaN as the mean."
    tiles = some_tiles()
    tiles["train"][0].inputs["slope"][:4, :4] = np.nan
    checked = experiment(min_valid=0.0)
    data = prepare(checked, tiles)
    values = np.concatenate([t.inputs["slope"].ravel() for t in tiles["train"]])
    assert data.scales.inputs["slope"].mean == pytest.approx(
        np.nanmean(values), rel=1e-6
    )
    assert data.scales.inputs["slope"].std == pytest.approx(np.nanstd(values), rel=1e-6)
    targets = data.train.targets[:, 0].numpy()
    assert data.scales.outputs["thickness"].mean == 0
    assert data.scales.outputs["thickness"].std == pytest.approx(
        targets.std(), rel=1e-5
    )
    points = torch.tensor([[0, 0, 0], [1, 3, 5]])
    patches = data.train.source.gather(points)["slope"][:, 0]
    for patch, (feature, row, col) in zip(patches, points.tolist(), strict=True):
        window = tiles["train"][feature].inputs["slope"][row : row + 8, col : col + 8]
        expected = (window - np.nanmean(values)) / np.nanstd(values)
        np.testing.assert_allclose(patch, np.nan_to_num(expected), atol=1e-5)
    assert int((patches[0] == 0).sum()) == 16
    tiles["validation"][0].inputs["slope"][:] += 100
    assert prepare(checked, tiles).scales == data.scales
    raw = prepare(experiment(normalization="none"), some_tiles())
    both = [*raw.scales.inputs.values(), *raw.scales.outputs.values()]
    assert {(scale.mean, scale.std) for scale in both} == {(0.0, 1.0)}


def test_inputs_can_be_normalised_by_the_patches_of_samples():
    "By those of the nominal points, NaN apart; of a feature without any by nothing."
    tiles = some_tiles()
    tiles["train"][0].inputs["slope"][:40, :4] = np.nan
    tiles["train"].append(made_up_tiles(4, "train"))
    tiles["train"][-1].targets["thickness"][:] = np.nan
    data = prepare(experiment(normalization="samples", min_valid=0.0), tiles)
    points = data.train.points[data.train.nominal().index].tolist()
    windows = np.array(
        [
            tiles["train"][feature].inputs["slope"][row : row + 8, col : col + 8]
            for feature, row, col in points
        ]
    )
    assert 0 < np.isnan(windows).mean() < 1
    scale = data.scales.inputs["slope"]
    assert scale.mean == pytest.approx(np.nanmean(windows), rel=1e-6)
    assert scale.std == pytest.approx(np.nanstd(windows), rel=1e-6)
    of_tiles = prepare(experiment(min_valid=0.0), tiles).scales
    assert data.scales.inputs["speed"] != of_tiles.inputs["speed"]
    assert data.scales.outputs == of_tiles.outputs


@pytest.mark.parametrize("scalar", [True, False])
def test_moments_are_those_of_whole_tiles(scalar):
    "Of coarse and scalar inputs, and of tiles that no window fits, or one: bit for bit."
    raw = synthetic.experiment()
    raw["inputs"][1]["scalar"] = scalar
    if scalar:
        raw["model_description"]["inputs"]["speed"]["operations"] = []
        raw["model_description"]["main"]["operations"] = [{"name": "concatenation"}]
        slope = raw["model_description"]["inputs"]["slope"]["operations"]
        slope.append({"name": "denses", "filters": [4], "last_activation": "relu"})
    tiles = some_tiles()
    tiles["train"] += [made_up_tiles(4, "train", n_px=n) for n in (6, 8)]
    for part in tiles["train"]:
        part.inputs["speed"][1, 1:3] = np.nan
    scales = prepare(check_experiment(raw, "exp"), tiles).scales.inputs
    for name, scale in scales.items():
        arrays = [part.inputs[name] for part in tiles["train"]]
        valid = [array[np.isfinite(array)].astype("f8") for array in arrays]
        n = sum(values.size for values in valid)
        mean = sum(values.sum() for values in valid) / n
        variance = sum(np.square(values - mean).sum() for values in valid) / n
        assert (scale.mean, scale.std) == (mean, variance**0.5)


def test_components_of_a_vector_share_their_scale():
    "So that a turned vector is normalised as any other."
    raw = synthetic.experiment()
    raw["inputs"][1]["resolution"] = 50.0
    raw["dataset_description"]["rasters"][1]["resolution"] = 50.0
    raw["model_description"]["inputs"]["speed"] = raw["model_description"]["inputs"][
        "slope"
    ]
    raw["augmentation"] = {"rotations": True, "vectors": [["slope", "speed"]]}
    checked = check_experiment(raw, "exp")
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        part.inputs["speed"] = 2 * part.inputs["slope"]
    scales = prepare(checked, tiles).scales.inputs
    assert scales["slope"] == scales["speed"]
    values = np.concatenate([t.inputs["slope"].ravel() for t in tiles["train"]])
    expected = np.sqrt((np.square(values) + np.square(2 * values)).mean() / 2)
    assert scales["slope"].mean == 0
    assert scales["slope"].std == pytest.approx(expected, rel=1e-5)


def test_bounded_outputs_keep_their_targets():
    "A sigmoid cannot reach targets over their std, whatever the loss."
    for activation, kept in (("sigmoid", True), ("tanh", True), ("softplus", False)):
        raw = synthetic.experiment()
        tail = raw["model_description"]["outputs"]["thickness"]["operations"]
        tail[0]["last_activation"] = activation
        scales = prepare(check_experiment(raw, "exp"), some_tiles()).scales.outputs
        assert (scales["thickness"].std == 1) == kept


def logarithmic(**keys):
    """Return an experiment that learns the logarithm of its target."""
    raw = synthetic.experiment() | keys
    raw["outputs"][0]["transform"] = {"name": "log", "floor": 40.0}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "linear"
    return check_experiment(raw, "exp")


def test_logarithms_of_targets_are_shifted_and_roots_are_not():
    "Mean and std of what is learnt at the training points, and back."
    data = prepare(logarithmic(), some_tiles())
    targets = data.train.targets[:, 0]
    logs = np.log(np.maximum(targets.numpy().astype("f8"), 40))
    scale = data.scales.outputs["thickness"]
    assert scale.mean == pytest.approx(logs.mean(), rel=1e-5)
    assert scale.std == pytest.approx(logs.std(), rel=1e-5)
    (output,) = logarithmic().outputs
    learnt = normalise_target(targets, output, scale)
    np.testing.assert_allclose(learnt, (logs - scale.mean) / scale.std, atol=1e-4)
    back = in_own_unit(learnt, output, "nan_mae", scale)
    np.testing.assert_allclose(back, targets.clamp(min=40), rtol=1e-5)

    raw = synthetic.experiment()
    raw["outputs"][0]["transform"] = {"name": "sqrt"}
    scale = prepare(check_experiment(raw, "exp"), some_tiles()).scales.outputs[
        "thickness"
    ]
    assert scale.mean == 0
    assert scale.std == pytest.approx(np.sqrt(targets.numpy()).std(), rel=1e-5)
    plain = prepare(logarithmic(normalization="none"), some_tiles())
    assert plain.scales.outputs["thickness"] == NO_SCALE


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("transform", [None, {"name": "log", "floor": 10.0}])
def test_networks_start_at_the_mean_of_the_targets(activation, transform):
    "Their last activation gives it, where the sums before it are 0."
    raw = synthetic.experiment() | {"start": "mean"}
    raw["outputs"][0] |= {"transform": transform} if transform else {}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    tail["last_activation"] = "linear" if transform else activation
    checked = check_experiment(raw, "exp")
    tiles = some_tiles()
    if activation in ("sigmoid", "tanh"):
        for part in tiles["train"]:
            part.targets["thickness"] /= 1000
    data = prepare(checked, tiles)
    (output,), (_, scale) = checked.outputs, *data.scales.outputs.items()
    mean = normalise_target(data.train.targets, output, scale).nanmean()
    assert mean > 0.01 or transform
    given = ACTIVATIONS[tail["last_activation"]](torch.tensor(data.starts["thickness"]))
    assert given == pytest.approx(float(mean), rel=1e-5, abs=1e-5)


def test_a_probability_starts_at_the_share_of_ones():
    "As a logit."
    raw = synthetic.experiment() | {"start": "mean"}
    raw["losses_name"] = {"thickness": "binary_crossentropy"}
    raw["metrics_name"] = {"thickness": ["binary_accuracy"]}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    tail["last_activation"] = "sigmoid"
    tiles = some_tiles()
    for part in [*tiles["train"], *tiles["validation"]]:
        thick = part.targets["thickness"]
        part.targets["thickness"] = (thick > np.nanmedian(thick)).astype("f4")
    data = prepare(check_experiment(raw, "exp"), tiles)
    share = data.train.targets.mean()
    assert 0.1 < share < 0.9
    start = torch.tensor(data.starts["thickness"])
    assert torch.sigmoid(start) == pytest.approx(float(share), rel=1e-5)


@pytest.mark.parametrize(
    ("activation", "value"),
    [
        ("relu", -3.0),
        ("softplus", 0.0),
        ("sigmoid", 1.0),
        ("tanh", -5.0),
        ("swish", -3.0),
        ("gelu", 0.0),
        ("elu", -1.0),
        ("selu", -0.5),
    ],
)
def test_a_start_has_a_gradient(activation, value):
    "Where an activation hardly gives the mean, it starts at one that is near."
    raw = synthetic.experiment() | {"start": "mean"}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    tail["last_activation"] = activation
    targets = np.full((5, 1), value, "f4")
    known = KnownTargets(targets, targets[:0], [0.0])
    starts = fit_starts(check_experiment(raw, "e"), known, {"thickness": NO_SCALE})
    start = torch.tensor(starts["thickness"], requires_grad=True)
    ACTIVATIONS[activation](start).backward()
    assert start.grad > 0.005


def moments_of(values):
    moments = Moments()
    moments.add_once(np.array(values, "f4"))
    return moments


@pytest.mark.parametrize(
    ("own", "extra", "expected"),
    [
        ([2, 4], [], (3, 1)),
        ([], [2, 4], (3, 1)),
        ([np.nan], [2, 4], (3, 1)),
        ([], [], (0, 1)),
        ([5, 5], [5], (5, 0)),
        ([0], [4, 4, 4], (1, 3)),  # as of 0, 0, 0, 4
    ],
)
def test_mixed_moments_are_those_of_what_there_is(own, extra, expected):
    "A quarter is drawn from the second."
    assert mix(moments_of(own), moments_of(extra), 0.25) == pytest.approx(expected)
