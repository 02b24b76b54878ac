"""The code on the documentation's pages runs, and does what the pages say."""

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import rasterio
from click.testing import CliRunner

from glacier_inversion.cli import main
from tests.products import N_GLACIERS, elevation_m, thickness_m, write_products

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
OF_JSON = re.compile(r"^```json\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAMED_TEST = re.compile(r"^- `(tests/[\w/]+\.py)::(\w+)`", re.MULTILINE)
COMMAND = re.compile(r"^ginv (.*)$", re.MULTILINE)


def test_the_page_of_python_runs(run, monkeypatch):
    "From top to bottom, in a folder that holds an experiment and its data."
    monkeypatch.chdir(run.root)
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names: dict = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for code in CODE.findall(page):
            exec(compile(code, "api.md", "exec"), names)
    assert "models/of-somebody-else: is no model." in said.getvalue()
    assert f"{len(names['trained'].members)} members in" in said.getvalue()
    (predicted,) = names["maps"].values()
    path = run.root / f"drawings/small/{names['feature']}/thickness_mean.tif"
    with rasterio.open(path) as src:
        drawn = src.read(1)
    # the map on disk is a part of the one that was predicted, of its outline alone
    x, y = ~predicted.transform @ (src.transform.c, src.transform.f)
    rows = slice(round(y), round(y) + drawn.shape[0])
    cols = slice(round(x), round(x) + drawn.shape[1])
    assert np.isfinite(drawn).any()
    np.testing.assert_array_equal(
        predicted.mean[rows, cols][np.isfinite(drawn)], drawn[np.isfinite(drawn)]
    )


def ginv(*words):
    """Run a command, which succeeds, and return what it says."""
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stderr


def test_the_page_from_radar_to_maps_runs(tmp_path, monkeypatch):
    """
    Its commands and its JSON, as they stand there, on made-up files of these names.

    With fewer epochs. The maps of glaciers that nobody measured resemble the truth.
    """
    monkeypatch.chdir(tmp_path)
    write_products(tmp_path / "data")
    page = (ROOT / "docs" / "glathida.md").read_text(encoding="utf-8")
    new, *others = [command.split() for command in COMMAND.findall(page)]
    assert [words[0] for words in (new, *others)] == [
        "new",
        "check",
        "build-dataset",
        "train",
        "draw",
    ]
    told = " ".join(ginv(*new).split())
    for line in re.findall(r"^INFO: .*(?:\n +.*)*", page, re.MULTILINE):
        assert " ".join(line.split()) in told
    path = tmp_path / "exp.json"
    content = json.loads(path.read_text())
    of_points, of_drawing = OF_JSON.findall(page)
    rasters = content["dataset_description"]["rasters"]
    entry = json.loads(of_points)
    assert entry.items() > rasters[-1].items()  # what was proposed, and two dates
    rasters[-1] = entry
    content |= json.loads(f"{{{of_drawing}}}")
    content |= {"epochs": 12, "seeds_number": 2}
    path.write_text(json.dumps(content))
    for words in others:
        ginv(*words)
    counts = json.loads(next(tmp_path.glob("datasets/*/summary.json")).read_text())
    assert counts["points"]["ice_thickness"]["not_selected"] > 441  # those of 1950, too
    drawings = tmp_path / "drawings" / content["model_name"]
    for name in ("overview.png", "maps.qlr", "holes.csv"):
        assert (drawings / name).exists()
    errors = []
    for number in range(10, N_GLACIERS + 1):
        folder = drawings / f"RGI2000-v7.0-G-11-{number:05d}"
        with rasterio.open(folder / "ice_thickness_mean.tif") as src:
            mean, place = src.read(1), src.transform
            assert (src.units, src.crs.to_epsg()) == (("m",), 32632)
        cols, rows = np.meshgrid(np.arange(mean.shape[1]), np.arange(mean.shape[0]))
        x, y = place @ (cols + 0.5, rows + 0.5)
        errors.append((mean - thickness_m(x, y))[np.isfinite(mean)])
        with rasterio.open(folder / "ice_thickness_bed_mean.tif") as src:
            bed = src.read(1)
        surface = elevation_m(x, y)
        np.testing.assert_allclose(
            (bed + mean)[np.isfinite(mean)], surface[np.isfinite(mean)], atol=10
        )
    assert np.sqrt(np.mean(np.concatenate(errors) ** 2)) < 25


def test_each_promise_names_tests_that_are_there():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    promises, _, _ = page.partition("## What is not promised")
    for promise in re.split(r"^(?=\*\*)", promises, flags=re.MULTILINE)[1:]:
        named = NAMED_TEST.findall(promise)
        assert named, promise
        for file, test in named:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"\ndef {test}(" in text, f"{file}::{test}"
