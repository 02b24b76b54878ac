"""Targets as they are learnt, and what members predict transformed back."""

import math

import numpy as np
import pytest
import torch

from glacier_inversion.experiment.transforms import LogTransform, SqrtTransform
from glacier_inversion.training.model.transforms import transform, transform_back

LOG, SQRT = LogTransform(name="log", floor=5.0), SqrtTransform(name="sqrt")
VALUES = [0.0, 3.0, 5.0, 7.5, 100.0, 899.0, math.nan]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (LOG, [math.log(max(5, v)) for v in VALUES[:-1]] + [math.nan]),
        (SQRT, [math.sqrt(v) for v in VALUES]),
        (None, VALUES),
    ],
)
def test_transforms_are_those_of_math_and_have_an_inverse(by, expected):
    "Above the floor; what is unknown stays unknown."
    values = torch.tensor(VALUES, dtype=torch.float64)
    learnt = transform(values, by)
    np.testing.assert_allclose(learnt, expected, rtol=1e-15)
    floor = 5.0 if by is LOG else 0.0
    kept = np.maximum(VALUES, floor)
    np.testing.assert_allclose(transform_back(learnt, by), kept, rtol=1e-14)


@pytest.mark.parametrize("by", [LOG, SQRT])
def test_what_is_transformed_back_is_finite_and_rises(by):
    "However far a network is off; a root below 0 is not squared to a thickness."
    learnt = torch.tensor([-1e6, -50.0, -1.0, 0.0, 0.5, 4.0, 60.0, 1e6])
    values = transform_back(learnt, by)
    assert values.isfinite().all()
    assert (values >= 0).all()
    assert (values.diff() >= 0).all()
    assert values[4] < values[5] < values[6]
