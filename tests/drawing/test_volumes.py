"""Volumes: sums over pixels by hand, and intervals that hold what they are called."""

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from scipy.stats import t
from shapely.affinity import translate

from glacier_inversion.drawing.error_cells import find_touching
from glacier_inversion.drawing.holes import Holes
from glacier_inversion.drawing.maps import MapExtent, PredictedBlock
from glacier_inversion.drawing.volumes import ThicknessCounter, add_volumes
from glacier_inversion.geodata.areas import ellipsoidal_area
from glacier_inversion.grid import Grid
from glacier_inversion.training.model.calibration import Level, OutputCalibration
from glacier_inversion.training.model.covariogram import Covariogram

EPSG = 32632
GRID = Grid(420_000.0, 5_150_000.0, 50.0, 30, 22)
OUTLINE = shapely.Polygon(
    [(50, 50), (1000, 20), (1090, 700), (700, 1480), (300, 1300), (20, 600)],
    [[(400, 500), (400, 800), (600, 900), (600, 500)]],
)
OUTLINE = translate(OUTLINE, 420_000, 5_148_500)
COVARIOGRAM = Covariogram(0.1, 0.8, 300.0, 0.1, 0.05)
FACTORS = {50: 0.7, 68: 1.0, 80: 1.3, 95: 2.0}
CALIBRATION = OutputCalibration(
    a=10.0,
    b=1.5,
    c=0.15,
    levels={n: Level(factor, None, n / 100, {}) for n, factor in FACTORS.items()},
    n_errors={f"g{number}": 50 for number in range(200)},
    is_nonnegative=True,
    covariogram=COVARIOGRAM,
)


def predicted(n_members=5, seed=0):
    """What members predict at all pixels but for a strip: smooth, and unlike."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices(GRID.shape)
    mean = 100 + 60 * np.sin(rows / 7) * np.cos(cols / 6)
    slopes = rng.normal(0, 0.6, (2, n_members, 1, 1))
    members = mean + 8 + slopes[0] * (rows - 15) + slopes[1] * (cols - 11)
    is_predicted = np.ones(GRID.shape, dtype=bool)
    is_predicted[8:11] = False
    return members.astype(np.float32), is_predicted


def centres_inside():
    rows, cols = np.indices(GRID.shape)
    x, y = GRID.left + (cols + 0.5) * 50, GRID.top - (rows + 0.5) * 50
    return shapely.contains_xy(OUTLINE, x, y)


def counted(members, is_predicted, calibration=CALIBRATION, side=12, feature="g"):
    """Count block by block, as draw does."""
    extent = MapExtent(feature, GRID, 0, 0, 1)
    n_members = len(members)
    counter = ThicknessCounter(extent, OUTLINE, "ice", n_members, calibration, 50.0)
    for block in extent.blocks(side):
        there = is_predicted[block]
        values = {"ice": members[(slice(None), *block)][:, there]}
        wanted = np.ones(there.shape, dtype=bool)
        counter.add(PredictedBlock(block, wanted, there, values, {}, {}))
    inside = centres_inside()
    n_drawn = int((inside & is_predicted).sum())
    return counter.finish(Holes(feature, int(inside.sum()), n_drawn, 0, {}), EPSG)


def covariance_of_errors(members, kept, calibration=CALIBRATION):
    """Return the covariance of the errors of pixels: of what members do not show."""
    mean = members[:, kept].astype(float).mean(axis=0)
    tau = np.hypot(calibration.a, calibration.c * mean)
    rows, cols = np.nonzero(kept)
    apart = 50 * np.hypot(rows[:, None] - rows, cols[:, None] - cols)
    own = calibration.covariogram
    shared = own.partial_sill * np.exp(-apart / own.length) + own.plateau
    return tau, np.outer(tau, tau) * (shared + own.nugget * np.eye(len(rows)))


def test_a_volume_is_the_mean_thickness_times_the_area():
    "Pixels inside alone, in whatever blocks; what is not drawn is as thick as the rest."
    members, is_predicted = predicted()
    kept = centres_inside() & is_predicted
    means = members[:, kept].astype(float).mean(axis=1)
    area = ellipsoidal_area(OUTLINE, EPSG)
    for side in (5, 12, 40):
        one = counted(members, is_predicted, side=side)
        np.testing.assert_allclose(one.members, means, rtol=1e-12)
        volume = add_volumes([one], CALIBRATION)
        assert volume.volume == pytest.approx(area * means.mean())
        assert volume.mean == pytest.approx(means.mean())
        assert volume.spread == pytest.approx(area * means.std(ddof=1))
        assert volume.area == area
        assert volume.drawn_share == kept.sum() / centres_inside().sum() < 1


def test_a_thickness_below_0_is_none():
    "As in the bed: it takes nothing from the rest."
    members, is_predicted = predicted()
    members = members - np.float32(100)
    kept = centres_inside() & is_predicted
    means = np.maximum(members[:, kept].astype(float), 0).mean(axis=1)
    np.testing.assert_allclose(counted(members, is_predicted).members, means)


def test_the_uncertainty_is_the_sum_over_all_pairs():
    "Of what members show and of what they do not; Student's t makes it an interval."
    members, is_predicted = predicted()
    kept = centres_inside() & is_predicted
    one = counted(members, is_predicted)
    tau, covariance = covariance_of_errors(members, kept)
    shown = np.cov(members[:, kept].astype(float), rowvar=False) * CALIBRATION.b**2
    whole = covariance + shown
    variance = whole.mean() * one.area**2
    volume = add_volumes([one], CALIBRATION)
    assert one.tau == pytest.approx(tau.mean())
    assert volume.uncertainty == pytest.approx(math.sqrt(variance))
    half = t.ppf(0.975, 199) * volume.uncertainty
    assert volume.upper95 - volume.volume == pytest.approx(half)
    assert volume.volume - volume.lower95 == pytest.approx(half)
    n = np.sqrt(whole.diagonal()).sum() ** 2 / whole.sum()
    assert volume.effective_pixels == pytest.approx(n)
    assert 1 < n < kept.sum() / 10


def test_few_features_make_it_wider():
    "Four say less of the size of errors than two hundred."
    members, is_predicted = predicted()
    few = replace(CALIBRATION, n_errors=dict.fromkeys("abcd", 9))
    one = counted(members, is_predicted)
    wide, narrow = add_volumes([one], few), add_volumes([one], CALIBRATION)
    ratio = (wide.upper95 - wide.volume) / (narrow.upper95 - narrow.volume)
    assert ratio == pytest.approx(t.ppf(0.975, 3) / t.ppf(0.975, 199))
    assert wide.lower95 >= 0


def draws_of_errors(members, kept, n_draws=1000, seed=1):
    """Draw errors as the calibration has them: shape (n_draws, n_pixels)."""
    rng = np.random.default_rng(seed)
    _, covariance = covariance_of_errors(members, kept)
    root = np.linalg.cholesky(covariance)
    deviations = members[:, kept].astype(float)
    deviations = CALIBRATION.b * (deviations - deviations.mean(axis=0))
    shown = rng.normal(size=(n_draws, len(deviations))) / math.sqrt(len(deviations) - 1)
    return rng.normal(size=(n_draws, len(root))) @ root.T + shown @ deviations


def test_intervals_hold_what_they_are_called():
    "Of 1,000 draws of correlated errors; as if pixels were independent, few."
    members, is_predicted = predicted()
    is_predicted[:] = True
    kept = centres_inside()
    one = counted(members, is_predicted)
    volume = add_volumes([one], CALIBRATION)
    mean = members[:, kept].astype(float).mean(axis=0)
    errors = draws_of_errors(members, kept)
    truth = one.area * (mean + errors).mean(axis=1)
    covered = (volume.lower95 <= truth) & (truth <= volume.upper95)
    assert covered.mean() == pytest.approx(0.95, abs=0.03)
    independent = one.area * np.sqrt(errors.var(axis=0).sum()) / kept.sum()
    naive = np.abs(truth - volume.volume) <= 1.96 * independent
    assert naive.mean() < 0.5
    # nor do the members alone
    alone = np.abs(truth - volume.volume) <= 1.96 * volume.spread
    assert alone.mean() < 0.9


def test_intervals_of_totals_hold_what_they_are_called():
    "Of three features far apart that share a part of their errors, and their members."
    ensembles = [predicted(seed=0)[0] + np.float32(10 * i) for i in range(3)]
    everywhere = np.ones(GRID.shape, dtype=bool)
    kept = centres_inside()
    means = [counted(members, everywhere) for members in ensembles]
    means = [
        replace(one, cells=replace(one.cells, col=1000 * number))
        for number, one in enumerate(means)
    ]
    total = add_volumes(means, CALIBRATION)
    one_by_one = [add_volumes([one], CALIBRATION) for one in means]
    assert total.volume == pytest.approx(sum(one.volume for one in one_by_one))
    assert total.spread == pytest.approx(sum(one.spread for one in one_by_one))
    rng = np.random.default_rng(5)
    own = CALIBRATION.covariogram
    apart = replace(own, plateau=own.plateau - own.common)
    bias = np.sqrt(own.common) * rng.normal(size=1000)
    weights = rng.normal(size=(1000, 5)) / 2
    error = np.zeros(1000)
    for members, one in zip(ensembles, means, strict=True):
        tau, covariance = covariance_of_errors(
            members, kept, replace(CALIBRATION, covariogram=apart)
        )
        std = np.sqrt(covariance.mean())
        shown = CALIBRATION.b * (one.members - one.members.mean())
        own_part = rng.normal(size=1000) * std + bias * tau.mean()
        error += one.area * (own_part + weights @ shown)
    covered = np.abs(error) <= total.upper95 - total.volume
    assert covered.mean() == pytest.approx(0.95, abs=0.03)


def evenly(outline, resolution, calibration):
    """Draw 100 m of ice inside an outline, at some resolution."""
    left, bottom, right, top = (round(edge / 600) * 600 for edge in outline.bounds)
    shape = ((top - bottom) / resolution, (right - left) / resolution)
    grid = Grid(left, top, resolution, *map(int, shape))
    extent = MapExtent("g", grid, 0, 0, 1)
    counter = ThicknessCounter(extent, outline, "ice", 2, calibration, 50.0)
    everywhere = np.ones(grid.shape, dtype=bool)
    values = {"ice": np.full((2, everywhere.size), 100, dtype=np.float32)}
    block = slice(0, grid.n_rows), slice(0, grid.n_cols)
    counter.add(PredictedBlock(block, everywhere, everywhere, values, {}, {}))
    n_px = grid.n_rows * grid.n_cols
    return counter.finish(Holes("g", n_px, n_px, 0, {}), EPSG)


@pytest.mark.parametrize("resolution", [25.0, 50.0, 100.0, 150.0])
@pytest.mark.parametrize(
    "covariogram",
    [
        Covariogram(0.9, 0.1, 60.0, 0.0, 0.0),
        Covariogram(0.4, 0.6, 120.0, 0.0, 0.0),
        Covariogram(0.1, 0.6, 300.0, 0.3, 0.1),
    ],
    ids=["nugget", "short", "long"],
)
def test_intervals_hold_at_every_resolution(resolution, covariogram):
    "Of 1,000 draws of errors of pixels of 50 m: the ice is the same, drawn or not."
    calibration = replace(CALIBRATION, b=0.0, c=0.0, covariogram=covariogram)
    outline = shapely.box(420_000, 5_149_200, 421_200, 5_150_400)
    one = evenly(outline, resolution, calibration)
    volume = add_volumes([one], calibration)
    rows, cols = np.indices((24, 24)).reshape(2, -1)
    apart = 50 * np.hypot(rows[:, None] - rows, cols[:, None] - cols)
    shared = covariogram.near(apart) + covariogram.plateau
    root = np.linalg.cholesky(shared + covariogram.nugget * np.eye(576))
    draws = np.random.default_rng(1).normal(size=(1000, 576)) @ root.T
    truth = one.area * (100 + 10 * draws.mean(axis=1))
    covered = (volume.lower95 <= truth) & (truth <= volume.upper95)
    assert covered.mean() == pytest.approx(0.95, abs=0.03)
    std = one.area * 10 * math.sqrt((root @ root.T).mean())
    assert volume.uncertainty == pytest.approx(std, rel=0.01)


def test_the_interval_of_halves_that_touch_is_that_of_the_undivided_ice():
    "Whatever part of the errors: as if pixels of two features erred apart, too narrow."
    whole = shapely.box(420_000, 5_149_200, 421_200, 5_150_400)
    halves = [
        shapely.box(420_000, 5_149_200, 420_600, 5_150_400),
        shapely.box(420_600, 5_149_200, 421_200, 5_150_400),
    ]
    own = replace(CALIBRATION, covariogram=Covariogram(0.1, 0.6, 300.0, 0.3, 0.1))
    undivided = add_volumes([evenly(whole, 50.0, own)], own)
    parts = [evenly(half, 50.0, own) for half in halves]
    touching = find_touching(halves, 50.0)
    total = add_volumes(parts, own, touching)
    assert total.volume == pytest.approx(undivided.volume, rel=1e-6)
    assert total.uncertainty == pytest.approx(undivided.uncertainty, rel=1e-3)
    assert total.upper95 == pytest.approx(undivided.upper95, rel=1e-3)
    assert total.effective_pixels == pytest.approx(undivided.effective_pixels, rel=2e-3)
    # half as far apart as the errors reach, they share less, and not nothing
    apart = [parts[0], evenly(translate(halves[1], 600), 50.0, own)]
    alone = [replace(one, cells=None) for one in parts]
    near, nothing = add_volumes(apart, own), add_volumes(alone, own)
    assert nothing.uncertainty < near.uncertainty < 0.95 * total.uncertainty


def test_without_a_calibration_there_is_the_spread_alone():
    "Nor of an earlier one without covariogram, nor of one member whose spread counts."
    members, is_predicted = predicted()
    earlier = replace(CALIBRATION, covariogram=None)
    for calibration in (None, earlier):
        one = counted(members, is_predicted, calibration)
        volume = add_volumes([one], calibration)
        assert volume.volume > volume.spread > 0
        unknown = [volume.uncertainty, volume.lower95, volume.upper95]
        assert np.isnan([*unknown, volume.effective_pixels]).all()
    single = counted(members[:1], is_predicted)
    assert math.isnan(add_volumes([single], CALIBRATION).uncertainty)
    without_spread = replace(CALIBRATION, b=0.0)
    single = counted(members[:1], is_predicted, without_spread)
    assert add_volumes([single], without_spread).uncertainty > 0


def test_noise_that_the_calibration_counts_is_a_part_of_tau():
    "And makes the volume of one member less sure, as if it had no spread."
    members, is_predicted = predicted(n_members=1)
    counting = replace(CALIBRATION, counts_noise=True)
    noise = np.linspace(0, 900, is_predicted.sum()).astype(np.float32)
    extent = MapExtent("g", GRID, 0, 0, 1)
    counter = ThicknessCounter(extent, OUTLINE, "ice", 1, counting, 50.0)
    block = slice(0, GRID.n_rows), slice(0, GRID.n_cols)
    wanted, values = np.ones(GRID.shape, dtype=bool), {"ice": members[:, is_predicted]}
    counter.add(
        PredictedBlock(
            block, wanted, is_predicted, values, {}, {}, noise={"ice": noise}
        )
    )
    one = counter.finish(Holes("g", 9, 9, 0, {}), EPSG)
    kept = centres_inside() & is_predicted
    mean = members[0, kept].astype(float)
    squares = 10.0**2 + 1.5**2 * noise[kept[is_predicted]] + (0.15 * mean) ** 2
    assert one.tau == pytest.approx(np.sqrt(squares).mean(), rel=1e-6)
    assert add_volumes([one], counting).uncertainty > 0


def test_where_nothing_is_drawn_nothing_is_known():
    members, is_predicted = predicted()
    one = counted(members, np.zeros_like(is_predicted))
    assert one.drawn_share == 0
    assert np.isnan(one.members).all()
