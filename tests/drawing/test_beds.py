"""Beds: the surface minus each member's thickness, then the statistics."""

import csv

import numpy as np
import pytest
import rasterio

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.drawing import profiles
from glacier_inversion.drawing.beds import with_bed
from glacier_inversion.drawing.maps import MapExtent, PredictedBlock
from glacier_inversion.drawing.profile_pictures import draw_lines
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.grid import Grid, lattice
from glacier_inversion.patches.interpolation import read_at
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.drawing.helpers import by_patches, calibrate, read
from tests.helpers import copy_of

BED = Bed(surface="dem", thickness="thickness")
STATISTICS = {
    "mean": lambda values: values.mean(axis=0),
    "std": lambda values: values.std(axis=0, ddof=1),
    "min": lambda values: values.min(axis=0),
    "q25": lambda values: np.quantile(values, 0.25, axis=0),
}


def elevation_m(x, y):
    """A plane, which is the same wherever it is read between pixels."""
    return 2500 + 0.05 * (x - synthetic.LEFT) + 0.1 * (y - synthetic.TOP)


@pytest.fixture(scope="module")
def surveyed(finished, tmp_path_factory):
    """The region with its elevation, which no network reads, and beds drawn."""
    run = copy_of(finished, tmp_path_factory.mktemp("beds"))
    left, top = synthetic.LEFT, synthetic.TOP
    dem = synthetic.sample(elevation_m, left, top, 25.0, 130, 140)
    dem[100:106, 80:90] = synthetic.NODATA
    synthetic.write_raster(run.root / "data/dem.tif", dem, left, top, 25.0)
    run.raw["dataset_description"]["rasters"] += [
        {"name": "dem", "resolution": 100.0, "file": "dem.tif", "unit": "m"},
        {"name": "dem_50", "resolution": 50.0, "file": "dem.tif", "unit": "m"},
        {"name": "fine_dem", "resolution": 25.0, "file": "dem.tif", "unit": "m"},
        {
            "name": "smooth_dem",
            "resolution": 100.0,
            "derive": {"name": "smooth", "of": "dem", "sigma": 100},
        },
    ]
    run.raw["drawing_description"] |= {
        "features": ["south", "east"],
        "statistics": [*STATISTICS],
        "bed": BED.model_dump(),
    }
    run.write()
    assert run("build-dataset").exit_code == 0
    assert run("draw").exit_code == 0
    return run


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_bed_is_the_surface_minus_the_thickness_of_each_member(surveyed, statistic):
    "Then the statistics; NaN where either is; the surface's unit."
    folder = surveyed.root / "drawings/small"
    extent, transform = read(folder / f"south/thickness_bed_{statistic}.tif")
    thickness = read(folder / f"south/thickness_{statistic}.tif")[0]
    points, members = by_patches(surveyed, "south")
    x, y = Grid(transform.c, transform.f, 50.0, *extent.shape).centres()
    tile = surveyed.root / "datasets/region/south/dem.tif"
    surface = read_at(read_tile(tile), read_grid(tile), x, y)
    rows, cols = points.index(x, y)
    beds = surface - np.maximum(members[:, rows, cols], 0)
    expected = STATISTICS[statistic](beds)
    expected[np.isnan(thickness)] = np.nan
    assert 0 < np.isnan(extent[np.isfinite(thickness)]).sum() < extent.size / 2
    # float32 at 2,500 m, and a member's own rounding
    np.testing.assert_allclose(extent, expected, rtol=0, atol=1e-3)
    with rasterio.open(folder / f"south/thickness_bed_{statistic}.tif") as src:
        assert src.units == ("m",)


def test_beds_are_styled_and_joined_as_outputs_are(surveyed):
    "With a range of their own; but the std is that of the thickness."
    folder = surveyed.root / "drawings/small"
    for name in STATISTICS:
        assert (folder / f"thickness_bed_{name}.vrt").exists()
        style = (folder / f"thickness_bed_{name}.qml").read_bytes()
        assert style == (folder / f"east/thickness_bed_{name}.qml").read_bytes()
        of_thickness = (folder / f"thickness_{name}.qml").read_bytes()
        assert (style == of_thickness) is (name == "std")


def test_profiles_tell_of_the_bed_beside_its_thickness(surveyed):
    "The surface, the statistics of the bed, and the bed below what was observed."
    folder = surveyed.root / "drawings/small"
    with (folder / "profiles/along_thickness.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["bed_mean"]]
    maps = {
        name: read(folder / f"south/thickness_bed_{name}.tif") for name in STATISTICS
    }
    assert len(rows) > 10
    assert any(row["target"] for row in rows)
    for row in rows:
        x, y = float(row["x"]), float(row["y"])
        for name, (values, transform) in maps.items():
            col, i = (int(k) for k in ~transform * (x, y))
            assert float(row[f"bed_{name}"]) == pytest.approx(values[i, col], abs=2e-2)
        surface = float(row["surface"])
        assert surface == pytest.approx(elevation_m(x, y), abs=6)  # of its pixel
        below = surface - max(float(row["mean"]), 0)
        assert float(row["bed_mean"]) == pytest.approx(below, abs=2e-2)
        assert (row["bed_target"] == "") is (row["target"] == "")
        if row["target"]:
            bed = surface - float(row["target"])
            assert float(row["bed_target"]) == pytest.approx(bed, abs=2e-3)
    assert (folder / "profiles/along_thickness_bed.png").exists()


def test_pictures_of_beds_say_what_they_show(surveyed, tmp_path, monkeypatch):
    "The elevation of the bed, in the unit of its surface, which is metres by default."
    run = copy_of(surveyed, tmp_path)
    run.raw["drawing_description"]["features"] = []
    said = []
    monkeypatch.setattr(
        profiles,
        "draw_lines",
        lambda *shown: said.append(shown[1:3]) or draw_lines(*shown),
    )
    for unit in ("m a.s.l.", None):  # the file does not tell it
        run.raw["dataset_description"]["rasters"][3]["unit"] = unit
        run.write()
        assert run("build-dataset").exit_code == 0
        said.clear()
        assert run("draw").exit_code == 0
        assert said == [
            ("small: thickness along along", "thickness (m)"),
            ("small: bed elevation along along", f"bed elevation ({unit or 'm'})"),
        ]


def test_mosaics_of_beds_that_are_not_drawn_any_more_are_gone(surveyed, tmp_path):
    "As those of other outputs are."
    run = copy_of(surveyed, tmp_path)
    run.raw["drawing_description"].pop("bed")
    run.write()
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small"
    assert not [*folder.glob("thickness_bed_*")]
    pictures = [path.name for path in folder.glob("profiles/*.png")]
    assert pictures == ["along_thickness.png"]
    assert (folder / "thickness_mean.vrt").exists()


@pytest.mark.parametrize("window_px", [7, 8])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("surface", ["fine_dem", "dem_50", "dem", "smooth_dem"])
def test_surfaces_of_any_resolution_are_read_where_the_drawn_points_lie(
    surveyed, surface, step, window_px
):
    "As by the way in which maps are read; exactly the plane where all is known."
    place = Workspace(surveyed.root)
    dataset = open_dataset(check_experiment(surveyed.raw, "exp"), place)
    layout = Layout(50.0, window_px, {"slope": 1}, {}, {"thickness": 1}, 0.5)
    points = lattice(dataset.grid("south", 50.0), window_px)
    # the points that a step takes, from beyond the lattice on
    first, n_rows, n_cols = -2, points.n_rows // step + 2, points.n_cols // step
    grid = Grid(
        points.left + 50 * (first + (1 - step) / 2),
        points.top - 50 * (first + (1 - step) / 2),
        50.0 * step,
        n_rows,
        n_cols,
    )
    extent = MapExtent("south", grid, first, first, step)
    block = slice(1, n_rows - 1), slice(2, n_cols)
    x, y = grid.window(*block).centres()
    everywhere = np.ones(x.shape, dtype=bool)
    members = np.zeros((2, x.size), dtype="f4")
    values = PredictedBlock(
        block, everywhere, everywhere, {"thickness": members}, {}, {}
    )
    bed = Bed(surface=surface, thickness="thickness")
    mean = with_bed(values, bed, dataset, extent, layout).image(bed.output, "mean")
    tile = place.dataset("region") / f"south/{surface}.tif"
    expected = read_at(read_tile(tile), read_grid(tile), x, y)
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-3)  # of float32
    if surface != "smooth_dem":
        is_plane = np.abs(mean - elevation_m(x, y)) < 2e-3
        assert is_plane.mean() > 0.6


def test_a_thickness_below_zero_leaves_the_surface(surveyed):
    "So the spread is that of what is not below 0."
    place = Workspace(surveyed.root)
    dataset = open_dataset(check_experiment(surveyed.raw, "exp"), place)
    layout = Layout(50.0, 8, {"slope": 1}, {}, {"thickness": 1}, 0.5)
    points = lattice(dataset.grid("west", 50.0), 8)
    extent = MapExtent("west", points, 0, 0, 1)
    block = slice(2, 3), slice(3, 7)
    wanted = np.array([[True, True, False, True]])
    thickness = np.array([[-5, -1, 10], [-7, 3, np.nan]], dtype="f4")
    values = PredictedBlock(block, wanted, wanted, {"thickness": thickness}, {}, {})
    made = with_bed(values, BED, dataset, extent, layout)
    x, y = points.window(*block).centres()
    surface = elevation_m(x, y)[wanted]
    expected = surface - [[0, 0, 10], [0, 3, np.nan]]
    np.testing.assert_allclose(made.values["thickness_bed"], expected, atol=1e-3)
    np.testing.assert_array_equal(made.values["thickness"], thickness)
    np.testing.assert_allclose(
        made.image("thickness_bed", "std"),
        [[0, 3 / np.sqrt(2), np.nan, np.nan]],
        atol=1e-3,
    )


def test_the_noise_of_a_bed_is_that_of_its_thickness(surveyed):
    "Where the surface is known."
    place = Workspace(surveyed.root)
    dataset = open_dataset(check_experiment(surveyed.raw, "exp"), place)
    layout = Layout(50.0, 8, {"slope": 1}, {}, {"thickness": 1}, 0.5)
    points = lattice(dataset.grid("south", 50.0), 8)
    whole = slice(0, points.n_rows), slice(0, points.n_cols)
    everywhere = np.ones(points.shape, dtype=bool)
    variance = np.random.default_rng(0).gamma(2, 9, everywhere.size).astype("f4")
    members = {"thickness": np.zeros((2, everywhere.size), dtype="f4")}
    values = PredictedBlock(
        whole, everywhere, everywhere, members, {}, {}, noise={"thickness": variance}
    )
    made = with_bed(values, BED, dataset, MapExtent("south", points, 0, 0, 1), layout)
    of_thickness = np.sqrt(variance).reshape(points.shape)
    np.testing.assert_array_equal(made.image("thickness", "noise"), of_thickness)
    is_known = np.isfinite(made.image("thickness_bed", "mean"))
    assert 0 < is_known.sum() < is_known.size
    expected = np.where(is_known, of_thickness, np.nan)
    np.testing.assert_array_equal(made.image("thickness_bed", "noise"), expected)


def test_bounds_of_a_bed_are_the_surface_minus_those_of_the_thickness(
    surveyed, tmp_path
):
    "The lower from the upper; its uncertainty is that of the thickness."
    run = copy_of(surveyed, tmp_path)
    calibrate(run)
    names = ["uncertainty", "lower95", "upper95"]
    run.raw["drawing_description"] |= {"features": ["south"], "statistics": names}
    run.write()
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small/south"
    bed = {name: read(folder / f"thickness_bed_{name}.tif")[0] for name in names}
    ice = {name: read(folder / f"thickness_{name}.tif")[0] for name in names}
    _, transform = read(folder / "thickness_bed_lower95.tif")
    x, y = Grid(transform.c, transform.f, 50.0, *bed["lower95"].shape).centres()
    tile = run.root / "datasets/region/south/dem.tif"
    surface = read_at(read_tile(tile), read_grid(tile), x, y)
    assert np.isnan(surface[np.isfinite(ice["lower95"])]).any()
    assert (ice["lower95"] == 0).any()
    for side, other in (("lower95", "upper95"), ("upper95", "lower95")):
        np.testing.assert_allclose(bed[side], surface - ice[other], rtol=0, atol=1e-3)
    expected = np.where(np.isnan(surface), np.nan, ice["uncertainty"])
    np.testing.assert_array_equal(bed["uncertainty"], expected)
    with rasterio.open(folder / "thickness_bed_lower95.tif") as src:
        assert src.descriptions == ("thickness_bed lower95 (calibrated)",)
        assert src.tags()["calibration_features"] == "5"


def test_a_damaged_tile_of_the_surface_fails_its_feature(surveyed, tmp_path):
    "Though no network reads it, and a window of it might look whole."
    run = copy_of(surveyed, tmp_path)
    tile = run.root / "datasets/region/east/dem.tif"
    with rasterio.open(tile, "r+") as dst:
        values = dst.read(1)
        values[0, 0] += 1
        dst.write(values, 1)
    result = run("draw")
    assert result.exit_code == 3
    assert f"{tile}: is missing or damaged" in result.stderr


def test_a_surface_of_another_description_is_refused(surveyed, tmp_path):
    "As an input would be; without the bed it does not matter."
    run = copy_of(surveyed, tmp_path)
    run.raw["dataset_description"]["rasters"][3]["resampling"] = "nearest"
    run.write()
    result = run("draw")
    assert result.exit_code == 1
    assert "rasters: dem: resampling None → nearest" in result.stderr
    run.raw["drawing_description"].pop("bed")
    run.write()
    assert run("draw").exit_code == 0


def test_what_a_bed_needs_of_a_model_is_told_by_check_and_draw(surveyed, tmp_path):
    "An application knows its outputs from its models, and units from the files."
    run = copy_of(surveyed, tmp_path)
    for key in run.raw.keys() - {"dataset_description", "drawing_description"}:
        run.raw.pop(key)
    run.raw["drawing_description"]["profiles"] = []
    run.write()
    assert run("check").exit_code == 0
    assert run("draw").exit_code == 0
    run.raw["drawing_description"]["bed"]["thickness"] = "thicknes"
    run.raw["dataset_description"]["rasters"][3]["unit"] = "ft"
    run.write()
    assert run("build-dataset").exit_code == 0
    for command in ("check", "draw"):
        result = run(command)
        assert result.exit_code == 1
        said = result.stdout + result.stderr
        assert (
            "bed.thickness: 'thicknes' is no output of the model 'small'. Must be one. "
            "Did you mean 'thickness'?" in said
        )
        assert "bed.surface: 'dem' is in 'ft'. Must be in metres." in said
