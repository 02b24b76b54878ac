"""Several models as one ensemble: its members are theirs, as many of each."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from glacier_inversion.errors import ModelError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.model.blend import Blend, blend_models
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import read_model
from glacier_inversion.training.network.devices import CPU
from tests import synthetic
from tests.training.helpers import made_up_tiles, train_all


def raw_of(name, area_size, seeds_number, inputs, loss="nan_mae"):
    """Return an experiment of some of the inputs, to train for an epoch."""
    raw = synthetic.experiment() | {"epochs": 1, "criterion": "loss"}
    raw |= {"model_name": name, "area_size": area_size, "seeds_number": seeds_number}
    raw["inputs"] = [v for v in raw["inputs"] if v["name"] in inputs]
    raw["losses_name"] = {"thickness": loss}
    if "gaussian" in loss:
        tail = raw["model_description"]["outputs"]["thickness"]["operations"][0]
        tail["filters"] = [16, 2]
    return raw


MODELS = [
    ("large", 400.0, 3, ["slope", "speed"]),  # 8 pixels
    ("small", 200.0, 2, ["slope"]),  # 4
    ("odd", 250.0, 2, ["slope"]),  # 5
    ("noisy", 400.0, 2, ["slope", "speed"], "nan_gaussian_nll"),
    ("noisier", 200.0, 2, ["slope"], "nan_gaussian_nll"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A workspace with a model of each."""
    root = tmp_path_factory.mktemp("blend")
    for arguments in MODELS:
        train_all(check_experiment(raw_of(*arguments), "e"), root)
    return root


def open_all(root, *names, device=CPU):
    """Open models."""
    folders = [root / "models" / name for name in names]
    return [Ensemble(f, read_model(f), device=device) for f in folders]


def ground():
    """Return the inputs of a place, with a hole, and their transform."""
    tiles = made_up_tiles(7, "test", n_px=40)
    tiles.inputs["slope"][18:25, 20:31] = np.nan
    return tiles.inputs, tiles.grid.transform


def predict(ensemble, inputs, transform):
    """Return the members' values by place: a dict of arrays, shape (n_members,)."""
    names = [variable.name for variable in ensemble.model.experiment.inputs]
    own = ensemble.predict({name: inputs[name] for name in names}, transform)
    members = own["thickness"].members
    return {
        own["thickness"].transform @ (col + 0.5, row + 0.5): members[:, row, col]
        for row, col in np.ndindex(members.shape[1:])
        if np.isfinite(members[:, row, col]).all()
    }


def around(values, x, y):
    """Return the mean of the four points around a place, None where two are not."""
    sides = [(x + dx, y + dy) for dx in (-25, 25) for dy in (-25, 25)]
    known = [values[place] for place in sides if place in values]
    return np.mean(known, axis=0) if len(known) >= 2 else None


@pytest.mark.parametrize("block_px", [1000, 9])
@pytest.mark.parametrize("names", [("large", "small"), ("large", "odd")])
def test_members_are_those_of_the_models_in_turn(root, names, block_px):
    "As many of each; at the centres of pixels where the patches are even and odd."
    inputs, transform = ground()
    device = replace(CPU, block_px=block_px)
    first, second = (
        predict(own, inputs, transform) for own in open_all(root, *names, device=device)
    )
    blend = Blend(root / "models/both", open_all(root, *names, device=device))
    assert len(blend.seeds) == 4  # the smaller has two members
    drawn = predict(blend, inputs, transform)
    if names == ("large", "odd"):
        assert blend.layout.window_px == 9
        corners = {place: around(first, *place) for place in second}
        first = {place: own[:2] for place, own in corners.items() if own is not None}
    else:
        assert blend.layout.window_px == 8
        first = {place: own[:2] for place, own in first.items()}
    # where the largest window fits, and all can predict
    (left, top), side = (transform[2], transform[5]), 25.0 * blend.layout.window_px
    both = {
        (x, y)
        for x, y in first.keys() & second.keys()
        if min(x - left, left + 2000 - x, top - y, y - top + 2000) >= side
    }
    assert drawn.keys() == both
    assert len(both) > 300
    assert len(both) < (40 - blend.layout.window_px + 1) ** 2  # a hole in it
    for place, values in drawn.items():
        expected = np.stack([first[place], second[place]], axis=1).ravel()
        np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_the_noise_is_the_mean_of_that_of_the_models(root):
    "Where each says one; else there is none."
    inputs, transform = ground()
    parts = open_all(root, "noisy", "noisier")
    own = [part.predict({v: inputs[v] for v in part.layout.images}, transform)
           for part in parts]  # fmt: skip
    blend = Blend(root / "models/both", parts)
    noise = blend.predict(inputs, transform)["thickness"].noise
    first, second = (of["thickness"].noise for of in own)
    second = second[2:-2, 2:-2]  # the smaller patch fits at more points
    expected = np.sqrt((first**2 + second**2) / 2)
    np.testing.assert_allclose(noise, expected, rtol=1e-5)
    mixed = Blend(root / "models/both", open_all(root, "noisy", "small"))
    assert mixed.predict(inputs, transform)["thickness"].noise is None
    losses = mixed.model.experiment.losses_name
    assert losses == {"thickness": "nan_mae"}


def test_a_blend_is_known_by_its_models(root):
    "And by their weights."

    def models(*names):
        return [read_model(root / "models" / name) for name in names]

    both = blend_models("both", models("large", "small"))
    assert both.identity == blend_models("again", models("large", "small")).identity
    assert both.identity != blend_models("both", models("large", "odd")).identity
    digests = {
        Blend(root / "models/both", open_all(root, *names)).digest
        for names in (("large", "small"), ("large", "odd"), ("small", "odd"))
    }
    assert len(digests) == 3


def test_the_order_of_the_models_changes_nothing(root):
    "Neither what a calibration is kept for, nor what is predicted, but by rounding."
    inputs, transform = ground()
    names = ["large", "small", "odd"]
    one, other = (
        Blend(root / "models/both", open_all(root, *order))
        for order in (names, names[::-1])
    )
    assert one.model.identity == other.model.identity
    assert one.digest == other.digest
    first, second = (b.predict(inputs, transform)["thickness"] for b in (one, other))
    np.testing.assert_allclose(first.mean, second.mean, rtol=1e-6)
    np.testing.assert_allclose(first.std, second.std, rtol=1e-5)


def test_a_copy_of_a_model_is_refused(root, tmp_path):
    "Under another name, and with another number of members."
    shutil.copytree(root / "models/large", tmp_path / "models/copy")
    shutil.rmtree(tmp_path / "models/copy/seed_002")
    ensembles = [*open_all(root, "large", "small"), *open_all(tmp_path, "copy")]
    with pytest.raises(ModelError, match="'large' and 'copy' have the same weights"):
        Blend(root / "models/both", ensembles)
    for seed in (0, 1):
        shutil.rmtree(tmp_path / f"models/copy/seed_{seed:03d}")
    ensembles = [*open_all(root, "large"), *open_all(tmp_path, "copy")]
    assert Blend(root / "models/both", ensembles).seeds == []  # they are not trained


def test_a_feature_has_the_split_that_says_most(root):
    "What one model was trained on is no test of both."
    large, small = (read_model(root / "models" / name) for name in ("large", "small"))
    one = replace(
        large, splits={"train": ["a"], "validation": ["b"], "test": ["c", "d"]}
    )
    other = replace(
        small, splits={"train": ["b"], "validation": ["c"], "test": ["a", "d"]}
    )
    joined = blend_models("both", [one, other]).splits
    assert {split: set(features) for split, features in joined.items()} == {
        "train": {"a", "b"},
        "validation": {"c"},
        "test": {"d"},
    }
    assert blend_models("both", [one, replace(other, splits=None)]).splits is None


def test_models_that_predict_something_else_are_refused(root):
    "Another unit, another resolution, another range, another output."
    large = read_model(root / "models/large")

    def refused(model):
        with pytest.raises(ModelError) as caught:
            blend_models("both", [large, model])
        return str(caught.value)

    metres, feet = (replace(large, units={"thickness": unit}) for unit in ("m", "ft"))
    blend_models("both", [large, metres])  # of an earlier version the unit is not known
    with pytest.raises(ModelError, match=r"thickness is m of .* and ft of"):
        blend_models("both", [metres, feet])
    raw = raw_of("other", 400.0, 2, ["slope"])
    raw["model_description"]["outputs"]["thickness"]["operations"][0][
        "last_activation"
    ] = "linear"
    other = replace(large, experiment=check_experiment(raw, "e"))
    assert "range of thickness is 0 and more of the model 'large', and any number" in (
        refused(other)
    )
    raw = raw_of("other", 400.0, 2, ["slope"])
    raw["inputs"][0]["resolution"] = raw["outputs"][0]["resolution"] = 100.0
    for raster in raw["dataset_description"]["rasters"]:
        raster["resolution"] = 100.0
    other = replace(large, experiment=check_experiment(raw, "e"))
    assert "the finest resolution is 50 of the model 'large', and 100" in refused(other)
