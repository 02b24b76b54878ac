"""The public names: lazily loaded, typed, of one form."""

import inspect
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

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

ENTRY_POINTS = ["build_dataset", "check", "draw", "train"]


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


def test_a_model_is_opened_by_its_folder_or_its_workspace(finished):
    "As text, too; a model that is not there is named with the nearest."
    by_folder = open_model(str(finished.root / "models" / "small"))
    by_name = open_model(Workspace(finished.root), "small")
    assert by_folder.seeds == by_name.seeds
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
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, change, message):
    "With what would fit."
    experiment, inputs, transform = arrays
    with pytest.raises(ValueError, match=message):
        tiles_of_arrays(experiment, *change(inputs, transform))
