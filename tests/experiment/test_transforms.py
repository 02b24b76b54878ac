"""Transforms of targets: what an experiment may ask for."""

import re

import pytest

from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.experiment.helpers import problems

LOG, SQRT = {"name": "log", "floor": 5.0}, {"name": "sqrt"}


def with_transform(transform, activation="linear", loss="nan_mae"):
    """Return an experiment whose target is transformed."""
    raw = synthetic.experiment()
    raw["outputs"][0]["transform"] = transform
    raw["losses_name"]["thickness"] = loss
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[-1]["last_activation"] = activation
    return raw


@pytest.mark.parametrize(
    ("transform", "activation"),
    [(LOG, "linear"), (SQRT, "linear"), (SQRT, "softplus"), (None, "softplus")],
)
def test_a_transform_is_kept_as_it_was_given(transform, activation):
    "And a file that is written out means the same."
    checked = check_experiment(with_transform(transform, activation), "exp")
    dumped = checked.model_dump(mode="json", by_alias=True)
    assert dumped["outputs"][0]["transform"] == transform
    assert check_experiment(dumped, "exp") == checked


@pytest.mark.parametrize(
    ("transform", "activation", "loss", "message"),
    [
        ({"name": "log"}, "linear", "mae", r"outputs\[0\]\.transform\.floor: is miss"),
        (LOG | {"floor": 0}, "linear", "mae", r"transform\.floor: 0 is not allowed"),
        (SQRT | {"floor": 1}, "linear", "mae", r"transform\.floor: unknown key"),
        (
            {"name": "lg"},
            "linear",
            "mae",
            r"outputs\[0\]\.transform: the transform 'lg' does not exist\. Did you mean"
            r" 'log'",
        ),
        ("log", "linear", "mae", r"outputs\[0\]\.transform: "),
        (
            LOG,
            "softplus",
            "mae",
            r"thickness\.operations\[0\]\.last_activation: 'softplus' cannot reach all "
            r"logarithms.*Must be 'linear'",
        ),
        (
            LOG,
            "linear",
            "nan_gaussian_nll",
            r"outputs\[0\]\.transform: 'log' does not go with the loss 'nan_gaussian",
        ),
        (
            SQRT,
            "sigmoid",
            "binary_crossentropy",
            r"outputs\[0\]\.transform: 'sqrt' does not go with the loss 'binary_cross",
        ),
    ],
)
def test_what_is_no_transform_is_refused(transform, activation, loss, message):
    "With its place, what is allowed, and what to do."
    (line,) = problems(with_transform(transform, activation, loss))
    assert re.search(message, line), line


def test_inputs_have_no_transform():
    "A raster that is derived by log serves there."
    raw = synthetic.experiment()
    raw["inputs"][0]["transform"] = LOG
    (line,) = problems(raw)
    assert "inputs[0].transform: unknown key" in line
