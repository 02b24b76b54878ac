"""Simple methods: what is fitted is what the truth was made with."""

import numpy as np
import pytest

from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.baselines import (
    fit_baselines,
    fit_scale,
    is_published,
)
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.experiment.evaluation import (
    PlasticityBaseline,
    PublishedBaseline,
    VelocitySlopeBaseline,
)

PLASTICITY = PlasticityBaseline(name="plasticity", slope="slope")
VELOCITY_SLOPE = VelocitySlopeBaseline(
    name="velocity_slope", speed="speed", slope="slope"
)


def known(observed, **rasters):
    """Return pixels of one feature."""
    observed = np.asarray(observed, dtype=np.float64)
    n = len(observed)
    place = np.arange(n, dtype=np.float64)
    feature = np.zeros(n, dtype=np.intp)
    return KnownPixels(
        ["a"],
        feature,
        place,
        place,
        observed,
        rasters,
        np.empty((0, n)),
        np.full(n, np.nan),
    )


@pytest.fixture
def rasters():
    """A slope, not known everywhere, and a speed."""
    rng = np.random.default_rng(4)
    slope = rng.uniform(3, 30, 60)
    slope[[5, 17]] = np.nan
    return {"slope": slope, "speed": rng.uniform(5, 100, 60)}


def test_plasticity_finds_the_yield_stress(rasters):
    "tau / (0.8 rho g sin(slope)); NaN where the slope is unknown."
    sine = np.sin(np.radians(rasters["slope"]))
    truth = 1.37e5 / (0.8 * 900 * 9.81 * sine)
    observed = np.where(np.isfinite(truth), truth, 120.0)
    pixels = known(observed, **rasters)
    mean, plasticity = fit_baselines("h", [PLASTICITY], pixels, pixels, "m")
    assert plasticity.fitted == pytest.approx({"tau": 1.37e5})
    assert plasticity.description == "plasticity, 137 kPa"
    np.testing.assert_allclose(plasticity.predicted, truth)
    assert mean.fitted == pytest.approx({"mean": observed.mean()})
    assert mean.description == f"mean of training, {observed.mean():.4g} m"
    assert (mean.predicted == observed.mean()).all()


def test_velocity_slope_finds_the_rate_factor(rasters):
    "(2 u / (A (f rho g sin)^3))^(1/4), with a quarter of the speed sliding."
    weight = 0.8 * 900 * 9.81 * np.sin(np.radians(rasters["slope"]))
    speed = 0.75 * rasters["speed"] / (365.25 * 24 * 3600)
    truth = (2 * speed / (1.1e-24 * weight**3)) ** 0.25
    pixels = known(np.where(np.isfinite(truth), truth, 120.0), **rasters)
    _, method = fit_baselines("h", [VELOCITY_SLOPE], pixels, pixels, "m")
    assert method.fitted == pytest.approx({"rate_factor": 1.1e-24})
    np.testing.assert_allclose(method.predicted, truth)


def test_only_training_is_fitted_to(rasters):
    "Other pixels are predicted with what it gave; a published map is as it is."
    training = known([100.0, 300.0], published=np.array([0.0, 0.0]))
    pixels = known([7.0, 8.0, 9.0], published=np.array([1.0, np.nan, 3.0]))
    published = PublishedBaseline(name="published", raster="published")
    mean, other = fit_baselines("h", [published], training, pixels, None)
    assert mean.predicted.tolist() == [200.0] * 3
    assert mean.description == "mean of training, 200"
    np.testing.assert_array_equal(other.predicted, [1.0, np.nan, 3.0])
    assert other.name == "published published"
    assert is_published(other.name)
    assert not is_published(mean.name)


def test_the_least_squares_are_those_of_numpy():
    "Of a line through the origin."
    rng = np.random.default_rng(2)
    computed, observed = rng.uniform(1, 9, 30), rng.uniform(1, 9, 30)
    (expected,), *_ = np.linalg.lstsq(computed[:, None], observed, rcond=None)
    assert fit_scale(observed, computed) == pytest.approx(expected)
    assert np.isnan(fit_scale(observed, np.full(30, np.nan)))


@pytest.mark.parametrize(
    ("observed", "slope", "message"),
    [
        ([], [], "h: is known nowhere on the training features. Must be"),
        (
            [50.0],
            [np.nan],
            r"baselines\.h: plasticity of slope cannot be fitted: .*nan",
        ),
        ([-50.0], [10.0], "its factor comes out as -"),
    ],
)
def test_what_cannot_be_fitted_is_said(observed, slope, message):
    "With what must be there."
    pixels = known(observed, slope=np.array(slope))
    with pytest.raises(DatasetError, match=message):
        fit_baselines("h", [PLASTICITY], pixels, pixels, "m")
