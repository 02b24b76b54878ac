"""Components of vectors: along the axes of the tiles, whatever CRS their files have."""

import numpy as np
import pytest
from pyproj import Transformer

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.geodata.rasters import warp
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build, plan, points_of, tiles
from tests.geodata.helpers import azimuths, components

POLAR = 3413  # of ITS_LIVE: its north is 53 degrees off that of the tiles
AZIMUTH = 117.0  # towards which all ice flows, from true north


def write_velocity(run, epsg=POLAR, resolution=60.0):
    """Write the components of a velocity in a CRS of their own."""
    to_polar = Transformer.from_crs(synthetic.EPSG, epsg, always_xy=True)
    x, y = to_polar.transform(synthetic.LEFT + 1700, synthetic.TOP - 1600)
    left, top, n = x - 70 * resolution, y + 70 * resolution, 140
    centres = resolution * (np.arange(n) + 0.5)
    x, y = np.meshgrid(left + centres, top - centres)
    to_tiles = Transformer.from_crs(epsg, synthetic.EPSG, always_xy=True)
    speed = synthetic.speed_m_per_yr(*to_tiles.transform(x, y))
    for name, values in zip(
        ("vx", "vy"), components(AZIMUTH, speed, x, y, epsg), strict=True
    ):
        path = run.root / f"data/{name}.tif"
        synthetic.write_raster(path, values.astype("f4"), left, top, resolution, epsg)


@pytest.fixture
def moving(run):
    """A workspace with a velocity as ITS_LIVE gives it, and its magnitude."""
    write_velocity(run)
    description = run.raw["dataset_description"]
    description["rasters"] = [
        {"name": "vx", "resolution": 50.0, "file": "vx.tif"},
        {"name": "vy", "resolution": 50.0, "file": "vy.tif"},
        {
            "name": "slope",
            "resolution": 50.0,
            "derive": {"name": "magnitude", "of": ["vx", "vy"]},
        },
        *description["rasters"][1:],
    ]
    description["vectors"] = [["vx", "vy"]]
    run.write()
    return run


def velocity(run, feature="west"):
    """Return the tiles of both components."""
    folder = run.root / "datasets/region" / feature
    return [read_tile(folder / f"{name}.tif") for name in ("vx", "vy")]


def grid_of(run, feature="west"):
    """Return the grid of the velocity's tiles."""
    reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    return reader.grid(feature, 50.0)


def test_vectors_lead_where_they_led(moving):
    "A field of known directions from true north, in EPSG:3413, on tiles in UTM."
    build(moving)
    x, y = points_of(grid_of(moving))
    along_x, along_y = velocity(moving)
    assert np.isfinite(along_x).all()
    off = azimuths(along_x, along_y, x, y, synthetic.EPSG) - AZIMUTH
    assert np.abs((off + 180) % 360 - 180).max() < 0.01
    speed = synthetic.speed_m_per_yr(x, y)
    # bilinear, of a field that bends over some 500 m
    np.testing.assert_allclose(np.hypot(along_x, along_y), speed, atol=0.1)
    derived = read_tile(moving.root / "datasets/region/west/slope.tif")
    np.testing.assert_allclose(derived, np.hypot(along_x, along_y), rtol=1e-6)


def test_vectors_of_the_tiles_crs_are_as_they_are(moving):
    "Named as a vector or not, the tiles hold the same."
    write_velocity(moving, synthetic.EPSG, 50.0)
    build(moving)
    named = velocity(moving)
    before = tiles(moving)
    del moving.raw["dataset_description"]["vectors"]
    build(moving)
    assert tiles(moving) == before
    np.testing.assert_array_equal(velocity(moving), named)


def test_tiles_are_made_anew_when_the_vector_is_another(moving):
    "Of both components, and of what is derived from them; and no others."
    build(moving)
    before = tiles(moving)
    vectors = moving.raw["dataset_description"].pop("vectors")
    report = build(moving)
    assert report.n_written == 3 * len(synthetic.FEATURES)
    moving.raw["dataset_description"]["vectors"] = [vectors[0][::-1]]
    assert build(moving).n_written == 3 * len(synthetic.FEATURES)
    moving.raw["dataset_description"]["vectors"] = vectors
    assert build(moving).n_written == 3 * len(synthetic.FEATURES)
    kept = {path for path, time in tiles(moving).items() if before[path] == time}
    assert {path.split("/")[-1] for path in kept} == {"speed.tif", "thickness.tif"}


def test_component_depends_on_the_file_of_the_other(moving):
    "One of them changes, and both tiles are made anew."
    build(moving)
    before = tiles(moving)
    path = moving.root / "data/vy.tif"
    path.write_bytes(path.read_bytes() + b" ")
    build(moving)
    changed = {
        p.split("/")[-1] for p, time in tiles(moving).items() if before[p] != time
    }
    assert changed == {"vx.tif", "vy.tif", "slope.tif"}


def test_dataset_of_other_vectors_is_refused(moving):
    "Where the axes of the tiles would be others."
    build(moving)
    moving.raw["inputs"] = [
        {"name": name, "resolution": 50.0} for name in ("vx", "slope")
    ]
    moving.raw["model_description"]["inputs"]["vx"] = {"operations": []}
    del moving.raw["dataset_description"]["vectors"]
    with pytest.raises(DatasetError, match=r"vectors: vx: \['vx', 'vy'\] → None"):
        open_dataset(check_experiment(moving.raw, "exp"), Workspace(moving.root))


def test_components_on_different_grids_are_refused(moving):
    "Of one vector, in another CRS than the tiles."
    y = moving.root / "data/vy.tif"
    kept = y.read_bytes()
    write_velocity(moving, POLAR, 50.0)
    y.write_bytes(kept)
    with pytest.raises(RasterError, match=r"vx\.tif and .*vy\.tif.* differ in CRS"):
        plan(moving).check_buildable()


def test_missing_component_leaves_the_other_unusable(moving):
    "And all that is derived from it; the file that is missing is named once."
    (moving.root / "data/vy.tif").unlink()
    planned = plan(moving)
    assert planned.rasters.usable == ["speed", "thickness"]
    assert [str(p).count("vy.tif: does not exist") for p in planned.problems] == [1]


def test_components_that_nobody_named_are_noticed(moving):
    "By their names, where their axes are not those of the tiles."
    warning = "vx, vy: look like the components of a vector"
    assert not any(warning in w for w in plan(moving).warnings)
    del moving.raw["dataset_description"]["vectors"]
    assert any(warning in w for w in plan(moving).warnings)
    write_velocity(moving, synthetic.EPSG, 50.0)
    assert not any(warning in w for w in plan(moving).warnings)


def test_a_vector_is_warped_once_for_both_components(moving, monkeypatch):
    "And once more for what is derived from it, if that is on a grid of its own."
    warped = []

    def counted(source, grid, files):
        warped.append(source.path.name)
        return warp(source, grid, files)

    monkeypatch.setattr("glacier_inversion.dataset.rasters.warp", counted)
    build(moving)
    n_features = len(synthetic.FEATURES)
    assert warped.count("vx.tif") == warped.count("vy.tif") == n_features
