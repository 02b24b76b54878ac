"""The project itself: what may import what, and documents that say what is so."""

import re
import subprocess
import sys

import pytest

from glacier_inversion import __version__
from glacier_inversion.cli import main
from glacier_inversion.experiment.experiment import load_experiment
from tests.helpers import README, ROOT
from tests.reference_table import table


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


def test_what_contributors_look_for_is_where_they_are_told():
    "Each path of the table, below the package."
    text = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
    _, table = text.split("## Where is it?")
    paths = re.findall(r"`([\w/]+\.(?:py|json))`", table)
    places = [path for path in paths if path != "summary.json"]
    assert len(places) > 30
    assert [p for p in places if not (ROOT / "glacier_inversion" / p).exists()] == []


def test_the_citation_is_of_this_version():
    "And of the licence that the package declares."
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    (licence,) = re.findall(r"^license: (.+)$", citation, re.MULTILINE)
    assert f'license = "{licence}"' in (ROOT / "pyproject.toml").read_text("utf-8")
