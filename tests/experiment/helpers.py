"""Experiments with changes, and what is said of them."""

import pytest

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic


def problems(raw) -> list[str]:
    """Return the problems of an experiment, a line each."""
    with pytest.raises(ExperimentError) as caught:
        check_experiment(raw, "exp.json")
    return str(caught.value).splitlines()


def changed(path: str, value):
    """Return an experiment with one value changed; '!' removes the key."""
    raw = synthetic.experiment()
    *keys, last = [int(k) if k.isdecimal() else k for k in path.split("/")]
    place = raw
    for key in keys:
        place = place[key]
    if value == "!":
        del place[last]
    else:
        place[last] = value
    return raw
