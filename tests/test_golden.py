"""
What programs of others read: its keys and types change on purpose alone.

Files in ``golden`` hold how it was. Where a change is meant, ``pytest --renew-golden
tests/test_golden.py`` writes them anew, and their difference belongs to the change.
"""

import json
from pathlib import Path

import pytest
import rasterio
from click.testing import CliRunner

from glacier_inversion.cli import main
from tests.helpers import copy_of

GOLDEN = Path(__file__).parent / "golden"
KINDS = {bool: "boolean", int: "integer", float: "number", str: "text"}


@pytest.fixture
def golden(request):
    """Compare lines with those of a golden file, or write it anew."""

    def compare(name: str, lines: list[str]) -> None:
        path = GOLDEN / name
        if request.config.getoption("renew_golden"):
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        expected = path.read_text(encoding="utf-8").splitlines()
        assert lines == expected, f"golden/{name}: if it is meant, say --renew-golden"

    return compare


def shape(content: object) -> list[str]:
    """Return a line for each key in JSON, with the types of its values, not these."""
    kinds: dict[str, set[str]] = {}

    def look(value: object, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                look(item, f"{path}.{key}".lstrip("."))
        elif isinstance(value, list) and value:
            for item in value:
                look(item, f"{path}[]")
        else:
            other = "null" if value is None else f"empty {type(value).__name__}"
            kinds.setdefault(path, set()).add(KINDS.get(type(value), other))

    look(content, "")
    return [f"{path}: {' or '.join(sorted(kinds[path]))}" for path in sorted(kinds)]


def test_the_shape_of_json_is_its_keys_and_types():
    "Every type is told apart; items of a list share their lines."
    content = {"a": [{"b": 1, "c": None}, {"b": 1.5, "c": "x"}], "d": {}, "e": True}
    lines = ["a[].b: integer or number", "a[].c: null or text"]
    assert shape(content) == [*lines, "d: empty dict", "e: boolean"]


def test_schema(golden):
    "Of the experiment file, as editors get it: all of it."
    printed = CliRunner().invoke(main, ["schema"]).stdout
    schema = json.loads(printed, parse_float=number)
    golden("schema.json", json.dumps(schema, indent=2).splitlines())


def number(text: str) -> float:
    """Read a number; whole ones, which pydantic 2.10 writes as 1.0, as those that are."""
    return int(float(text)) if float(text).is_integer() else float(text)


def test_check(finished, golden):
    "What check --json prints."
    golden("check.txt", shape(json.loads(finished("check", "--json").stdout)))


@pytest.mark.parametrize(
    "file",
    [
        "datasets/region/summary.json",
        "datasets/region/sources.json",
        "models/small/model.json",
        "models/small/status.json",
    ],
)
def test_state_files(finished, golden, file):
    "What commands write for others, and for themselves."
    content = json.loads((finished.root / file).read_text())
    golden(f"{Path(file).stem}.txt", shape(content))


def test_evaluation(finished, tmp_path, golden):
    "What evaluate writes for programs, and the columns of its table."
    run = copy_of(finished, tmp_path)
    plasticity = {"name": "plasticity", "slope": "slope"}
    run.raw["evaluation_description"] = {"baselines": {"thickness": [plasticity]}}
    run.write()
    assert run("evaluate", "--split", "all").exit_code == 0
    folder = run.root / "evaluations/small/all"
    golden("metrics.txt", shape(json.loads((folder / "metrics.json").read_text())))
    with (folder / "metrics.csv").open(encoding="utf-8") as table:
        golden("metrics_table.txt", next(table).strip().split(","))


def test_maps(finished, golden):
    "The tags of a GeoTIFF, by which programs find out what it shows."
    lines = []
    for statistic in ("mean", "std"):
        path = finished.root / f"drawings/small/south/thickness_{statistic}.tif"
        with rasterio.open(path) as src:
            lines += [f"{statistic}: {tag}" for tag in sorted(src.tags())]
    golden("map_tags.txt", lines)


def test_tables(finished, golden):
    "The columns of the log and of a profile."
    lines = []
    for file in (
        "models/small/seed_000/log.csv",
        "drawings/small/profiles/along_thickness.csv",
    ):
        with (finished.root / file).open(encoding="utf-8") as table:
            lines.append(f"{Path(file).name}: {next(table).strip()}")
    golden("tables.txt", lines)
