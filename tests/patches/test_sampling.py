"""Which points are samples: once a cell, and with the targets that losses need."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.grid import Grid, exact
from glacier_inversion.patches.collecting import collect_samples
from glacier_inversion.patches.sampling import (
    check_targets,
    count_samples,
    find_cells,
    find_points,
    sort_by_cell,
    spacing_of,
)
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


def test_a_crossentropy_of_metres_is_refused():
    "Its loss would fall below 0, and its scores mean nothing."
    raw = synthetic.experiment()
    raw["losses_name"] = {"thickness": "nan_binary_crossentropy"}
    raw["metrics_name"] = {}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "sigmoid"
    why = r"is for targets of 0 to 1, and those of train are .* Must be probabilities"
    with pytest.raises(DatasetError, match=why):
        prepare(check_experiment(raw, "exp"), some_tiles())


def tiles_of_targets(change):
    """Return tiles with *change* subtracted from their targets, of 48 to 94."""
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        part.targets["thickness"] -= change
    return tiles


def transformed(**transform):
    """Return an experiment whose target is transformed."""
    raw = synthetic.experiment()
    raw["outputs"][0]["transform"] = transform
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "linear"
    return check_experiment(raw, "exp")


@pytest.mark.parametrize("transform", [{"name": "log", "floor": 1.0}, {"name": "sqrt"}])
def test_a_transform_of_targets_below_zero_is_refused(transform):
    "Neither logarithm nor root says how far below they are."
    with pytest.raises(
        DatasetError, match=rf"transform '{transform['name']}' .* train targets are, do"
    ):
        prepare(transformed(**transform), tiles_of_targets(60))
    prepare(transformed(**transform), tiles_of_targets(0))


@pytest.mark.parametrize(("floor", "warned"), [(40.0, False), (75.0, True)])
def test_a_floor_that_raises_many_targets_is_warned_of(caplog, floor, warned):
    "In another unit than the target it would make all of them alike."
    tiles = some_tiles()
    prepare(transformed(name="log", floor=floor), tiles)
    assert ("are below the floor of the logarithm, 75, and" in caplog.text) == warned


def checked_of_two(losses, targets, **keys):
    """Check the targets of thickness and slope, by split; return what is warned of."""
    raw = synthetic.experiment() | keys
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"] = dict(zip(("thickness", "slope"), losses, strict=True))
    raw["metrics_name"] = {}
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    for output, loss in raw["losses_name"].items():
        tail = outputs[output]["operations"][-1]
        activation = "sigmoid" if "crossentropy" in loss else "softplus"
        outputs[output] = {"operations": [{**tail, "last_activation": activation}]}
    warnings = []
    arrays = {split: np.array(rows, dtype="f4") for split, rows in targets.items()}
    n_features = dict.fromkeys(arrays, 1)
    experiment = check_experiment(raw, "exp")
    check_targets(experiment, arrays, n_features, warnings.append)
    return warnings


NAN = math.nan
KNOWN = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@pytest.mark.parametrize(
    ("validation", "criterion", "output"),
    [
        (KNOWN, "val_slope_loss", None),
        ([[1.0, NAN], [NAN, 2.0]], "val_slope_loss", None),
        ([[NAN, 2.0], [1.0, NAN]], "val_slope_loss", None),
        ([[1.0, NAN], [2.0, NAN]], "val_slope_loss", "slope"),
        ([[1.0, NAN], [2.0, NAN]], "val_thickness_loss", None),
        ([[1.0, NAN], [2.0, NAN]], "val_loss", None),
        ([[NAN, 1.0]], "val_thickness_loss", "thickness"),
        ([[NAN, 1.0]], "thickness_loss", None),
        (np.zeros((0, 2)), "thickness_loss", None),
    ],
)
def test_a_criterion_needs_one_target_of_its_output(validation, criterion, output):
    "In validation, whatever is known of the other output."
    targets = {"train": KNOWN, "validation": validation}
    losses = ["nan_mae", "nan_mae"]
    if output is None:
        assert checked_of_two(losses, targets, criterion=criterion) == []
    else:
        with pytest.raises(DatasetError, match=f"{criterion}' needs .* of '{output}'"):
            checked_of_two(losses, targets, criterion=criterion)


@pytest.mark.parametrize(
    ("split", "values", "range_"),
    [
        ("train", [0.0, 1.5, 0.5], "0 to 1.5"),
        ("train", [-0.25, 1.0, 0.5], "-0.25 to 1"),
        ("validation", [-0.25, -0.25, -0.25], "-0.25 to -0.25"),
    ],
)
def test_a_crossentropy_is_for_0_to_1_its_ends_included(split, values, range_):
    "Of each split; but for rounding. Other losses take any target."
    losses = ["nan_binary_crossentropy", "nan_mae"]
    within = [[0.0, 7.0], [1.0 + 1e-7, 7.0], [0.5, 7.0]]
    targets = {"train": within, "validation": within}
    assert checked_of_two(losses, targets) == []
    targets[split] = [[value, 7.0] for value in values]
    with pytest.raises(DatasetError, match=f"those of {split} are {range_}. Must be"):
        checked_of_two(losses, targets)
    said = checked_of_two(["nan_mae", "nan_mae"], targets)
    assert not any("crossentropy" in one for one in said)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_losses_that_need_every_target_say_how_many_are_unknown(split):
    "And serve where none is."
    losses = ["mse", "nan_mae"]
    targets = {"train": KNOWN, "validation": KNOWN}
    assert checked_of_two(losses, targets) == []
    holes = {**targets, split: [[1.0, 2.0], [NAN, 4.0], [NAN, 6.0], [7.0, NAN]]}
    message = f"thickness: 'mse' needs every target, and 2 of 4 {split} points have"
    with pytest.raises(DatasetError, match=message):
        checked_of_two(losses, holes)


@pytest.mark.parametrize(
    ("empty", "named"), [("train", "training"), ("validation", "validation")]
)
def test_a_split_without_samples_is_refused_by_its_name(empty, named):
    "That of validation where the criterion needs it."
    targets = {"train": KNOWN, "validation": KNOWN, empty: np.zeros((0, 2))}
    with pytest.raises(DatasetError, match=rf"the {named} features \(1\) hold no sam"):
        checked_of_two(["nan_mae", "nan_mae"], targets, criterion="val_loss")


MIXED = {"extra_training": {"dataset": "other", "share": 0.5}}


def test_samples_to_mix_in_are_needed_where_they_are_asked_for():
    "With the targets that losses need, which is said of them; else nothing is."
    targets = {"train": [[2.0, 0.5]], "validation": [[2.0, 0.5]]}
    losses = ["mse", "nan_binary_crossentropy"]
    assert checked_of_two(losses, targets, **MIXED) == []
    nothing = {**targets, "extra": np.zeros((0, 2))}
    assert checked_of_two(losses, nothing) == []  # nobody asks for them
    message = r"^extra_training\.dataset: the 1 training features of 'other' hold no"
    with pytest.raises(DatasetError, match=message):
        checked_of_two(losses, nothing, **MIXED)
    with pytest.raises(DatasetError, match=r"those of extra are 3.5 to 3.5\. Must"):
        checked_of_two(losses, {**targets, "extra": [[1.0, 3.5]]}, **MIXED)
    holes = {**targets, "extra": [[NAN, 1.0], [2.0, 1.0]]}
    with pytest.raises(DatasetError, match="'mse' needs every"):
        checked_of_two(losses, holes, **MIXED)


@pytest.mark.parametrize(
    ("transform", "train", "warned"),
    [
        ({"name": "sqrt"}, [0.0, 0.5, 9.0], False),
        ({"name": "log", "floor": 2.0}, [0.0] + 9 * [2.0], False),
        ({"name": "log", "floor": 2.0}, 2 * [0.0] + 9 * [2.0], True),
        ({"name": "log", "floor": 2.0}, 2 * [1.999] + 8 * [NAN] + 9 * [2.0], True),
        ({"name": "log", "floor": 2.0}, 9 * [2.0], False),
    ],
)
def test_targets_of_zero_have_a_root_and_a_tenth_may_be_raised(
    transform, train, warned
):
    "Of the known ones, and the floor itself is not below it."
    said = []
    arrays = {
        "train": np.array(train, dtype="f4")[:, None],
        "validation": np.array([[NAN]], dtype="f4"),  # of which nothing is asked
    }
    experiment = transformed(**transform)
    check_targets(experiment, arrays, {"train": 1, "validation": 1}, said.append)
    assert len(said) == warned
    assert all("below the floor of the logarithm, 2, and" in one for one in said)


def test_the_spacing_is_that_of_the_file_or_the_side_of_a_patch():
    raw = synthetic.experiment()
    assert spacing_of(check_experiment(raw, "exp")) == 100.0
    del raw["sampling"]
    assert spacing_of(check_experiment(raw, "exp")) == 400.0


def test_points_need_a_known_target_and_inputs_that_are_valid_enough():
    "Both: of the plain loop, row by row; of a point with one target the other is NaN."
    rng = np.random.default_rng(0)
    masks = {name: rng.random((6, 8)) < 0.4 for name in "ab"}
    (part,), layout = two_outputs(masks)
    part = replace(part, usable=rng.random((6, 8)) < 0.5)
    a, b = part.targets["a"], part.targets["b"]
    expected = [
        (i, j, a[i, j], b[i, j])
        for i in range(6)
        for j in range(8)
        if part.usable[i, j] and (masks["a"][i, j] or masks["b"][i, j])
    ]
    row, col, targets = find_points(part, layout)
    np.testing.assert_array_equal(np.column_stack([row, col, targets]), expected)


@given(
    st.sampled_from([0.1, 0.7, 10.0, 12.5]),
    st.sampled_from([1, 2, 3, 10, 16]),
    st.integers(-(10**7), 10**7),
    st.booleans(),
)
@settings(max_examples=50)
def test_cells_are_those_of_exact_arithmetic(resolution, cell_px, start, on_corners):
    "Points on the side of a cell are in the next one, far from the origin too."
    spacing = float(exact(resolution) * cell_px)
    # of a lattice of corners, or of centres of pixels
    half = exact(resolution) / 2
    left, top = (2 * start - on_corners) * half, (6 * start + on_corners) * half
    grid = Grid(float(left), float(top), resolution, 3, 5)
    row, col = (part.ravel() for part in np.mgrid[0:3, 0:5])
    cell, distance = find_cells(grid, row, col, spacing)
    for i in range(len(row)):
        x = left + exact(resolution) * int(col[i]) + half
        y = top - exact(resolution) * int(row[i]) - half
        own = [value // exact(spacing) for value in (x, y)]
        assert cell[i].tolist() == own
        away = [
            v - (n + exact(0.5)) * exact(spacing)
            for v, n in zip((x, y), own, strict=True)
        ]
        plain = math.hypot(*map(float, away)) / resolution
        assert distance[i] == pytest.approx(plain, abs=2e-6)
    # points that mirror each other about the centre are exactly as far
    assert len(np.unique(distance)) == len(np.unique(np.round(distance, 4)))


def test_a_large_cell_ends_where_a_small_one_does():
    "Of 1000 pixels: half a pixel before its side a point is still in it."
    grid = Grid(9980.0, 10020.0, 10.0, 4, 4)
    cell, _ = find_cells(grid, np.arange(4), np.arange(4), 10_000.0)
    assert cell.tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]


def test_points_of_a_cell_come_together_the_nearest_first():
    "Cells in order, by all their indices; equal distances in the order given."
    cells = np.array([[2, -1], [1, 5], [2, -1], [1, 4], [2, -2], [1, 5]])
    distances = np.array([3.0, 2.0, 1.0, 9.0, 4.0, 2.0])
    order, number = sort_by_cell(cells, distances)
    assert order.tolist() == [3, 1, 5, 4, 2, 0]
    assert number.tolist() == [0, 1, 1, 2, 3, 3]
    order, number = sort_by_cell(cells[:0], distances[:0])
    assert len(order) == len(number) == 0


@pytest.mark.parametrize("n_indices", [1, 2, 3])
def test_cells_of_any_number_of_indices_are_sorted_as_python_does(n_indices):
    "By the first, then the second and so on, then the distance; and counted from 0."
    rng = np.random.default_rng(0)
    cells, distances = rng.integers(0, 3, (40, n_indices)), rng.integers(0, 4, 40)
    rows = [(*cell, distance) for cell, distance in zip(cells, distances, strict=True)]
    expected = sorted(range(40), key=rows.__getitem__)
    seen = sorted({row[:-1] for row in rows})
    order, number = sort_by_cell(cells, distances)
    assert order.tolist() == expected
    assert number.tolist() == [seen.index(rows[i][:-1]) for i in expected]


@given(st.integers(0, 2**32 - 1), st.sampled_from([10.0, 30.0, 70.0]))
@settings(max_examples=40, deadline=None)
def test_outputs_of_any_masks_are_served_once_a_cell(seed, spacing):
    "By the nearest known point in validation, by any of them in training."
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 15, 2))
    masks = {name: rng.random(shape) < rng.random() for name in "abc"}
    parts, layout = two_outputs(masks)
    samples = collect_samples(parts, layout, {"fine": Scale(0.0, 1.0)}, spacing)
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
