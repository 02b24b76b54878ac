"""The demonstration: a region that is what it says, and a first command that works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from numpy.testing import assert_allclose
from pyproj import Transformer
from scipy import ndimage

from glacier_inversion.cli import main
from glacier_inversion.demo.ice_flow import step, surface_velocity
from glacier_inversion.demo.mountains import Climate, build_mountains, grow_ice
from glacier_inversion.demo.observations import find_glaciers, write_observations
from glacier_inversion.demo.rheology import Rheology
from tests.test_project import README


@pytest.fixture(scope="session")
def coarse(tmp_path_factory):
    """A region of 200 m cells, grown and observed in a few seconds."""
    mountains = build_mountains(0, 200.0)
    thickness, imbalance = grow_ice(mountains, Rheology())
    velocity = surface_velocity(thickness, mountains.bed, 200.0, Rheology())
    glaciers = find_glaciers(mountains, thickness)
    folder = tmp_path_factory.mktemp("coarse")
    write_observations(folder, mountains, thickness, velocity, glaciers, 0)
    return mountains, thickness, imbalance, velocity, folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """What `ginv demo` made, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "glacier-demo"
    result = CliRunner().invoke(main, ["demo", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def read(path):
    with rasterio.open(path) as src:
        return src.read(1), src


def test_ice_is_steady_and_away_from_the_border(coarse):
    "What accumulates melts, and none of it leaves the region."
    mountains, thickness, imbalance, _, _ = coarse
    assert imbalance < 0.02
    balance = Climate(mountains)(mountains.bed + thickness)
    _, applied = step(thickness, mountains.bed, balance, 200.0, 1.0, Rheology())
    assert abs(applied.sum()) < 0.02 * applied[applied > 0].sum()
    border = np.ones_like(thickness, dtype=bool)
    border[3:-3, 3:-3] = False
    assert not thickness[border].any()
    assert thickness.max() > 150


def test_same_seed_same_mountains():
    "The region is a function of its seed."
    assert_allclose(build_mountains(3, 400.0).bed, build_mountains(3, 400.0).bed)
    assert np.ptp(build_mountains(3, 400.0).bed - build_mountains(4, 400.0).bed) > 100


class Heard:
    """Hears of one stage."""

    n_steps = 0

    def start(self, stage, total, unit):
        """Keep what is said."""
        self.said = stage, total, unit

    def advance(self, note=""):
        """Count."""
        self.n_steps += 1


def test_growth_tells_how_far_it_is():
    "In a hundred steps, whether the ice is steady early or never."
    for seed in (0, 1):
        heard = Heard()
        grow_ice(build_mountains(seed, 400.0), Rheology(), heard)
        assert heard.said == ("growing the ice", 100, "percent")
        assert heard.n_steps == 100


@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem not installed")
def test_slope_is_that_of_gdaldem(coarse, tmp_path):
    "Horn's slope, but at the border, where gdaldem gives none."
    folder = coarse[-1]
    out = tmp_path / "slope.tif"
    subprocess.run(["gdaldem", "slope", "-q", folder / "dem.tif", out], check=True)
    ours, theirs = read(folder / "slope.tif")[0], read(out)[0]
    assert_allclose(ours[1:-1, 1:-1], theirs[1:-1, 1:-1], atol=2e-3)  # float32 metres


def test_velocity_in_another_crs(coarse):
    "In UTM, with the errors and the gaps that are said; turned as north turns."
    _, thickness, _, (east, north), folder = coarse
    vx, src = read(folder / "vx.tif")
    vy, _ = read(folder / "vy.tif")
    assert src.crs.to_epsg() == 32632
    assert src.res == (100.0, 100.0)
    assert_allclose(read(folder / "speed.tif")[0], np.hypot(vx, vy), rtol=1e-5)
    to_theirs = Transformer.from_crs(2056, 32632, always_xy=True)
    rows, columns = np.nonzero(thickness > 50)
    with rasterio.open(folder / "dem.tif") as dem:
        x, y = dem.xy(rows, columns)
    there = np.array(to_theirs.transform(x, y))
    moved = to_theirs.transform(
        np.array(x) + east[rows, columns], np.array(y) + north[rows, columns]
    )
    column, row = ~src.transform * there
    at = (row - 0.5, column - 0.5)
    error = np.stack(
        [
            ndimage.map_coordinates(component, at, order=1) - (end - start)
            for component, start, end in zip((vx, vy), there, moved, strict=True)
        ]
    )
    missing = np.isnan(error[0]).mean()
    assert 0.005 < missing < 0.15
    assert np.nanmedian(np.abs(error)) < 4  # 2 m/yr and a mean over cells
    assert abs(np.nanmean(error)) < 1


def test_radar_is_sparse_and_near_the_truth(coarse):
    "Along tracks, within its errors."
    _, thickness, _, _, folder = coarse
    radar, _ = read(folder / "thickness_radar.tif")
    known = np.isfinite(radar)
    assert 0.0005 < known.mean() < 0.15
    error = (radar - thickness)[known] / (3 + 0.03 * thickness[known])
    assert 0.7 < error.std() < 1.2


def test_folder_of_other_data_is_left_alone(tmp_path):
    "The demonstration does not mix with a user's files."
    (tmp_path / "data").mkdir()
    result = CliRunner().invoke(main, ["demo", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds other data already" in result.output
    assert not (tmp_path / "demo.json").exists()


@pytest.mark.slow
def test_demo_beats_simpler_methods(demo):
    "At least 24 glaciers; the errors that README quotes are those printed."
    folder, printed = demo
    outlines = geopandas.read_file(folder / "data" / "glaciers.shp")
    assert len(outlines) >= 24
    assert {"id", "name", "split"} < set(outlines.columns)
    assert outlines.crs.to_epsg() == 2056
    assert outlines.area.max() > 10 * outlines.area.min()
    rmse = [float(number) for number in re.findall(r"([\d.]+) m +[+-]", printed)]
    ensemble, plasticity, constant = rmse
    assert ensemble < 0.5 * plasticity < 0.5 * constant
    (quoted,) = re.findall(r"  ensemble +([\d.]+) m", README)
    assert ensemble == pytest.approx(float(quoted), abs=1.5)  # machines round apart
    for name in ("mean", "std"):
        drawn, src = read(folder / "drawings/demo/G20" / f"thickness_{name}.tif")
        assert src.crs.to_epsg() == 2056
        assert np.isfinite(drawn).any()
    assert (folder / "overview.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_commands_in_readme_run(demo):
    "Each `ginv ...` of README, with the demonstration as the user's own data."
    glacier_demo, _ = demo
    root = glacier_demo.parent
    for folder in ("data", "datasets", "models"):
        shutil.copytree(glacier_demo / folder, root / folder, dirs_exist_ok=True)
    shutil.copy(glacier_demo / "demo.json", root / "exp.json")
    commands = set(re.findall(r"`(ginv [^`]+)`", README.replace("```", "")))
    commands |= set(re.findall(r"^(?:.*&& )?(ginv .+)$", README, re.MULTILINE))
    # `ginv train` in a sentence is a name
    commands = {" ".join(c.split()) for c in commands if len(c.split()) > 2}
    commands.add("ginv demo")
    assert {"ginv check exp.json", "ginv draw exp.json"} <= commands
    ginv = Path(sys.executable).parent / "ginv"
    for command in sorted(commands):
        done = subprocess.run(
            command.replace("ginv", str(ginv), 1),
            shell=True,
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
