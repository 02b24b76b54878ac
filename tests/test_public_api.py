"""The public names: lazily loaded, typed, of one form."""

import inspect
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

import glacier_inversion
from glacier_inversion import (
    Workspace,
    load_experiment,
    open_dataset,
    open_model,
)
from glacier_inversion.errors import ModelError
from glacier_inversion.patches.tiles import tiles_of_arrays
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import CPU
from tests.helpers import ROOT, read_all

ENTRY_POINTS = [
    "build_dataset",
    "calibrate",
    "check",
    "crossval",
    "draw",
    "evaluate",
    "report",
    "train",
]


def test_the_public_names_are_all_that_is_listed():
    "And each is there."
    assert dir(glacier_inversion) == sorted(glacier_inversion.__all__)
    for name in dir(glacier_inversion):
        assert callable(getattr(glacier_inversion, name))
        assert getattr(glacier_inversion, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'evaluat'"):
        glacier_inversion.evaluat  # noqa: B018


def test_importing_the_package_imports_little():
    "Neither torch nor rasterio nor numpy, until a name needs them."
    code = (
        "import sys, glacier_inversion; "
        "print({'torch', 'rasterio', 'numpy', 'pydantic'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True).strip() == "set()"


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_entry_points_have_one_form(name):
    "The experiment, the workspace, then options by keyword; a report comes back."
    signature = inspect.signature(getattr(glacier_inversion, name))
    first, second, *options = signature.parameters.values()
    assert (first.name, second.name) == ("experiment", "workspace")
    assert all(o.kind is o.KEYWORD_ONLY for o in options)
    assert all(o.default is not o.empty for o in options)
    assert str(signature.return_annotation).endswith("Report")


def test_the_page_of_python_lists_the_entry_points():
    "Those that have one form, all of them."
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"Each of (`[^.]*`) takes the experiment", page)
    assert sorted(re.findall(r"`(\w+)`", listed)) == ENTRY_POINTS


def test_a_model_is_opened_by_its_folder_or_its_workspace(finished):
    "As text, too; a model that is not there is named with the nearest."
    by_folder = open_model(str(finished.root / "models" / "small"))
    by_name = open_model(Workspace(finished.root), "small")
    by_both = open_model(finished.root, "small")
    assert by_folder.seeds == by_name.seeds == by_both.seeds
    with pytest.raises(ModelError, match="Did you mean 'small'"):
        open_model(Workspace(finished.root), "smal")
    with pytest.raises(ValueError, match="Invalid name None"):
        open_model(Workspace(finished.root))


@pytest.fixture(scope="module")
def arrays(finished):
    """The input tiles of a feature, with the transform of the finest."""
    experiment = load_experiment(finished.file)
    dataset = open_dataset(experiment, Workspace(finished.root))
    tiles = dataset.read_tiles(experiment, "south", with_targets=False)
    return experiment, tiles.inputs, tiles.grid.transform


def test_predictions_do_not_depend_on_blocks(finished, arrays):
    "Neither the values nor where there are none."
    _, inputs, transform = arrays
    whole = open_model(finished.root / "models" / "small")
    blocks = Ensemble(whole.folder, whole.model, device=replace(CPU, block_px=7))
    pairs = [model.predict(inputs, transform) for model in (blocks, whole)]
    for output, predicted in pairs[0].items():
        other = pairs[1][output]
        assert np.isfinite(other.members).any()
        assert predicted.transform == other.transform
        np.testing.assert_allclose(predicted.members, other.members, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, t: (a | {"more": a["slope"]}, t), "Invalid inputs"),
        (lambda a, t: ({"slope": a["slope"]}, t), "Invalid inputs"),
        (
            lambda a, t: (a | {"slope": a["slope"][:-1]}, t),
            "Must cover the same ground",
        ),
        (lambda a, t: (a | {"slope": a["slope"][0]}, t), "Must have rows and columns"),
        (lambda a, t: (a, (2 * t[0], *t[1:])), "Must be north up"),
        (lambda a, t: (a, (t[0], 1.0, *t[2:])), "Must be north up"),
        (lambda a, t: (a, t[:4]), "Must be north up"),
        (lambda a, t: (a, (*t[:2], float("nan"), *t[3:])), "Must be north up"),
        (lambda a, t: (a | {3: a["slope"]}, t), "Invalid inputs"),
        (lambda a, t: (a | {"slope": a["slope"] * 1j}, t), "of complex"),
        (lambda a, t: (a | {"slope": a["slope"] > 0}, t), "of bool"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, change, message):
    "With what would fit."
    experiment, inputs, transform = arrays
    with pytest.raises(ValueError, match=message):
        tiles_of_arrays(experiment, *change(inputs, transform))


def test_what_is_masked_or_infinite_is_unknown(finished, arrays):
    "As rasterio reads nodata: it must not be taken for a number."
    _, inputs, transform = arrays
    model = open_model(finished.root / "models" / "small")
    slope = inputs["slope"].astype(np.float64)
    hole = np.zeros(slope.shape, dtype=bool)
    hole[5:9, 3:12] = True
    unknown = np.where(hole, np.nan, slope)
    expected = model.predict(inputs | {"slope": unknown}, transform)
    for given in (
        np.ma.array(np.where(hole, -9999.0, slope), mask=hole),
        np.where(hole, np.inf, slope),
        np.where(hole, 1e300, slope),
    ):
        maps = model.predict(inputs | {"slope": given}, transform)
        for output, predicted in maps.items():
            np.testing.assert_array_equal(predicted.members, expected[output].members)
    assert not np.ma.isMaskedArray(inputs["slope"])


def test_a_transform_may_be_rounded(finished, arrays):
    "By less than can be seen; an Affine has nine numbers."
    _, inputs, transform = arrays
    model = open_model(finished.root / "models" / "small")
    a, b, left, d, e, top = transform
    rounded = Affine(a * (1 + 1e-12), b, left, d, e, top)
    for predicted in model.predict(inputs, rounded).values():
        assert predicted.transform.a == a
        with pytest.raises(ValueError, match="Invalid statistic 'mode'"):
            predicted.statistic("mode")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, w: glacier_inversion.build_dataset(e, w, jobs=0), "Invalid jobs 0"),
        (lambda e, w: glacier_inversion.train(e, w, jobs=0), "Invalid jobs 0"),
        (lambda e, w: glacier_inversion.train(e, w, seeds=[7]), r"Invalid seeds \[7\]"),
        (lambda e, w: glacier_inversion.train(e, w, seeds=[-1]), "Invalid seeds"),
        (lambda e, w: glacier_inversion.train(e, w, seeds=[]), "Invalid seeds"),
        (lambda e, w: glacier_inversion.train(e, w, device="gpu"), "Invalid device"),
        (lambda e, w: glacier_inversion.draw(e, w, method="foo"), "Invalid method"),
        (lambda e, w: glacier_inversion.draw(e, w, device="gpu"), "Invalid device"),
        (lambda e, w: glacier_inversion.evaluate(e, w, split="tset"), "Invalid split"),
        (lambda e, w: glacier_inversion.evaluate(e, w, method="foo"), "Invalid method"),
        (lambda e, w: open_model(w, "small", device="gpu"), "Invalid device"),
        (lambda e, w: open_dataset(e, w).select("tset"), "Invalid features"),
    ],
)
def test_options_that_cannot_be_are_refused(finished, call, message):
    "Before anything is touched."
    before = read_all(finished.root)
    with pytest.raises(ValueError, match=message):
        call(load_experiment(finished.file), Workspace(finished.root))
    assert read_all(finished.root) == before


def test_a_model_without_a_finished_member_is_refused(finished, tmp_path):
    folder = tmp_path / "small"
    shutil.copytree(finished.root / "models" / "small", folder)
    for weights in folder.glob("seed_*/*.safetensors"):
        weights.unlink()
    with pytest.raises(ModelError, match="has no finished member"):
        open_model(folder)
