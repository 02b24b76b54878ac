"""The tables of volumes that draw writes, and what it tells of them."""

import csv
import logging
import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import shapely
from scipy.stats import t

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.drawing.error_cells import ErrorCells
from glacier_inversion.drawing.published_volumes import PublishedMean
from glacier_inversion.drawing.volume_tables import find_thicknesses, write_volumes
from glacier_inversion.drawing.volumes import MeanThickness
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.interpolation import read_at
from glacier_inversion.training.model.covariogram import Covariogram
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.drawing.helpers import calibrate, read
from tests.helpers import copy_of, read_all

COVARIOGRAM = Covariogram(0.1, 0.8, 150.0, 0.1, 0.05)
COLUMNS = [
    "output",
    "feature",
    "area_km2",
    "drawn_share",
    "mean_m",
    "volume_km3",
    "spread_km3",
    "uncertainty_km3",
    "lower95_km3",
    "upper95_km3",
    "effective_pixels",
]

PUBLISHED = ["published_other_km3", "volume_at_other_km3"]


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """All features, drawn with a model that knows how its errors are correlated."""
    run = copy_of(finished, tmp_path_factory.mktemp("volumes"))
    run.raw["drawing_description"] |= {"features": "all", "profiles": []}
    run.write()
    calibrate(run, covariogram=COVARIOGRAM)
    result = run("draw")
    assert result.exit_code == 0, result.output
    return run, result


def rows_of(run):
    """Return the rows of volumes.csv by feature, numbers as such, empty as NaN."""
    path = run.root / "drawings/small/volumes.csv"
    with path.open(encoding="utf-8") as text:
        reader = csv.DictReader(text)
        assert reader.fieldnames == COLUMNS
        return {
            row["feature"]: {
                name: float(cell or "nan")
                for name, cell in row.items()
                if name not in ("output", "feature")
            }
            for row in reader
        }


def test_volumes_are_those_of_the_maps(drawn):
    "The mean of the map times the area; the outlines are boxes in UTM."
    run, result = drawn
    rows = rows_of(run)
    assert list(rows) == [p["id"] for p, _ in synthetic.FEATURES] + ["total"]
    for properties, outline in synthetic.FEATURES:
        row = rows[properties["id"]]
        maps = run.root / "drawings/small" / properties["id"]
        mean = read(maps / "thickness_mean.tif")[0]
        area = outline.area / 0.9996**2 / 1e6  # near enough to the central meridian
        assert row["area_km2"] == pytest.approx(area, rel=1e-3)
        assert row["mean_m"] == pytest.approx(np.nanmean(mean), rel=1e-5)
        volume = row["area_km2"] * row["mean_m"] / 1e3
        assert row["volume_km3"] == pytest.approx(volume, rel=1e-5)
        half = t.ppf(0.975, 4) * row["uncertainty_km3"]
        assert row["upper95_km3"] == pytest.approx(volume + half, rel=1e-5)
        assert row["lower95_km3"] == pytest.approx(max(volume - half, 0), rel=1e-5)
        assert 1 < row["effective_pixels"] < np.isfinite(mean).sum()
    features = list(rows.values())[:-1]
    for name in ("area_km2", "volume_km3"):
        total = sum(row[name] for row in features)
        assert rows["total"][name] == pytest.approx(total, rel=1e-5)
    low = math.sqrt(sum(row["uncertainty_km3"] ** 2 for row in features))
    high = sum(row["uncertainty_km3"] for row in features)
    assert low < rows["total"]["uncertainty_km3"] < high
    told = rows["total"]
    assert (
        f"INFO: small: thickness: {told['volume_km3']:.4g} km3 (95 %: "
        f"{told['lower95_km3']:.4g} to {told['upper95_km3']:.4g}) on "
        f"{told['area_km2']:.4g} km2 of 5 features"
    ) in result.stderr


def test_outlines_have_the_same_columns(drawn):
    run, _ = drawn
    table = geopandas.read_file(run.root / "drawings/small/volumes.gpkg")
    assert list(table.columns) == [*COLUMNS, "geometry"]
    assert table.crs.to_epsg() == synthetic.EPSG
    rows = rows_of(run)
    for _, row in table.iterrows():
        for name in COLUMNS[2:]:
            assert row[name] == rows[row["feature"]][name]
    outlines = dict(zip(table["feature"], table.geometry, strict=True))
    for properties, outline in synthetic.FEATURES:
        assert outlines[properties["id"]].equals(outline)


def test_the_same_run_writes_the_same_bytes(drawn, tmp_path):
    "And as much where the maps reach beyond the outlines."
    run, _ = drawn
    again = copy_of(run, tmp_path)
    folder = again.root / "drawings/small"
    before = read_all(folder)
    shutil.rmtree(folder)
    assert again("draw").exit_code == 0
    after = read_all(folder)
    for name in ("volumes.csv", "volumes.gpkg"):
        assert after[name] == before[name]
    again.raw["drawing_description"] |= {"clip_to_outline": False}
    again.write()
    assert again("draw").exit_code == 0
    unclipped, clipped = rows_of(again), rows_of(run)
    for feature, row in clipped.items():
        # what has its centre on the border may lie inside of one window and not another
        assert unclipped[feature] == pytest.approx(row, rel=1e-4, nan_ok=True)


def test_without_a_calibration_uncertainties_are_empty(finished, tmp_path):
    "A line names the command that makes one."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["profiles"] = []
    run.write()
    result = run("draw")
    assert (
        "INFO: small: thickness: volumes are drawn without their uncertainty, as the "
        "model has no calibration of this output for 2 members. Run 'ginv crossval', "
        "which calibrates by four measured features at least; folds that are there are "
        "kept"
    ) in result.stderr
    row = rows_of(run)["south"]
    assert row["volume_km3"] > row["spread_km3"] > 0
    assert math.isnan(row["uncertainty_km3"])
    assert math.isnan(row["lower95_km3"])
    calibrate(run)  # as an earlier version did
    result = run("draw")
    assert "does not say how errors go together" in result.stderr
    assert math.isnan(rows_of(run)["south"]["upper95_km3"])
    (run.root / "models/small/calibration.json").write_text("{")
    result = run("draw")
    assert result.exit_code == 0
    assert "and volumes have no intervals" in result.stderr
    assert "without their uncertainty" not in result.stderr  # which would tell it twice
    assert math.isnan(rows_of(run)["south"]["upper95_km3"])


OUTPUTS = [
    ("metres", "relu", None, True, None),
    (" M ", "softplus", None, True, None),
    ("m", "linear", None, False, "may be an elevation"),
    ("m", None, Bed(surface="dem", thickness="ice"), True, None),
    ("m/yr", "softplus", None, False, None),
    (None, "softplus", None, False, "as its unit is not known"),
    (None, "linear", None, False, None),
    (None, "softplus", Bed(surface="dem", thickness="ice"), True, None),
]


@pytest.mark.parametrize(("unit", "activation", "bed", "is_one", "told"), OUTPUTS)
def test_outputs_in_metres_that_are_thicknesses_have_volumes(
    caplog, unit, activation, bed, is_one, told
):
    "Those that cannot be below 0; else a line says why not, where it may be missed."
    experiment = SimpleNamespace(
        is_nonnegative=lambda output: activation in ("relu", "softplus")
    )
    ensemble = SimpleNamespace(
        name="small",
        layout=SimpleNamespace(outputs=["ice"]),
        model=SimpleNamespace(experiment=experiment, units={"ice": unit}),
    )
    with caplog.at_level(logging.INFO):
        found = find_thicknesses(ensemble, SimpleNamespace(units={}), bed)
    assert found == (["ice"] if is_one else [])
    (line,) = caplog.messages or [None]
    assert (line is None) == (told is None)
    if told is not None:
        assert line.startswith("small: ice: no volumes, ")
        assert told in line


def thickness(feature, n_drawn, n_pixels=100, area=2e6):
    members = np.array([90.0, 110.0]) if n_drawn else np.full(2, np.nan)
    nan = math.nan
    return MeanThickness(feature, area, n_pixels, n_drawn, members, nan, nan, nan)


def test_what_is_not_drawn_is_told(tmp_path, caplog):
    "A feature with nothing drawn has a row, and is not in the total."
    means = [thickness("a", 95), thickness("b", 50), thickness("c", 0)]
    outlines = {name: shapely.box(0, 0, 9, 9) for name in "abc"}
    with caplog.at_level(logging.INFO, "glacier_inversion"):
        paths = write_volumes(tmp_path, "m", {"ice": means}, {}, outlines, 32632)
    assert paths == [tmp_path / "volumes.csv", tmp_path / "volumes.gpkg"]
    table = paths[0].read_text().splitlines()[1:]
    assert table == [
        "ice,a,2,0.95,100,0.2,0.0282843,,,,",
        "ice,b,2,0.5,100,0.2,0.0282843,,,,",
        "ice,c,2,0,,,,,,,",
        "ice,total,4,0.725,100,0.4,0.0565685,,,,",
    ]
    own = [r for r in caplog.records if r.name.startswith("glacier_inversion")]
    assert [record.getMessage() for record in own] == [
        "m: ice: 0.4 km3 on 4 km2 of 2 features",
        "m: ice: the volume of what is not drawn is guessed, as thick as the rest on "
        "average, and of features with nothing drawn left out. So much is drawn of: "
        "b (50 %), c (0 %)",
    ]
    assert own[1].levelname == "WARNING"


def test_ice_that_a_total_counts_twice_is_told(tmp_path, caplog):
    "Of outlines that overlap and are drawn, by more than the slivers of borders."
    means = [thickness(name, 100) for name in "abc"] + [thickness("d", 0)]
    outlines = {
        "a": shapely.box(0, 0, 2000, 1000),
        "b": shapely.box(500, 0, 2500, 1000),
        "c": shapely.box(2499, 0, 4499, 1000),
        "d": shapely.box(0, 0, 2000, 1000),
    }
    write_volumes(tmp_path, "m", {"ice": means}, {}, outlines, 32632)
    told = [message for message in caplog.messages if "once for each" in message]
    assert told == [
        "m: ice: the total counts ice once for each outline, and some overlap: a and b "
        "by 1.5 km2, b and c by 0.001 km2. For the volume of all, draw but one of such "
        "outlines"
    ]
    caplog.clear()
    del outlines["a"]
    write_volumes(tmp_path, "m", {"ice": means[1:3]}, {}, outlines, 32632)
    assert "once for each" not in caplog.text


def test_features_that_touch_share_what_pixels_of_one_feature_share(tmp_path):
    "Their outlines tell, to a pixel: the total is less sure than of two far apart."
    calibration = SimpleNamespace(b=0.0, n_features=9, covariogram=COVARIOGRAM)
    means = []
    for number, name in enumerate("ab"):
        cells = ErrorCells(50.0, 1, 0, 400 * number, np.full((4, 5), 10.0))
        one = replace(thickness(name, 20, 20), variance=30.0, tau=10.0, sigma=10.0)
        means.append(replace(one, cells=cells))

    def uncertainty(gap):
        outlines = {"a": shapely.box(0, 0, 9, 9), "b": shapely.box(9 + gap, 0, 99, 9)}
        path, _ = write_volumes(
            tmp_path, "m", {"ice": means}, {"ice": calibration}, outlines, 32632
        )
        *_, total = csv.DictReader(path.read_text().splitlines())
        return float(total["uncertainty_km3"])

    area, above = 2.0, COVARIOGRAM.plateau - COVARIOGRAM.common
    apart = 2 * 30.0 + 2 * COVARIOGRAM.common * 10.0**2
    expected = area * math.sqrt(apart) / 1e3
    assert uncertainty(gap=60.0) == pytest.approx(expected, rel=1e-5)
    expected = area * math.sqrt(apart + 2 * above * 10.0**2) / 1e3
    assert uncertainty(gap=40.0) == pytest.approx(expected, rel=1e-5)
    assert uncertainty(gap=0.0) == pytest.approx(expected, rel=1e-5)


PUBLISHED_MEANS = [
    ([], "other is known at no drawn pixel: no volume to compare with"),
    ([80.0], "0.18 km3 where other has 0.16 km3"),
    (
        [80.0, 40.0],
        "0.32 km3 where other has 0.24 km3; slope on it over features 0.5",
    ),
]


@pytest.mark.parametrize(("published", "told"), PUBLISHED_MEANS)
def test_what_is_not_known_of_published_maps_is_not_told(
    tmp_path, caplog, published, told
):
    "No slope of a single feature, and no volume where the map has no pixel."
    nowhere = PublishedMean(math.nan, math.nan, 0)
    known = [PublishedMean(thick, 50 + thick / 2, 100) for thick in published]
    means = [
        replace(thickness(name, 100), published={"other": mean})
        for name, mean in zip("abc", [*known, nowhere], strict=False)
    ]
    outlines = {name: shapely.box(0, 0, 9, 9) for name in "abc"}
    with caplog.at_level(logging.INFO, "glacier_inversion"):
        write_volumes(tmp_path, "m", {"ice": means}, {}, outlines, 32632)
    assert f"m: ice: {told}" in caplog.messages
    assert not [line for line in caplog.messages if "nan" in line]


def test_where_nothing_at_all_is_drawn_there_is_no_total(tmp_path):
    means, outlines = [thickness("c", 0)], {"c": shapely.box(0, 0, 9, 9)}
    paths = write_volumes(tmp_path, "m", {"ice": means}, {}, outlines, 32632)
    assert paths[0].read_text().splitlines()[1:] == ["ice,c,2,0,,,,,,,"]
    assert len(geopandas.read_file(paths[1])) == 1


@pytest.fixture
def compared(drawn, tmp_path):
    """As drawn, with a dataset that has a published map of a part of the features."""
    run = copy_of(drawn[0], tmp_path)
    x, y = synthetic.LEFT, synthetic.TOP
    known = synthetic.sample(synthetic.thickness_m, x, y, 50.0, 65, 70)
    known[:, :29] = synthetic.NODATA  # all of 'west', a part of 'north-1'
    synthetic.write_raster(run.root / "data/other.tif", known, x, y, 50.0)
    other = {"name": "other", "resolution": 50.0, "file": "other.tif"}
    run.raw["dataset_description"]["rasters"].append(other)
    published = {"name": "published", "raster": "other"}
    run.raw["evaluation_description"] = {"baselines": {"thickness": [published]}}
    return run


def test_published_maps_are_compared_over_the_same_pixels(compared):
    "The volume of both where both are known, and the slope over features."
    run = compared
    run.write()
    assert run("build-dataset").exit_code == 0
    result = run("draw")
    assert result.exit_code == 0, result.output
    with (run.root / "drawings/small/volumes.csv").open(encoding="utf-8") as text:
        rows = {row["feature"]: row for row in csv.DictReader(text)}
    dataset = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    volumes, partly = [], 0
    for properties, _ in synthetic.FEATURES:
        feature = properties["id"]
        maps = run.root / "drawings/small" / feature
        mean, transform = read(maps / "thickness_mean.tif")
        grid = dataset.grid(feature, 50.0)
        tile = dataset.read_raster(feature, "other", *(slice(0, n) for n in grid.shape))
        row, col = np.nonzero(np.isfinite(mean))
        x, y = transform @ (col + 0.5, row + 0.5)
        theirs = read_at(tile, grid, x, y)
        both = np.isfinite(theirs)
        cells = [rows[feature][name] for name in PUBLISHED]
        if not both.any():
            assert cells == ["", ""]
            continue
        area = float(rows[feature]["area_km2"]) / 1e3
        area *= float(rows[feature]["drawn_share"]) * both.mean()  # of these pixels
        means = [theirs[both].mean(), mean[row, col][both].mean()]
        volumes.append(area * np.array(means))
        assert [*map(float, cells)] == pytest.approx(volumes[-1], rel=1e-4)
        assert rows[feature]["slope_on_other"] == ""
        partly += not both.all()
    assert 0 < len(volumes) < len(synthetic.FEATURES)
    assert partly
    total = rows["total"]
    theirs, ours = np.sum(volumes, axis=0)
    assert [float(total[name]) for name in PUBLISHED] == pytest.approx(
        [theirs, ours], rel=1e-4
    )
    slope = np.polyfit(*np.transpose(volumes), 1)[0]
    assert float(total["slope_on_other"]) == pytest.approx(slope, rel=1e-3)
    assert (
        f"thickness: {ours:.4g} km3 where other has {theirs:.4g} km3; slope on it over "
        f"features {slope:.3g}"
    ) in result.stderr
    table = geopandas.read_file(run.root / "drawings/small/volumes.gpkg")
    assert list(table.columns) == [*COLUMNS, *PUBLISHED, "geometry"]


def test_published_maps_in_other_units_are_left_out(compared):
    "With a warning: of kilometres the volume would be a thousandth of what it is."
    compared.raw["dataset_description"]["rasters"][-1]["unit"] = "km"
    compared.write()
    assert compared("build-dataset").exit_code == 0
    result = compared("draw")
    assert result.exit_code == 0, result.output
    assert (
        "WARNING: small: thickness: volumes are not compared with other, as it is in "
        "'km'. Must be in metres: convert it, or correct its \"unit\" in "
        "dataset_description.rasters"
    ) in result.stderr
    assert rows_of(compared)["total"]["volume_km3"] > 0  # and no more columns
