"""The learning rate: lowered where nothing improves; training that ends early."""

import pytest

from glacier_inversion.training.plateau import Plateau
from tests.training.helpers import experiment, run_member


@pytest.mark.parametrize(
    ("values", "rates"),
    [
        ([5, 4, 3, 2, 1], [1.0] * 5),
        ([5, 6, 6, 6, 6, 6], [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]),
        ([5, 6, 4, 6, 6], [1.0, 1.0, 1.0, 1.0, 0.5]),
        ([5] + [6] * 20, None),
    ],
)
def test_patience_factor_and_minimum_of_the_learning_rate(values, rates):
    "Documented settings that had no effect in the original."
    plateau = Plateau(1.0, 0.5, 0.2, 2, None)
    found = []
    for value in values:
        plateau.improves(value)
        found.append(plateau.rate)
    if rates is not None:
        assert found == rates
    else:
        assert found[-1] == 0.2


def test_learning_rate_settings_act_on_a_real_run(tmp_path):
    "The logged rate falls by the factor, to the minimum."
    checked = experiment(
        epochs=8, patience=1, learning_rate=0.3, learning_rate_factor=0.1, min_learning_rate=0.004,
        optimizer_name="sgd", criterion="loss",
    )  # fmt: skip
    rates = {row["learning_rate"] for row in run_member(checked, tmp_path)}
    assert rates <= {0.3, 0.03, 0.004} or rates <= {0.3, 0.03, 0.003, 0.004}
    assert min(rates) == pytest.approx(0.004)


def test_early_stopping_ends_training(tmp_path):
    "After that many epochs without improvement."
    checked = experiment(
        epochs=30,
        early_stopping=2,
        learning_rate=1e-9,
        min_learning_rate=0.0,
        criterion="val_nan_bias",
        optimizer_name="sgd",
    )
    log = run_member(checked, tmp_path)
    assert len(log) < 30
