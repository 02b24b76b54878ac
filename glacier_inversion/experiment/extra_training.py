"""What `extra_training` of an experiment asks for, and what an epoch then holds."""

from __future__ import annotations

import math

from glacier_inversion.experiment.experiment import Experiment


def extra_per_batch(experiment: Experiment) -> int:
    """Return how many samples of a full batch are of the extra dataset."""
    extra, n = experiment.extra_training, experiment.batch_size
    return 0 if extra is None else min(max(round(extra.share * n), 1), n - 1)


def n_mixed_in(experiment: Experiment, n: int) -> int:
    """Return how many samples of the extra dataset go with *n* of the main one."""
    n_extra = extra_per_batch(experiment)
    if n_extra == 0 or n == 0:
        return 0
    # of a batch that is not full one, too: there may be no other
    return max(round(n * n_extra / (experiment.batch_size - n_extra)), 1)


def share_mixed_in(experiment: Experiment, n: int) -> float:
    """Return the share of the extra dataset in an epoch with *n* of the main one."""
    n_mixed = n_mixed_in(experiment, n)
    return n_mixed / (n + n_mixed) if n_mixed else 0.0


def steps_per_epoch(experiment: Experiment, n_train: int) -> int:
    """Return how many batches an epoch has: the main dataset's samples, each once."""
    return math.ceil(n_train / (experiment.batch_size - extra_per_batch(experiment)))
