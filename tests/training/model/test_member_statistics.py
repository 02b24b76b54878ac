"""Statistics over members: what each is, and that those of the file are all there."""

import re

import numpy as np
import pytest

from glacier_inversion.choices import MEMBER_STATISTIC
from glacier_inversion.training.model.member_statistics import statistic

MEMBERS = np.random.default_rng(0).normal(100, 30, (5, 40)).astype("f4")
BY_NUMPY = {
    "mean": lambda values: values.mean(axis=0),
    "std": lambda values: values.std(axis=0, ddof=1),
    "median": lambda values: np.median(values, axis=0),
    "min": lambda values: values.min(axis=0),
    "max": lambda values: values.max(axis=0),
    "q[0-9][0-9]": lambda values: np.quantile(values, 0.05, axis=0),
}


@pytest.mark.parametrize("pattern", MEMBER_STATISTIC.split("|"))
def test_each_that_an_experiment_may_name_is_computed(pattern):
    "As numpy computes it in float64."
    found = statistic(pattern.replace("[0-9][0-9]", "05"), MEMBERS)
    expected = BY_NUMPY[pattern](MEMBERS.astype("f8"))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["mode", "q5", "q005", "means", "mean|std", ""])
def test_others_are_refused(name):
    "With what there is."
    with pytest.raises(
        ValueError,
        match=rf"Invalid statistic '{re.escape(name)}'\. Must be one of mean, std, ",
    ):
        statistic(name, MEMBERS)
