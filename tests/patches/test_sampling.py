"""Which points are samples: once a cell, and with the targets that losses need."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.samples import Samples
from glacier_inversion.patches.sampling import count_samples, find_cells, find_points
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.data import prepare
from tests import synthetic
from tests.patches.helpers import two_outputs
from tests.training.helpers import some_tiles


@pytest.mark.parametrize("key", ["losses_name", "metrics_name"])
def test_plain_losses_fail_loudly_on_an_unknown_target(key):
    "Of points with a target of another output, say."
    raw = synthetic.experiment()
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"] = {"thickness": "nan_mae", "slope": "nan_mae"}
    raw["model_description"]["outputs"]["slope"] = raw["model_description"]["outputs"][
        "thickness"
    ]
    raw[key]["thickness"] = "mae" if key == "losses_name" else ["mae"]
    raw["criterion"] = "val_loss"
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        part.targets["slope"] = part.inputs["slope"].copy()
        part.targets["thickness"][:12] = np.nan
    with pytest.raises(DatasetError, match="thickness: 'mae' needs every target"):
        prepare(check_experiment(raw, "exp"), tiles)


def test_a_criterion_without_validation_targets_is_refused():
    "Not a loss of NaN after the first epoch."
    raw = synthetic.experiment() | {"criterion": "val_slope_loss"}
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"]["slope"] = "nan_mae"
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        known = part.split == "train"
        part.targets["slope"] = np.where(known, part.inputs["slope"], np.nan)
    with pytest.raises(DatasetError, match="needs targets of 'slope'"):
        prepare(check_experiment(raw, "exp"), tiles)


def test_a_crossentropy_of_metres_is_warned_of(caplog):
    "It is for targets of 0 to 1."
    raw = synthetic.experiment()
    raw["losses_name"] = {"thickness": "nan_binary_crossentropy"}
    raw["metrics_name"] = {}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "sigmoid"
    prepare(check_experiment(raw, "exp"), some_tiles())
    assert "is for targets of 0 to 1, and those of train are" in caplog.text


@given(st.integers(0, 2**32 - 1), st.sampled_from([10.0, 30.0, 70.0]))
@settings(max_examples=40, deadline=None)
def test_outputs_of_any_masks_are_served_once_a_cell(seed, spacing):
    "By the nearest known point in validation, by any of them in training."
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 15, 2))
    masks = {name: rng.random(shape) < rng.random() for name in "abc"}
    parts, layout = two_outputs(masks)
    samples = Samples(parts, layout, {"fine": Scale(0.0, 1.0)}, spacing)
    if len(samples.points) == 0:
        assert len(samples.nominal().index) == 0
        return
    row, col, targets = find_points(parts[0], layout)
    assert count_samples(parts[0], row, col, targets, spacing) == len(samples)
    grid = parts[0].points
    cell, distance = find_cells(grid, row, col, spacing)
    generator = torch.Generator().manual_seed(seed)
    for chosen in (samples.nominal(), samples.draw(generator)):
        for i, mask in enumerate(masks.values()):
            index = chosen.index[~chosen.targets[:, i].isnan()]
            _, r, c = samples.points[index].numpy().T
            assert mask[r, c].all()
            np.testing.assert_array_equal(
                chosen.targets[~chosen.targets[:, i].isnan(), i],
                samples.targets[index, i],
            )
            cells, _ = find_cells(grid, r, c, spacing)
            held = np.unique(cell[~np.isnan(targets[:, i])], axis=0)
            assert sorted(cells.tolist()) == held.tolist()
    for i in range(len(masks)):
        chosen = samples.nominal()
        index = chosen.index[~chosen.targets[:, i].isnan()]
        _, r, c = samples.points[index].numpy().T
        cells, distances = find_cells(grid, r, c, spacing)
        for own, nearest in zip(cells, distances, strict=True):
            known = (cell == own).all(axis=1) & ~np.isnan(targets[:, i])
            assert nearest == pytest.approx(distance[known].min())
