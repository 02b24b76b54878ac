"""Derived rasters: each has two modules of one name, and nothing else knows it."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import get_args

import pytest

import glacier_inversion.dataset.derivations
import glacier_inversion.experiment.derivations
from glacier_inversion.experiment.derivation import Derivation, find_derivations
from tests.helpers import ROOT
from tests.package import MODULES, imports

PARAMETERS, COMPUTATIONS = (
    [module.name for module in pkgutil.iter_modules(folder.__path__)]
    for folder in (
        glacier_inversion.experiment.derivations,
        glacier_inversion.dataset.derivations,
    )
)
FOLDERS = ("experiment.derivations.", "dataset.derivations.")


def test_each_derivation_has_parameters_a_computation_and_tests():
    "A module of one name in each folder."
    assert PARAMETERS == COMPUTATIONS == list(find_derivations())
    tests = (ROOT / "tests/dataset/derivations").glob("test_*.py")
    assert sorted(path.stem.removeprefix("test_") for path in tests) == PARAMETERS


@pytest.mark.parametrize("name", PARAMETERS)
def test_modules_of_a_derivation_keep_to_the_convention(name):
    "It is one name, and says its formula's source where it is computed."
    kind = find_derivations()[name]
    assert issubclass(kind, Derivation)
    assert get_args(kind.model_fields["name"].annotation) == (name,)
    module = importlib.import_module(f"glacier_inversion.dataset.derivations.{name}")
    assert list(inspect.signature(module.compute).parameters) == [
        *("given", "rasters", "at")
    ]
    assert "References\n" in inspect.getdoc(module.compute)


def test_nothing_else_imports_a_derivation():
    "They are found by their names, and do not know each other."
    for module in MODULES:
        inner = module.removeprefix("glacier_inversion.")
        others = [m.removeprefix("glacier_inversion.") for m in imports(module)]
        imported = {m.rpartition(".")[2] for m in others if m.startswith(FOLDERS)}
        own = {inner.rpartition(".")[2]} if inner.startswith(FOLDERS) else set()
        assert imported <= own, module


NEW_PARAMETERS = """
from typing import Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, OneRaster


class TimesTwo(Derivation):
    "Values are multiplied."

    name: Literal["times_two"]
    of: OneRaster = Field(description="What.")
    times: int = Field(default=1, ge=1, description="How often.")
"""
NEW_COMPUTATION = """
def compute(given, rasters, at):
    return 2**given.times * rasters[0]
"""
USE = """
import sys
import glacier_inversion.experiment.derivations as parameters
import glacier_inversion.dataset.derivations as computations

parameters.__path__.append(sys.argv[1])
computations.__path__.append(sys.argv[2])
from glacier_inversion.experiment.experiment import check_experiment, json_schema
from tests import synthetic
from tests.dataset.derivations.helpers import computed

assert computed({"name": "times_two", "times": 3}, [[2.0, 3.0]]).tolist() == [[16, 24]]
raw = synthetic.experiment()
derive = {"name": "times_two", "of": "slope"}
raw["dataset_description"]["rasters"].append(
    {"name": "twice", "resolution": 50.0, "derive": derive}
)
check_experiment(raw, "exp")
assert json_schema()["$defs"]["TimesTwo"]["properties"]["times"]["minimum"] == 1
"""


@pytest.mark.slow
def test_two_files_add_a_derivation(tmp_path):
    "It is checked, described and computed; here they come from other folders."
    folders = [tmp_path / "parameters", tmp_path / "computations"]
    for folder, text in zip(folders, (NEW_PARAMETERS, NEW_COMPUTATION), strict=True):
        folder.mkdir()
        (folder / "times_two.py").write_text(text)
    command = [sys.executable, "-c", USE, *map(str, folders)]
    subprocess.run(command, check=True)
