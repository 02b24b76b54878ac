"""Derived rasters: without seams, whatever they are derived from, and rebuilt."""

import json
from itertools import pairwise

import numpy as np
import pytest
import rasterio

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.plan import plan_dataset
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.derivation import find_derivations
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.grid import Grid
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build, summary, tiles

# Each derivation, and some upon others.
DERIVED = {
    "slope": {"name": "slope", "of": "dem"},
    "smooth": {"name": "smooth", "of": "slope", "sigma": 100.0, "within": "ice"},
    "smoother": {"name": "smooth", "of": "smooth", "sigma": 70.0},
    "speed": {"name": "magnitude", "of": ["vx", "vy"]},
    "sine": {"name": "sine", "of": "smooth", "floor": 1.0},
    "log": {"name": "log", "of": "speed", "floor": 1.0},
    "inside": {"name": "inside"},
    "margin": {"name": "distance_to_margin"},
    "half": {"name": "half_width", "of": "margin", "radius": 170.0},
    "relative": {"name": "relative_elevation", "of": "dem"},
    "relief": {"name": "relief", "of": "dem", "radius": 230.0},
    "plastic": {"name": "plasticity", "of": "slope", "tau": 1.2e5},
    "flow": {"name": "velocity_slope", "of": ["speed", "smooth"]},
}
READ = ["dem", "vx", "vy"]


def dem_m(x, y):
    """A smooth field of 2000 to 3000 m."""
    return 2500 + 300 * np.sin(x / 700) + 200 * np.cos(y / 300)


@pytest.fixture
def derived(run):
    """A workspace with an elevation, a velocity, and all that is derived of them."""
    fields = [dem_m, synthetic.speed_m_per_yr, lambda x, y: 10 + 0 * x]
    left, top = synthetic.LEFT - 1000, synthetic.TOP + 1000
    for name, function in zip(READ, fields, strict=True):
        values = synthetic.sample(function, left, top, 25.0, 210, 220)
        values[100:104, 110:113] = synthetic.NODATA
        synthetic.write_raster(run.root / f"data/{name}.tif", values, left, top, 25.0)
    rasters = [{"name": n, "resolution": 50.0, "file": f"{n}.tif"} for n in READ]
    rasters += [
        {"name": name, "resolution": 50.0, "derive": derive}
        for name, derive in DERIVED.items()
    ]
    description = run.raw["dataset_description"]
    description["rasters"] = [*rasters, description["rasters"][2]]
    run.raw["inputs"] = [{"name": name, "resolution": 50.0} for name in DERIVED]
    run.raw["model_description"]["inputs"] = {n: {"operations": []} for n in DERIVED}
    run.raw["area_size"] = 200.0
    run.write()
    return run


def raster_of(run, name):
    """Return a raster of the experiment, to be changed."""
    rasters = run.raw["dataset_description"]["rasters"]
    return next(raster for raster in rasters if raster["name"] == name)


def read(run, feature, name):
    """Return a tile and its grid."""
    with rasterio.open(run.root / f"datasets/region/{feature}/{name}.tif") as src:
        grid = Grid(src.transform.c, src.transform.f, src.transform.a, *src.shape)
        return src.read(1), grid


def written(run):
    """Build; return the names of the rasters of which tiles were made, of all features."""
    before = tiles(run)
    build(run)
    after = tiles(run)
    made = [path for path in after if after[path] != before.get(path)]
    names = {path.rpartition("/")[2].removesuffix(".tif") for path in made}
    assert len(made) == len(names) * len(synthetic.FEATURES)
    return names


def test_every_derivation_is_here():
    "So the tests below hold for all of them."
    assert {derive["name"] for derive in DERIVED.values()} == set(find_derivations())


def test_tiles_have_no_seams(derived):
    "Where tiles of two features overlap they hold the same, up to their sides."
    build(derived)
    n_shared = 0
    ids = [columns["id"] for columns, _ in synthetic.FEATURES]
    for name in DERIVED:
        read_of = {feature: read(derived, feature, name) for feature in ids}
        for first, second in pairwise(ids):
            (one, grid), (other, its) = read_of[first], read_of[second]
            rows, cols = grid.covering(its.bounds)
            rows = slice(max(rows.start, 0), min(rows.stop, grid.n_rows))
            cols = slice(max(cols.start, 0), min(cols.stop, grid.n_cols))
            shared = grid.window(rows, cols)
            down = round((its.top - shared.top) / 50)
            along = round((shared.left - its.left) / 50)
            same = other[down : down + shared.n_rows, along : along + shared.n_cols]
            # float32, and warped from other parts of the file
            np.testing.assert_allclose(one[rows, cols], same, rtol=1e-5, atol=1e-5)
            n_shared += np.isfinite(same).sum()
    assert n_shared > 5000


def test_a_tile_is_a_part_of_what_the_whole_region_gives(derived):
    "Also where it ends: what lies beyond it was seen."
    checked = check_experiment(derived.raw, "exp")
    plan = plan_dataset(checked, Workspace(derived.root))
    bounds = plan.ownership.bounds["east"]
    grid = Grid.from_bounds(bounds, 50.0)
    for name in DERIVED:
        whole = plan.rasters.on(name, grid.grown(17))[17:-17, 17:-17]
        tile = plan.rasters.on(name, grid)
        np.testing.assert_allclose(tile, whole, rtol=1e-5, atol=1e-5)
        assert np.isfinite(tile).mean() > 0.7


def test_tiles_say_how_they_were_derived(derived):
    "In their tags; their units are in the summary, their warping is not."
    build(derived)
    path = derived.root / "datasets/region/east/smooth.tif"
    with rasterio.open(path) as src:
        tags = src.tags()
    assert json.loads(tags["GINV_DERIVATION"]) == DERIVED["smooth"] | {"of": ["slope"]}
    assert "GINV_RESAMPLING" not in tags
    content = summary(derived)
    assert content["warping"].keys() == {*READ, "thickness"}
    units = content["units"]
    assert [units[n] for n in ("slope", "smoother", "margin", "half", "sine")] == [
        *("degree", "degree", "m", "m", "1")
    ]
    assert units["speed"] is units["relief"] is None  # as of the files


def test_units_are_those_of_what_is_derived_from(derived):
    "Unless the experiment says another."
    raster_of(derived, "vx")["unit"] = "m/yr"
    raster_of(derived, "relief")["unit"] = "metres"
    build(derived)
    units = summary(derived)["units"]
    assert (units["speed"], units["relief"]) == ("m/yr", "metres")


def test_what_depends_on_a_change_is_made_anew(derived):
    "A parameter, a file, and what a file is read as; nothing else."
    everything = {*READ, *DERIVED, "thickness"}
    assert written(derived) == everything
    assert written(derived) == set()
    raster_of(derived, "smooth")["derive"] = DERIVED["smooth"] | {"sigma": 150.0}
    assert written(derived) == {"smooth", "smoother", "sine", "flow"}
    with rasterio.open(derived.root / "data/vy.tif", "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    assert written(derived) == {"vy", "speed", "log", "flow"}
    raster_of(derived, "dem")["resampling"] = "bilinear"
    assert written(derived) == everything - {
        *("vx", "vy", "speed", "log", "inside", "margin", "half", "thickness")
    }
    raster_of(derived, "plastic")["derive"] = {"name": "plasticity", "of": "smooth"}
    assert written(derived) == {"plastic"}


def test_other_outlines_change_what_depends_on_them(derived):
    "One that is far away has no other tiles; but it may be ice for these."
    build(derived)
    before = tiles(derived)
    features = [*synthetic.FEATURES]
    more = ({"id": "more", "train": 0}, synthetic.box(2100, 200, 2500, 600))
    synthetic.write_outlines(derived.root / "data/glaciers.shp", [*features, more])
    build(derived)
    after = tiles(derived)
    made = {path for path in before if after[path] != before[path]}
    names = {path.rpartition("/")[2].removesuffix(".tif") for path in made}
    of_outlines = {"inside", "margin", "half", "relative", "smooth"}
    assert names == of_outlines | {"smoother", "sine", "flow"}


def test_a_build_that_was_stopped_keeps_no_tile_of_other_files(derived):
    "Though its raster was derived from another in between."
    build(derived)
    folder = derived.root / "datasets/region"
    raster_of(derived, "relief")["derive"] = DERIVED["relief"] | {"of": "vx"}
    with rasterio.open(derived.root / "data/dem.tif", "r+") as dst:
        dst.write(dst.read(1) + 500, 1)
    (derived.root / "data/thickness.tif").rename(derived.root / "data/t.tif")
    build_fails = derived("build-dataset")
    assert build_fails.exit_code == 1
    (derived.root / "data/t.tif").rename(derived.root / "data/thickness.tif")
    build(derived)
    raster_of(derived, "relief")["derive"] = DERIVED["relief"]
    build(derived)
    kept = (folder / "east/relief.tif").read_bytes()
    (folder / "east/relief.tif").unlink()
    build(derived)
    assert (folder / "east/relief.tif").read_bytes() == kept


def test_processes_derive_the_same(derived):
    "Outlines and rasters reach them."
    build(derived, jobs=2)
    parallel = {n: read(derived, "west", n)[0] for n in DERIVED}
    for path in (derived.root / "datasets/region").glob("*/*.tif"):
        path.unlink()
    build(derived)
    for name, tile in parallel.items():
        np.testing.assert_array_equal(tile, read(derived, "west", name)[0])


def test_a_dataset_that_was_derived_otherwise_is_refused(derived):
    "By what the inputs are, and by what these are derived from."
    build(derived)
    place = Workspace(derived.root)
    open_dataset(check_experiment(derived.raw, "exp"), place)
    derived.raw["inputs"] = [{"name": "sine", "resolution": 50.0}]
    raster_of(derived, "relief")["derive"] = DERIVED["relief"] | {"radius": 100.0}
    open_dataset(check_experiment(derived.raw, "exp"), place)
    raster_of(derived, "smooth")["derive"] = DERIVED["smooth"] | {"sigma": 150.0}
    raster_of(derived, "dem")["file"] = "vx.tif"
    with pytest.raises(DatasetError) as caught:
        open_dataset(check_experiment(derived.raw, "exp"), place)
    for part in ("smooth: derive {", "'sigma': 150.0", "dem: file dem.tif → vx.tif"):
        assert part in str(caught.value)
    assert "relief" not in str(caught.value)


@pytest.mark.slow
def test_networks_learn_from_derived_rasters(derived):
    "From the files to the maps."
    derived.raw["epochs"] = 2
    derived.raw["inputs"] = [
        {"name": name, "resolution": 50.0} for name in ("sine", "speed", "half")
    ]
    derived.raw["area_size"] = 400.0
    derived.write()
    for command in ("check", "build-dataset", "train", "draw"):
        result = derived(command)
        assert result.exit_code == 0, result.output
