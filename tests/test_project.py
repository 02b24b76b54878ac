"""The project itself: what may import what, and documents that say what is so."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import glacier_inversion
from glacier_inversion.cli import main
from glacier_inversion.experiment import load_experiment
from tests.reference_table import table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WITHOUT_TORCH = [
    "__main__",
    "built_dataset",
    "check",
    "choices",
    "cli",
    "console",
    "consistency",
    "coverage",
    "dataset",
    "demo",
    "errors",
    "executors",
    "experiment",
    "files",
    "geotiffs",
    "grid",
    "ice_flow",
    "interpolation",
    "interrupts",
    "json_files",
    "lattices",
    "mountains",
    "observations",
    "outlines",
    "overview",
    "ownership",
    "planning",
    "progress",
    "rasterizing",
    "rasters",
    "raw_experiment",
    "readings",
    "refusals",
    "report",
    "sampling",
    "scores",
    "sections",
    "splits",
    "streams",
    "survey",
    "tiles",
    "tiling",
    "training_curves",
    "warping",
    "workspace",
]


def loads(module: str, other: str) -> bool:
    """Tell whether importing a module imports another."""
    code = f"import sys, glacier_inversion.{module}; sys.exit({other!r} in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode != 0


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_geodata_modules_do_not_import_torch(module):
    "They meet the networks as arrays."
    assert not loads(module, "torch")


@pytest.mark.parametrize(
    "module",
    [
        "patches",
        "training.cost",
        "training.ensemble",
        "training.model",
        "training.prediction",
    ],
)
def test_networks_do_not_import_rasterio(module):
    "They meet the geodata modules as arrays."
    assert not loads(module, "rasterio")


def test_every_module_is_on_one_side_or_draws():
    "A new module is added to one of the lists above."
    names = {m.name for m in pkgutil.iter_modules(glacier_inversion.__path__)}
    assert names == {
        *WITHOUT_TORCH,
        "drawing",
        "maps",
        "patches",
        "profiles",
        "training",
    }


def test_files_are_written_and_removed_in_one_module():
    "By files.py, which follows no link and leaves nothing half."
    calls = re.compile(
        r"\.(unlink|rename|rmdir|write_text|touch|symlink_to)\(|rmtree|os\.(remove|replace)"
    )
    for path in (ROOT / "glacier_inversion").rglob("*.py"):
        if path.name != "files.py":
            assert not calls.findall(path.read_text(encoding="utf-8")), path


def test_help_imports_nothing_heavy():
    "So it is instant: tests/benchmarks/startup.py measures it."
    code = (
        "import sys\nfrom glacier_inversion.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'rasterio', 'pydantic', 'pyproj', 'fiona', 'tqdm'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"build-dataset" in done.stdout
    assert done.stderr.strip() == b"[]"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_command_has_help_and_is_in_the_readme(name):
    "Each of them."
    assert main.commands[name].help
    assert f"ginv {name}" in README


def test_the_reference_of_the_experiment_file_is_in_the_readme():
    "Every key with its type, default and meaning, as the JSON Schema has them."
    for line in table().splitlines():
        assert line in README, line


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments").rglob("*.json")), ids=lambda p: p.stem
)
def test_shipped_experiment_loads(path, caplog):
    "Without a warning, and with a README beside it."
    load_experiment(path)
    assert caplog.text == ""
    assert (path.parent / "README.md").exists()
