"""Maps and mosaics in QGIS itself, where it is installed."""

import functools
import json
import os
import subprocess

import matplotlib as mpl
import numpy as np
import pytest

from glacier_inversion.drawing.layers import write_layers
from glacier_inversion.drawing.mosaics import write_mosaics
from glacier_inversion.drawing.styles import colours_of
from glacier_inversion.geodata.tile_files import write_tile
from glacier_inversion.grid import Grid
from tests.helpers import ROOT, copy_of

PYTHON = "/usr/bin/python3"  # that which Debian's QGIS is for
ENVIRONMENT = {"QT_QPA_PLATFORM": "offscreen", "PATH": os.defpath}


@functools.cache
def has_qgis() -> bool:
    """Tell whether the system's Python has QGIS."""
    try:
        command = [PYTHON, "-c", "import qgis.core"]
        run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)
    except OSError:
        return False
    return run.returncode == 0


def said_by(script, home, *arguments):
    """Run a script of this folder in QGIS, and return the JSON that it prints."""
    done = subprocess.run(
        [PYTHON, ROOT / "tests/drawing" / script, *arguments],
        env={**ENVIRONMENT, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_qgis_shows_the_mosaic_and_its_maps_alike(finished, tmp_path):
    "One CRS, one range, the colours of the style; and pixels of these colours."
    if not has_qgis():
        pytest.skip("no QGIS for the system's Python")
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = ["south", "east"]
    run.write()
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small"
    name = "thickness_mean"
    files = [folder / f"{name}.vrt"]
    files += [folder / feature / f"{name}.tif" for feature in ("south", "east")]
    picture = tmp_path / "seen.png"
    mosaic, *maps = said_by("look_in_qgis.py", tmp_path, picture, *files)
    assert maps == [mosaic, mosaic]
    assert mosaic["valid"]
    assert mosaic["crs"] == "EPSG:32632"
    assert mosaic["colours"] == colours_of("mean")
    seen = mpl.image.imread(picture)[..., :3]
    coloured = seen[(seen < 0.99).any(axis=-1)]
    assert len(coloured) > 0.5 * seen[..., 0].size
    viridis = mpl.colormaps["viridis"](np.linspace(0, 1, 256))[:, :3]
    far = np.abs(coloured[::50, None] - viridis).max(axis=-1).min(axis=1)
    assert far.max() < 0.03  # colours between nine stops, in whole steps of 1/255


def test_qgis_loads_all_layers_of_a_run_by_their_names(tmp_path):
    "From a folder that has moved, whatever its name; with their colours and range."
    if not has_qgis():
        pytest.skip("no QGIS for the system's Python")
    folder, features = tmp_path / "run", ["a & b", "Rhône 5%", "x#1'"]
    maps: dict = {("h", "mean"): [], ("h_bed", "std"): []}
    grids = [Grid(500_000 + 30 * place, 85, 10, 2, 3) for place in range(3)]
    for place, feature in enumerate(features):
        (folder / feature).mkdir(parents=True)
        for what, paths in maps.items():
            values = np.full((2, 3), 10 * place + 1, dtype="f4")
            path = folder / feature / f"{'_'.join(what)}.tif"
            write_tile(path, values, grids[place], 32632, {})
            paths.append(path)
    ranges = {("h", "mean"): (0.0, 20.0), ("h_bed", "std"): (0.0, 50.0)}
    write_mosaics(folder, maps, ranges, grids)
    write_layers(folder, "swiss <alps>", maps, ranges, 32632)
    moved = folder.rename(tmp_path / "elsewhere, Q1%20")
    tree = said_by("load_in_qgis.py", tmp_path, moved / "maps.qlr")
    (model,) = tree["children"]
    assert model["name"] == "swiss <alps>"
    mean, std, *groups = model["children"]
    assert [group["name"] for group in groups] == features
    assert [node["visible"] for node in model["children"]] == [True, *[False] * 4]
    wholes = ["swiss <alps>", *features]
    for number, (whole, (first, second)) in enumerate(
        zip(wholes, [(mean, std), *(g["children"] for g in groups)], strict=True)
    ):
        assert first["name"] == f"{whole} h mean"
        assert second["name"] == f"{whole} h_bed std"
        for layer, shown, statistic in (
            (first, [0, 20], "mean"),
            (second, [0, 50], "std"),
        ):
            assert layer["valid"]
            assert layer["crs"] == "EPSG:32632"
            assert layer["range"] == shown
            assert layer["colours"] == colours_of(statistic)
            assert layer["source"].startswith(str(moved))
            assert layer["first"] == max(number - 1, 0) * 10 + 1
