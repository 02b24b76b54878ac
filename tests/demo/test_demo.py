"""The demonstration: a region that is what it says, and a first command that works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner

from glacier_inversion import Workspace, build_dataset, draw, load_application
from glacier_inversion.cli import main
from glacier_inversion.demo import demo as module
from glacier_inversion.demo.demo import write_region
from glacier_inversion.demo.mountains import IN_THE_ALPS, build_mountains
from glacier_inversion.demo.scores import find_errors
from glacier_inversion.geodata.geotiffs import read_grid
from glacier_inversion.progress import Silent
from tests.demo.helpers import read
from tests.helpers import COMMANDS, README
from tests.synthetic import write_json


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """What `ginv demo` made, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "glacier-demo"
    result = CliRunner().invoke(main, ["demo", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_folder_of_other_data_is_left_alone(tmp_path):
    "The demonstration does not mix with a user's files."
    (tmp_path / "data").mkdir()
    result = CliRunner().invoke(main, ["demo", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds other data already" in result.output
    assert not (tmp_path / "demo.json").exists()


@pytest.mark.parametrize("options", [[], ["--no-run"], ["--size", "2"]])
def test_a_folder_that_cannot_be_written_is_to_be_another(tmp_path, options):
    "This command has no --workspace."
    (tmp_path / "file").touch()
    result = CliRunner().invoke(main, ["demo", str(tmp_path / "file/demo"), *options])
    assert result.exit_code == 1
    assert "file/demo: cannot be written" in result.stderr
    assert "--workspace" not in result.stderr
    assert result.stderr.endswith("or choose another workspace.\n")


@pytest.fixture
def quick(monkeypatch):
    """Make mountains of coarse cells, which take seconds."""
    monkeypatch.setattr(
        module, "build_mountains", lambda seed: build_mountains(seed, 400.0)
    )


def test_a_larger_region_is_data_alone(quick, tmp_path):
    "So many times as large, with its files, where the demonstration is not."
    folder = tmp_path / "larger"
    command = ["demo", str(folder), "--size", "2"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder / 'data'}\n"
    assert not (folder / "demo.json").exists()
    thickness, src = read(folder / "data/thickness_on_ice.tif")
    assert src.width * src.res[0] == 2 * 32_000
    assert src.height * src.res[1] == 2 * 26_000
    assert np.nanmax(thickness) > 200
    left, bottom = IN_THE_ALPS
    assert src.bounds.right < left
    assert src.bounds.bottom > bottom
    outlines = geopandas.read_file(folder / "data" / "glaciers.shp")
    assert len(outlines) > 15
    assert outlines.within(shapely.box(*src.bounds)).all()
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 1
    assert "data: is there already. A region must have a folder of its own" in (
        again.output
    )


@pytest.mark.parametrize("size", [1, 4])
def test_a_region_has_a_size_that_can_be_grown(size, tmp_path):
    "The ice of larger ones reaches the border."
    with pytest.raises(ValueError, match=r"Invalid size .* Must be one of \(2, 3\)"):
        module.write_large_region(tmp_path / "larger", size)


@pytest.mark.slow
def test_demo_beats_simpler_methods(demo):
    "At least 24 glaciers; the errors that README quotes are those printed."
    folder, printed = demo
    outlines = geopandas.read_file(folder / "data" / "glaciers.shp")
    assert len(outlines) >= 24
    assert {"id", "name", "split"} < set(outlines.columns)
    assert outlines.crs.to_epsg() == 2056
    assert outlines.area.max() > 10 * outlines.area.min()
    errors = printed.partition("Inside intervals")[0]
    rmse = [float(number) for number in re.findall(r"([\d.]+) m +[+-]", errors)]
    ensemble, plasticity, constant = rmse
    assert ensemble < 0.5 * plasticity < 0.5 * constant
    (quoted,) = re.findall(r"  ensemble +([\d.]+) m", README)
    assert ensemble == pytest.approx(float(quoted), abs=1.5)  # machines round apart
    for name in ("mean", "std", "uncertainty"):
        drawn, src = read(folder / "drawings/demo/G20" / f"thickness_{name}.tif")
        assert src.crs.to_epsg() == 2056
        assert np.isfinite(drawn).any()
    assert (folder / "overview.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_intervals_of_the_demo_hold_what_they_say(demo):
    "On glaciers that neither the networks nor the calibration saw."
    _, printed = demo
    shares = {
        row: [float(share) for share in re.findall(r"([\d.]+) %", of_row)]
        for row, of_row in re.findall(r"^ +([a-z, ]+?)  +(.*%)$", printed, re.MULTILINE)
    }
    _, at_68, _, at_95 = shares["radar, calibrated"]
    assert at_68 == pytest.approx(68, abs=5)
    assert at_95 == pytest.approx(95, abs=3)
    _, worst_68, _, worst_95 = shares["on the worst glacier"]
    assert worst_68 >= 45
    assert worst_95 >= 80
    _, spread_68, _, spread_95 = shares["radar, as the members spread"]
    assert spread_68 < 45
    assert spread_95 < 75
    # made for radar, which errs itself
    assert shares["true thickness, calibrated"][1] > at_68


UNMEASURED = {
    "dataset_name": "unmeasured",
    "epsg": 2056,
    "shapefile_file": "glaciers.shp",
    "shapefile_fieldname": "id",
    "buffer_distance": 600.0,
    "rasters": [
        {"name": "dem", "resolution": 50.0, "file": "dem.tif"},
        {"name": "vx", "resolution": 100.0, "file": "vx.tif"},
        {"name": "vy", "resolution": 100.0, "file": "vy.tif"},
        {"name": "slope", "resolution": 50.0, "derive": {"name": "slope", "of": "dem"}},
        {
            "name": "speed",
            "resolution": 100.0,
            "derive": {"name": "magnitude", "of": ["vx", "vy"]},
        },
    ],
    "vectors": [["vx", "vy"]],
}


@pytest.mark.slow
def test_model_maps_a_region_that_nobody_measured(demo, tmp_path):
    "Outlines, a DEM and a velocity of other mountains; the truth is kept aside."
    folder, printed = demo
    truth, data = tmp_path / "truth", tmp_path / "region" / "data"
    truth.mkdir()
    write_region(truth, 1, Silent())
    data.mkdir(parents=True)
    for path in truth.iterdir():
        if path.stem in ("glaciers", "dem", "vx", "vy"):
            shutil.copy(path, data)
    drawing = {"features": "all", "models": [str(folder / "models" / "demo")]}
    raw = {"dataset_description": UNMEASURED, "drawing_description": drawing}
    application = load_application(write_json(data.parent / "apply.json", raw))
    workspace = Workspace(data.parent)
    build_dataset(application, workspace)
    draw(application, workspace)
    thickness, src = read(truth / "thickness_true.tif")
    grid = read_grid(Path(src.name))
    maps = sorted(data.parent.glob("drawings/demo/*/thickness_mean.tif"))
    assert len(maps) >= 24
    errors = np.concatenate([find_errors(m, thickness, grid).ravel() for m in maps])
    rmse = np.sqrt(np.nanmean(errors**2))
    own = float(re.findall(r"ensemble +([\d.]+) m", printed)[0])
    assert rmse <= 1.2 * own


@pytest.mark.slow
def test_documented_commands_run(demo):
    "Each `ginv ...` of README and pages, the demonstration being the user's own data."
    glacier_demo, _ = demo
    root = glacier_demo.parent
    for folder in ("data", "datasets", "models"):
        shutil.copytree(glacier_demo / folder, root / folder, dirs_exist_ok=True)
    commands = COMMANDS | {"ginv demo"}
    new = "ginv new exp.json"
    assert {new, "ginv check exp.json", "ginv draw exp.json"} <= commands
    ginv = Path(sys.executable).parent / "ginv"
    for command in [new, *sorted(commands - {new})]:
        fewer = " --folds 3" if " crossval " in command else ""  # ten take minutes
        done = subprocess.run(
            command.replace("ginv", str(ginv), 1) + fewer,
            shell=True,
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if command == new:  # the rest is about what is built and trained already
            shutil.copy(glacier_demo / "demo.json", root / "exp.json")
