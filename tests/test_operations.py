"""Operations: each has two modules of one name, and nothing else knows it."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from inspect import signature
from typing import get_args

import pytest

import glacier_inversion.experiment.operations
import glacier_inversion.training.network.operations
from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.operation import find_operations
from tests.package import MODULES, imports
from tests.training.network.helpers import denses, experiment

PARAMETERS, COMPUTATIONS = (
    [module.name for module in pkgutil.iter_modules(folder.__path__)]
    for folder in (
        glacier_inversion.experiment.operations,
        glacier_inversion.training.network.operations,
    )
)
KINDS = find_operations()
FOLDERS = ("experiment.operations.", "training.network.operations.")


def test_each_operation_has_parameters_and_a_computation():
    "A module of one name in both folders."
    assert PARAMETERS == COMPUTATIONS
    assert {kind.module_name() for kind in KINDS.values()} == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_modules_of_an_operation_keep_to_the_convention(name):
    "Its name comes first, then the other spellings; the computation is built alike."
    kind = KINDS[name]
    spellings = get_args(kind.model_fields["name"].annotation)
    assert spellings == (name, *kind.spellings)
    assert all(KINDS[spelling] is kind for spelling in spellings)
    module = importlib.import_module(
        f"glacier_inversion.training.network.operations.{name}"
    )
    assert len(signature(module.build).parameters) == 3


def test_nothing_else_knows_an_operation():
    "Neither by import nor by name, but for the network that is proposed to users."
    for module, path in MODULES.items():
        if module == "glacier_inversion.proposing.network":
            continue
        inner = module.removeprefix("glacier_inversion.")
        others = [m.removeprefix("glacier_inversion.") for m in imports(module)]
        imported = {m.rpartition(".")[2] for m in others if m.startswith(FOLDERS)}
        if inner.startswith(FOLDERS):
            assert imported <= {inner.rpartition(".")[2]}
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        texts = {value for value in constants if isinstance(value, str)}
        assert not imported | (KINDS.keys() & texts), module


def test_an_unknown_operation_is_compared_with_those_there_are():
    "Their other spellings included."
    with pytest.raises(ExperimentError) as caught:
        experiment({"a": (50.0, False, [{"name": "upsampel"}])}, [], {"h": [denses(1)]})
    assert (
        "model_description.inputs.a.operations[0]: the operation 'upsampel' does not "
        f"exist. Did you mean 'upsample'? Known: {', '.join(sorted(KINDS))}."
    ) in str(caught.value)


NEW_PARAMETERS = """
from typing import Literal

from pydantic import Field

from glacier_inversion.experiment.operation import Operation


class TimesTwo(Operation):
    "Images are multiplied."

    name: Literal["times_two"]
    times: int = Field(default=1, ge=1, description="How often.")
"""
NEW_COMPUTATION = """
from glacier_inversion.training.network.operation import OnImage


class TimesTwo(OnImage):
    def __init__(self, shapes, times):
        super().__init__(shapes)
        self.factor = 2**times

    def apply_to(self, image):
        return self.factor * image

    def apply_to_field(self, field):
        raise NotImplementedError


def build(given, shapes, conventions):
    assert conventions.is_residual
    return TimesTwo(shapes, given.times)
"""
USE = """
import sys, torch
import glacier_inversion.experiment.operations as parameters
import glacier_inversion.training.network.operations as computations

parameters.__path__.append(sys.argv[1])
computations.__path__.append(sys.argv[2])
from glacier_inversion.experiment.experiment import json_schema
from glacier_inversion.training.network.network import Network
from tests.training.network.helpers import batch_of, denses, experiment

checked = experiment(
    {"a": (50.0, False, [{"name": "times_two", "times": 3}])}, [], {"h": [denses(1)]}
)
network, batch = Network(checked), batch_of(checked)
expected = 8 * batch["a"].flatten(1) @ network.outputs["0"][0].layers[0].weight.T
torch.testing.assert_close(network(batch)["h"], expected)
assert json_schema()["$defs"]["TimesTwo"]["properties"]["times"]["minimum"] == 1
"""


@pytest.mark.slow
def test_two_files_add_an_operation(tmp_path):
    "It is checked, described and computed; here they come from other folders."
    folders = [tmp_path / "parameters", tmp_path / "computations"]
    for folder, text in zip(folders, (NEW_PARAMETERS, NEW_COMPUTATION), strict=True):
        folder.mkdir()
        (folder / "times_two.py").write_text(text)
    command = [sys.executable, "-c", USE, *map(str, folders)]
    subprocess.run(command, check=True)
