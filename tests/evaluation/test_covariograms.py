"""Covariograms: those of known fields are found again, and another program agrees."""

import tracemalloc
from dataclasses import astuple
from itertools import pairwise

import gstools
import numpy as np
import pytest
from scipy.optimize import lsq_linear

from glacier_inversion.evaluation.covariograms import (
    Errors,
    fit_covariogram,
    measure_covariogram,
)


def places(n, seed, extent=6000.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, extent, n), rng.uniform(0, extent / 3, n)


def errors(x, y, residual, members=None, tau=None):
    tau = np.ones(len(x)) if tau is None else tau
    members = np.zeros((2, len(x))) if members is None else members
    return Errors(x, y, residual, members, tau)


def fields(n_features, length, sill, nugget=0.0, bias=0.0, n=300, seed=0):
    """Errors of features: an exponential field each, a noise and a bias."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n_features):
        x, y = places(n, seed + number)
        apart = np.hypot(x[:, None] - x, y[:, None] - y)
        covariance = sill * np.exp(-apart / length) + nugget * np.eye(n)
        field = np.linalg.cholesky(covariance + 1e-9 * np.eye(n)) @ rng.normal(size=n)
        found.append(errors(x, y, field + np.sqrt(bias) * rng.normal()))
    return found


def test_the_empirical_one_is_the_mean_over_pairs():
    "In a plain loop, every feature weighing the same, pairs by tau times tau."
    rng = np.random.default_rng(1)
    features = []
    for number, n in enumerate((40, 25)):
        x, y = places(n, number)
        members = rng.normal(0, 3, (4, n))
        members -= members.mean(axis=0)
        tau = rng.uniform(5, 20, n)
        features.append(errors(x, y, rng.normal(0, 10, n), members, tau))
    found = measure_covariogram(features)
    pairs = []
    for own in features:
        for i in range(len(own.x)):
            for j in range(i):
                shown = np.cov(own.members[:, i], own.members[:, j])[0, 1]
                size = own.tau[i] * own.tau[j]
                product = (own.residual[i] * own.residual[j] - shown) * size
                apart = np.hypot(own.x[i] - own.x[j], own.y[i] - own.y[j])
                pairs.append((id(own), apart, product, size**2))
    apart = np.array([pair[1] for pair in pairs])
    edges = np.geomspace(apart.min(), apart.max() / 2, 16)
    edges[-1] *= 1.000001
    whole = {
        key: sum(p[3] for p in pairs if p[0] == key and p[1] <= edges[-1])
        for key in {p[0] for p in pairs}
    }
    covariance, weight = [], []
    for low, high in pairwise(edges):
        of_bin = [p for p in pairs if low <= p[1] < high]
        if of_bin:
            weight.append(sum(p[3] / whole[p[0]] for p in of_bin))
            products = sum(p[2] / whole[p[0]] for p in of_bin)
            covariance.append(products / weight[-1])
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)
    np.testing.assert_allclose(found.weight, np.array(weight) / 2, rtol=1e-9)
    sills = [
        np.sum((own.residual**2 - own.members.var(axis=0, ddof=1)) * own.tau**2)
        / np.sum(own.tau**4)
        for own in features
    ]
    assert found.sill == pytest.approx(np.mean(sills))


def test_another_program_has_the_same_variogram():
    "GSTools: gamma is the mean square of both less the covariance, bin by bin."
    model = gstools.Exponential(dim=2, var=0.8, len_scale=500)
    x, y = places(700, 5)
    field = gstools.SRF(model, seed=3)((x, y))
    found = measure_covariogram([errors(x, y, field)])
    i, j = np.triu_indices(len(x), 1)
    apart = np.hypot(x[i] - x[j], y[i] - y[j])
    edges = np.geomspace(apart.min(), apart.max() / 2, 16)
    _, gamma, n_pairs = gstools.vario_estimate(
        (x, y), field, bin_edges=edges, return_counts=True
    )
    squares = [
        np.mean((field[i[there]] ** 2 + field[j[there]] ** 2) / 2)
        for low, high in pairwise(edges)
        if (there := (apart >= low) & (apart < high)).any()
    ]
    known = n_pairs > 0
    np.testing.assert_allclose(
        (np.array(squares) - found.covariance)[:-1], gamma[known][:-1], rtol=1e-9
    )


def test_another_program_fits_the_same_covariogram():
    "GSTools, to the variogram of a large field."
    model = gstools.Exponential(dim=2, var=0.8, len_scale=400)
    x, y = places(1000, 5, extent=9000.0)
    field = gstools.SRF(model, seed=11)((x, y))
    noise = np.random.default_rng(0).normal(0, np.sqrt(0.2), len(x))
    edges = np.linspace(0, 4500, 31)
    centres, gamma = gstools.vario_estimate((x, y), field + noise, bin_edges=edges)
    other = gstools.Exponential(dim=2)
    other.fit_variogram(centres, gamma)
    fitted = fit_covariogram([errors(x, y, field + noise)])
    assert fitted.length == pytest.approx(other.len_scale, rel=0.25)
    assert fitted.partial_sill == pytest.approx(other.var, rel=0.2)
    assert fitted.nugget == pytest.approx(other.nugget, abs=0.1)


def test_a_known_covariogram_is_found_again():
    "With its noise, and a bias of each feature."
    found = fit_covariogram(fields(60, 400.0, 0.6, nugget=0.2, bias=0.2, n=150))
    assert found.length == pytest.approx(400, rel=0.15)
    assert found.partial_sill == pytest.approx(0.6, rel=0.1)
    assert found.plateau == pytest.approx(0.2, rel=0.3)
    assert found.nugget == pytest.approx(0.2, abs=0.05)


def test_what_the_members_show_is_not_counted_twice():
    "Errors that are a member's deviation leave nothing to be explained."
    rng = np.random.default_rng(2)
    features = []
    for number in range(40):
        x, y = places(30, number)
        members = rng.normal(size=(200, 1)) + rng.normal(size=(200, 30))
        members -= members.mean(axis=0)
        features.append(errors(x, y, rng.normal() + rng.normal(size=30), members))
    found = measure_covariogram(features)
    assert found.sill == pytest.approx(0, abs=0.4)
    assert found.weight @ found.covariance == pytest.approx(0, abs=0.4)
    without = [errors(one.x, one.y, one.residual) for one in features]
    assert measure_covariogram(without).sill > 1.5


def test_a_bias_that_all_features_share_is_common():
    "Its square, and what so few features leave open."
    rng = np.random.default_rng(4)
    means = rng.normal(0.5, 0.3, 9)
    features = [errors(*places(20, i), np.full(20, m)) for i, m in enumerate(means)]
    found = fit_covariogram(features)
    expected = means.mean() ** 2 + means.var(ddof=1) / 9
    assert found.common == pytest.approx(expected)
    assert found.plateau == pytest.approx((means**2).mean(), rel=0.01)
    # too few to say that there is none, whatever the covariances at a distance are
    alone = fit_covariogram([errors(*places(50, 0), np.linspace(-1, 1.2, 50))])
    assert alone.plateau >= alone.common > 0


def test_the_fit_is_the_best_whose_plateau_holds_what_is_common():
    "Against bounded least squares of scipy; a plateau raised afterwards is no fit."
    own = [
        errors(one.x, one.y, one.residual + 0.5 + (one.x - one.x.mean()) / 2000)
        for one in fields(5, 400.0, 0.6, nugget=0.1, n=120, seed=2)
    ]  # too high on one side, so that far covariances are low
    fitted, found = fit_covariogram(own), measure_covariogram(own)
    root = np.sqrt(found.weight)
    best = None
    for length in np.geomspace(found.distance[0] / 2, found.distance[-1] * 2, 100):
        terms = np.column_stack([np.exp(-found.distance / length), np.ones_like(root)])
        bounds = [0, fitted.common], [np.inf, np.inf]
        one = lsq_linear(terms * root[:, None], found.covariance * root, bounds)
        if best is None or one.cost < best[0]:
            best = one.cost, one.x[0], length, one.x[1]
    assert best[3] == pytest.approx(fitted.common, rel=1e-3)  # the bound counts
    got = fitted.partial_sill, fitted.length, fitted.plateau
    np.testing.assert_allclose(got, best[1:], rtol=1e-3)


def test_the_order_of_pixels_changes_nothing():
    "Nor of more than are looked at."
    one = fields(1, 400.0, 0.6, n=1200)[0]
    mixed = one.at(np.random.default_rng(9).permutation(1200))
    found = [astuple(fit_covariogram([errors])) for errors in (one, mixed)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_the_memory_does_not_grow_with_the_number_of_features():
    "Sums are kept, not pairs."

    def peak(n_features):
        features = [errors(*places(300, i), np.ones(300)) for i in range(n_features)]
        tracemalloc.start()
        measure_covariogram(features)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(30) < 1.3 * peak(3)


def test_two_pixels_may_be_at_one_place():
    "As far apart as the nearest others; where all are, there is no distance to fit to."
    rng = np.random.default_rng(6)
    x, y = places(60, 0)
    x[1], y[1] = x[0], y[0]
    one = errors(x, y, rng.normal(size=60))
    found = measure_covariogram([one])
    i, j = np.triu_indices(60, 1)
    apart = np.hypot(x[i] - x[j], y[i] - y[j])
    apart[apart == 0] = np.inf
    assert np.isinf(apart).sum() == 1
    apart[np.isinf(apart)] = apart.min()
    near = apart < np.geomspace(apart.min(), apart.max() / 2, 16)[1]
    assert found.distance[0] == pytest.approx(apart[near].mean())
    product = (one.residual[i] * one.residual[j])[near].mean()
    assert found.covariance[0] == pytest.approx(product)
    assert np.isfinite(astuple(fit_covariogram([one]))).all()
    assert found.distance[0] >= apart.min()
    same = errors(np.ones(5), np.ones(5), rng.normal(size=5))
    assert fit_covariogram([same]) is None


def test_pixels_without_a_neighbour_tell_nothing():
    "One in each feature: no pair, no covariogram."
    nothing = [errors(*places(1, i), np.ones(1)) for i in range(5)]
    assert fit_covariogram(nothing) is None


def test_no_error_at_all_is_no_correlation():
    "As where predictions are the truth, and tau is 0."
    exact = [errors(*places(9, 0), np.zeros(9), tau=np.zeros(9))]
    assert fit_covariogram(exact) is None
