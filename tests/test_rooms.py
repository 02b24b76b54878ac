"""The rooms of the package and of its tests: what lies where, and who imports whom."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.package import MODULES, PACKAGE, imports

# Who may import whom: a room imports from those before it, and from its own modules.
ORDER = [
    "machine",
    "",  # the modules beside the rooms, but for those at the end
    "sharing",
    "experiment",
    "experiment/operations",
    "experiment/derivations",
    "geodata",
    "patches",
    "dataset",
    "dataset/derivations",
    "training/network",
    "training/network/operations",
    "training/architectures",
    "training/model",
    "training",
    "drawing",
    "evaluation",
    "checking",
    "proposing",
    "reporting",
    "demo",
    "commands",
    "cli",
    "__main__",
]
LAST = {"cli", "__main__"}
MOST_LINES = 350
GEODATA = {"rasterio", "fiona", "geopandas"}
WITHOUT_TORCH = [
    "machine",
    "",
    "sharing",
    "experiment",
    "geodata",
    "dataset",
    "checking",
    "proposing",
    "demo",
]
WITHOUT_GEODATA = ["machine", "", "sharing", "experiment", "patches", "training"]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Modules of tests in a room that have no module of that name to test, and why.
WITHOUT_NAMESAKE = {
    "dataset/test_earlier_layout.py": "datasets as other versions laid them out",
    "dataset/test_vectors.py": "one subject of several modules, from files to tiles",
    "drawing/test_qgis.py": "what draw writes, seen by another program",
    "drawing/test_methods.py": "one subject of draw, on every device, too long for it",
    "experiment/test_hostile_files.py": "what a file may hold, as machines write it",
    "training/model/test_earlier_versions.py": "models as files of other versions",
}


def room(module: str) -> str:
    """Return the room that a module is in."""
    inner = module.split(".")[1:]
    if MODULES[module].name == "__init__.py":
        return "/".join(inner)
    if len(inner) == 1:
        return inner[0] if inner[0] in LAST else ""
    return "/".join(inner[:-1])


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_from_later_rooms_to_earlier_ones(module):
    "Within functions, too."
    here = ORDER.index(room(module))
    for other in imports(module) & MODULES.keys():
        assert ORDER.index(room(other)) <= here, f"{module} imports {other}"


def test_modules_import_each_other_in_no_circle():
    "So each can be read after those that it imports."
    graph = {module: imports(module) & MODULES.keys() for module in MODULES}
    TopologicalSorter(graph).prepare()


def reached(module: str, seen: set[str] | None = None) -> set[str]:
    """Return all packages that are imported when a module is."""
    seen = set() if seen is None else seen
    if module in seen:
        return seen
    seen.add(module)
    for other in imports(module, at_once=True):
        if other in MODULES:
            reached(other, seen)
        else:
            seen.add(other.partition(".")[0])
    return seen


def of_rooms(rooms: list[str]) -> list[str]:
    """Return the modules of rooms and of the rooms within them."""
    return [
        module
        for module in MODULES
        if any(
            r == room(module) or (r and room(module).startswith(f"{r}/")) for r in rooms
        )
    ]


@pytest.mark.parametrize("module", of_rooms(WITHOUT_TORCH))
def test_geodata_does_not_import_torch(module):
    "It meets the networks as arrays."
    assert "torch" not in reached(module)


@pytest.mark.parametrize("module", of_rooms(WITHOUT_GEODATA))
def test_networks_do_not_import_geodata(module):
    "They meet rasters and outlines as arrays."
    assert not GEODATA & reached(module)


def test_modules_have_350_lines_at_most():
    "A longer one holds more than one subject, as far as its length can tell."
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines())
        for module, path in MODULES.items()
    }
    too_long = {module: n for module, n in lengths.items() if n > MOST_LINES}
    assert not too_long, (
        f"modules have at most {MOST_LINES} lines. Move one subject of these into a "
        f"module of its own: {too_long}"
    )


def test_standard_library_names_are_not_taken():
    "A module called as one of Python's is confusing to read."
    taken = {module.rpartition(".")[2] for module in MODULES} & sys.stdlib_module_names
    assert taken == set()


def test_no_module_of_tests_imports_another():
    "What several use lies in helpers, fixtures in conftest."
    for path in TESTS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom):
                    names += [f"{node.module}.{name}" for name in names]
                for name in names:
                    inner = re.match(r"tests\.(.*\.)?(test_|conftest)", name)
                    assert inner is None, f"{path} imports {name}"


def test_tests_lie_as_the_package_does():
    "Every module of tests in a room is that of one module, in the same room."
    found = set()
    for path in TESTS:
        inner = path.relative_to(ROOT / "tests")
        if path.name.startswith("test_") and inner.parent != Path():
            module = PACKAGE / inner.parent / inner.name.removeprefix("test_")
            assert module.parent.is_dir(), f"{inner} lies in no room"
            if not module.exists():
                found.add(inner.as_posix())
    assert found == WITHOUT_NAMESAKE.keys()
