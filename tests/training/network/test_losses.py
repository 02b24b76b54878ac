"""Losses and metrics: sums over counts, unknown targets left out."""

import math

import numpy as np
import pytest
import torch

from glacier_inversion.choices import Loss, Metric
from glacier_inversion.training.network.losses import (
    ERRORS,
    mean_of_sum,
    plain,
    predicts_logit,
    predicts_variance,
    sum_errors,
    sum_losses,
)

PLAIN = {
    "mae": lambda p, t: abs(p - t),
    "mse": lambda p, t: (p - t) ** 2,
    "rmse": lambda p, t: (p - t) ** 2,
    "bias": lambda p, t: p - t,
    "huber": lambda p, t: (p - t) ** 2 / 2 if abs(p - t) < 1 else abs(p - t) - 0.5,
    "binary_crossentropy": lambda p, t: -math.log(p if t == 1 else 1 - p),
    "binary_accuracy": lambda p, t: float((p > 0.5) == (t == 1)),
}


@pytest.mark.parametrize("name", sorted({*Loss.__args__, *Metric.__args__}))
def test_errors_equal_the_plain_loop_over_known_targets(name):
    "Of no unknown target does the sum, the count or the gradient know."
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 50).astype(float)
    if "binary" not in name:
        target += rng.normal(size=50)
    target[rng.random(50) < 0.3] = np.nan
    columns = 2 if predicts_variance(name) else 1
    prediction = torch.tensor(
        rng.uniform(0.05, 0.95, (50, columns)), requires_grad=True
    )
    of = sum_losses if predicts_variance(name) else sum_errors
    total, count = of(name, prediction, torch.tensor(target))

    known = np.isfinite(target)
    p = prediction.detach().numpy()
    if predicts_variance(name):
        sigma2 = np.exp(p[:, 1])
        each = (np.log(sigma2) + (target - p[:, 0]) ** 2 / sigma2) / 2
        expected = each[known].sum()
    else:
        plain_error = PLAIN[plain(name)]
        expected = sum(plain_error(p[i, 0], target[i]) for i in np.flatnonzero(known))
    assert int(count) == known.sum()
    np.testing.assert_allclose(float(total.detach()), expected, rtol=1e-6)
    if total.requires_grad:
        total.backward()
        gradient = prediction.grad.numpy()
        assert np.isfinite(gradient).all()
        assert (gradient[~known] == 0).all()


@pytest.mark.parametrize("name", sorted(Loss.__args__))
def test_losses_are_the_errors_of_what_the_network_gives(name):
    "Of a logit, those of its sigmoid; of a variance, the likelihood is one."
    rng = np.random.default_rng(1)
    prediction = torch.tensor(rng.normal(size=(20, 2)))
    target = torch.tensor(np.where(rng.random(20) < 0.3, np.nan, rng.random(20)))
    total, count = sum_losses(name, prediction, target)
    if predicts_variance(name):
        mean, log_variance = prediction[:, 0], prediction[:, 1]
        each = (log_variance + (target - mean) ** 2 / log_variance.exp()) / 2
        expected = each.nansum()
    else:
        given = prediction.sigmoid() if predicts_logit(name) else prediction
        expected, _ = sum_errors(name, given, target)
    assert int(count) == int(target.isfinite().sum())
    assert float(total) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("name", ["binary_accuracy", "nan_binary_accuracy"])
def test_one_half_is_taken_for_0(name):
    "Of a probability, and of a target that is a share of ice."
    prediction = torch.tensor([[0.5], [0.5], [0.5], [0.4], [0.6], [0.4]])
    target = torch.tensor([0.0, 0.0, 1.0, 0.5, 0.5, 0.5])
    total, count = sum_errors(name, prediction, target)
    assert (float(total), int(count)) == (4.0, 6)


def test_a_batch_without_targets_counts_as_nothing():
    "Not as zero error: two batches of 1 and 3 known targets have 4 errors."
    batches = [([1.0, 2.0], [np.nan, np.nan]), ([3.0, 9.0], [1.0, np.nan])]
    batches.append(([5.0, 5.0, 5.0], [4.0, 4.0, 4.0]))
    totals = [
        sum_errors("nan_mae", torch.tensor(p)[:, None], torch.tensor(t))
        for p, t in batches
    ]
    total = sum(float(t) for t, _ in totals)
    count = sum(int(c) for _, c in totals)
    assert mean_of_sum("nan_mae", total, count) == (2 + 1 + 1 + 1) / 4
    assert math.isnan(mean_of_sum("nan_mae", 0.0, 0))


def test_certain_and_wrong_is_finite():
    "A sigmoid that rounds to 0 or 1 has a large error, not an infinite one."
    prediction = torch.tensor([[0.0], [1.0]], requires_grad=True)
    total, _ = sum_errors("binary_crossentropy", prediction, torch.tensor([1.0, 0.0]))
    assert torch.isfinite(total)
    assert total > 10


def test_every_name_of_the_experiment_file_exists():
    "The file's names and the functions behind them are the same."
    names = {plain(name) for name in (*Loss.__args__, *Metric.__args__)}
    assert names == {*ERRORS, "gaussian_nll"}


@pytest.mark.parametrize("logit", [-40.0, -20.0, -1.0, 0.0, 20.0, 40.0])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.25])
def test_a_crossentropy_knows_its_gradient_however_sure_the_network_is(logit, target):
    "sigmoid(logit) - target; a probability of 1 - 2e-9 is 1 in float32."
    prediction = torch.tensor([[logit]], requires_grad=True)
    total, count = sum_losses(
        "nan_binary_crossentropy", prediction, torch.tensor([target])
    )
    total.backward()
    sigmoid = 1 / (1 + math.exp(-logit))
    assert float(prediction.grad) == pytest.approx(sigmoid - target, abs=1e-7)
    expected = math.log1p(math.exp(-abs(logit))) + max(logit, 0) - target * logit
    assert float(total.detach()) == pytest.approx(expected, abs=1e-5)
    assert int(count) == 1
