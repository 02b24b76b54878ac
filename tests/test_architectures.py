"""Architectures: each has one module, and nothing else knows it."""

import ast
import importlib
import re

import pytest

from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.training.network.conventions import Conventions
from tests.helpers import ROOT
from tests.package import MODULES, imports

FOLDER = "training.architectures."
# Which other modules name one: what is proposed to users, and the spellings of
# operations that published experiments of one architecture have.
NAME_ONE = {
    *("proposing.network", "proposing.propose"),
    *("experiment.operations.addition", "experiment.operations.downsample"),
}


@pytest.mark.parametrize("name", architectures())
def test_an_architecture_offers_its_conventions(name):
    "And says what it is, which the documentation shows."
    module = importlib.import_module(f"glacier_inversion.{FOLDER}{name}")
    assert isinstance(module.CONVENTIONS, Conventions)
    assert module.__doc__


def test_nothing_else_knows_an_architecture():
    "Neither by import nor by name, so that one file adds another."
    name_one = set()
    for module, path in MODULES.items():
        inner = module.removeprefix("glacier_inversion.")
        if inner.startswith(FOLDER):
            continue
        assert not any(FOLDER in other for other in imports(module)), module
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        if are_named_in(" ".join(text for text in texts if isinstance(text, str))):
            name_one.add(inner)
    assert name_one == NAME_ONE


def test_the_page_of_the_experiment_file_names_none_by_hand():
    "What each of them means is taken from its module."
    page = (ROOT / "docs/experiment.md").read_text(encoding="utf-8")
    assert not are_named_in(page)


def are_named_in(text):
    """Tell whether a text names an architecture, by a name that is no other word."""
    names = [name for name in architectures() if name.endswith("net")]
    return re.search(rf"\b({'|'.join(names)})", text) is not None
