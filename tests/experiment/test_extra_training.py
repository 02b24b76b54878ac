"""How many samples of another dataset an epoch holds."""

import pytest

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.experiment.extra_training import (
    extra_per_batch,
    n_mixed_in,
    steps_per_epoch,
)
from tests import synthetic
from tests.experiment.helpers import problems


def mixing(share, batch_size=32):
    """Return an experiment that mixes in another dataset."""
    extra = {"dataset": "other", "share": share}
    changed = {"batch_size": batch_size, "extra_training": extra}
    return check_experiment(synthetic.experiment() | changed, "exp")


@pytest.mark.parametrize(
    ("share", "batch_size", "n_extra"),
    [(0.5, 32, 16), (0.3, 32, 10), (0.01, 32, 1), (0.99, 32, 31), (0.5, 2, 1)],
)
def test_a_batch_has_samples_of_both(share, batch_size, n_extra):
    "Rounded, and one of each at least."
    assert extra_per_batch(mixing(share, batch_size)) == n_extra


def test_an_epoch_has_the_samples_of_the_main_dataset_once():
    "So it has more steps, and as many others as go with them."
    checked = mixing(0.25)
    assert steps_per_epoch(checked, 240) == 10
    assert n_mixed_in(checked, 240) == 80
    alone = check_experiment(synthetic.experiment(), "exp")
    assert steps_per_epoch(alone, 240) == 8
    assert n_mixed_in(alone, 240) == 0


def test_a_batch_of_one_cannot_be_mixed():
    "The message says what is allowed."
    raw = synthetic.experiment() | {"batch_size": 1}
    raw["extra_training"] = {"dataset": "other", "share": 0.5}
    (said,) = problems(raw)
    assert "batch_size: 1 leaves no sample for extra_training. Must be 2" in said


def test_a_few_samples_are_trained_with_one_of_the_other_dataset():
    "Where they do not fill a batch, and the share of them is less than half of one."
    checked = mixing(0.01, 64)
    counts = [n_mixed_in(checked, n) for n in (0, 20, 63, 630)]
    assert counts == [0, 1, 1, 10]
