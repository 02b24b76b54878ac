"""Targets beyond what the last activation gives: said before they are learnt."""

import math

import numpy as np
import pytest
import torch

from glacier_inversion.choices import RANGES
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.target_ranges import find_out_of_reach
from glacier_inversion.training.network.activations import ACTIVATIONS
from tests import synthetic

NAN = math.nan


def said(activation, train, validation=(), **keys):
    """Return what is said of the thickness, of which these are targets."""
    raw = synthetic.experiment() | keys
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    tail["last_activation"] = activation
    arrays = [np.array(part, "f4").reshape(-1, 1) for part in (train, validation)]
    return list(find_out_of_reach(check_experiment(raw, "exp"), *arrays))


def test_ranges_are_those_of_the_functions():
    "All that are named, and those alone that leave something out."
    everything = torch.linspace(-60, 60, 1_200_001, dtype=torch.float64)
    for name, activate in ACTIVATIONS.items():
        values = activate(everything)
        low, high = RANGES.get(name, (-math.inf, math.inf))
        found = float(values.min()), float(values.max())
        expected = (
            low if math.isfinite(low) else -60.0,
            high if math.isfinite(high) else values[-1].item(),
        )
        assert found == pytest.approx(expected, abs=1e-6)
        assert math.isfinite(high) == (values[-1].item() < 2)


@pytest.mark.parametrize(
    ("activation", "train", "gives"),
    [
        ("linear", [-1e6, 1e6], None),
        ("softplus", [0.0, 812.5, NAN], None),
        ("relu", [-0.5, 812.5], "0 or more"),
        ("softplus", [-0.5, 812.5], "0 or more"),
        ("sigmoid", [0.0, 1.0], None),
        ("sigmoid", [0.0, 1.0000001], None),
        ("sigmoid", [0.5, 812.5], "0 to 1"),
        ("tanh", [-1.0, 1.0], None),
        ("tanh", [-1.5, 1.0], "-1 to 1"),
        ("elu", [-9.0, 11.0], None),  # the std is 10
        ("elu", [-11.0, 9.0], "-10 or more"),
        ("selu", [-11.0, 9.0], None),
        ("selu", [-19.0, 1.0], "-17.581 or more"),
        ("gelu", [-2.0, 18.0], "-1.69972 or more"),
        ("swish", [-2.0, 18.0], None),
        ("swish", [-3.0, 17.0], "-2.78465 or more"),
        ("sigmoid", [NAN], None),
    ],
)
def test_targets_beyond_are_told_in_their_own_unit(activation, train, gives):
    "That of a sigmoid or tanh is not scaled; others are, by the std of training."
    expected = 0 if gives is None else 1
    warnings = said(activation, train)
    assert len(warnings) == expected
    for warning in warnings:
        assert (
            f"the last_activation {activation!r} gives {gives}, and 1 of 2" in warning
        )


def test_without_normalisation_a_bound_is_that_of_the_function():
    assert said("elu", [-9.0, 11.0], normalization="none")
    assert not said("elu", [-0.9, 19.1], normalization="none")


def test_bounds_that_another_dataset_moves_are_not_told():
    "Its targets have a part in the std; a bound of 0 is none that moves."
    mixed = {"extra_training": {"dataset": "other", "share": 0.5}}
    assert not said("elu", [-11.0, 9.0], **mixed)
    assert said("elu", [-11.0, 9.0], normalization="none", **mixed)
    assert said("relu", [-0.5, 812.5], **mixed)


def test_what_is_said_names_the_raster_its_range_and_what_to_do():
    "Validation counts, too; its std does not."
    (warning,) = said("sigmoid", [12.0, 40.0], [812.0, 0.5])
    assert warning == (
        "outputs: thickness: the last_activation 'sigmoid' gives 0 to 1, and 3 of 4 "
        "targets are beyond: those of thickness.tif are 0.5 to 812. They would be "
        "learnt as the bound. Use 'softplus', or correct the raster"
    )
    (warning,) = said("softplus", [-12.0, 40.0])
    assert "Use 'linear'" in warning
