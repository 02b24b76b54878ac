"""The section of the evaluation: what it asks for must be there."""

import copy
from typing import get_args

import pytest

from glacier_inversion.experiment.evaluation import (
    Baseline,
    PlasticityBaseline,
    find_other_units,
)
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.experiment.helpers import problems

PLASTICITY = {"name": "plasticity", "slope": "slope"}
VELOCITY_SLOPE = {"name": "velocity_slope", "speed": "speed", "slope": "slope"}
KINDS = {
    name: kind
    for kind in get_args(Baseline)
    for name in get_args(kind.model_fields["name"].annotation)
}
NAMES = sorted(KINDS)


def evaluating(**section):
    """Return an experiment with the section."""
    raw = copy.deepcopy(synthetic.experiment())
    raw["evaluation_description"] = section
    return raw


def test_an_experiment_without_it_compares_with_the_mean_alone():
    "And with it, with what it names, each raster once."
    without = check_experiment(synthetic.experiment(), "exp").evaluation_description
    assert (without.baselines, without.classes, without.rasters) == ({}, {}, [])
    described = {
        "baselines": {
            "thickness": [
                PLASTICITY,
                VELOCITY_SLOPE,
                {"name": "published", "raster": "speed"},
            ]
        },
        "classes": {"thickness": [50, 100.0]},
    }
    checked = check_experiment(evaluating(**described), "exp").evaluation_description
    assert checked.rasters == ["slope", "speed"]
    assert checked.classes == {"thickness": [50.0, 100.0]}
    assert checked.baselines["thickness"][0] == PlasticityBaseline(**PLASTICITY)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"baselines": {"thicknes": []}},
            "evaluation_description.baselines.thicknes: 'thicknes' is no output. Must "
            "be the name of one. Did you mean 'thickness'?",
        ),
        (
            {"classes": {"x": [1.0]}},
            "evaluation_description.classes.x: 'x' is no output",
        ),
        (
            {"classes": {"thickness": [50.0, 50.0]}},
            "classes.thickness: [50.0, 50.0]: Must increase from each to the next",
        ),
        ({"classes": {"thickness": []}}, "classes.thickness: [] is not allowed."),
        (
            {"baselines": {"thickness": [{"name": "plastic"}]}},
            "baselines.thickness[0]: the baseline 'plastic' does not exist. Did you "
            f"mean 'plasticity'? Known: {', '.join(NAMES)}.",
        ),
        (
            {"baselines": {"thickness": [{"slope": "slope"}]}},
            "baselines.thickness[0]: has no name. Must name the baseline. Known: "
            f"{', '.join(NAMES)}. Add it.",
        ),
        (
            {"baselines": {"thickness": [{"name": None}]}},
            "baselines.thickness[0]: the baseline null does not exist. Known: ",
        ),
        (
            {"baselines": {"thickness": [{**PLASTICITY, "slop": "slope"}]}},
            "baselines.thickness[0].slop: unknown key. Did you mean 'slope'? Known: "
            "name, slope.",
        ),
        (
            {"baselines": {"thickness": [{"name": "published"}]}},
            "baselines.thickness[0].raster: is missing.",
        ),
        (
            {"baselines": {"thickness": [{"name": "published", "raster": "sped"}]}},
            "baselines.thickness[0].raster: 'sped' is not described. Must be among "
            "dataset_description.rasters. Did you mean 'speed'?",
        ),
        (
            {
                "baselines": {
                    "thickness": [{"name": "published", "raster": "thickness"}]
                }
            },
            "baselines.thickness[0].raster: 'thickness' is what the predictions are",
        ),
        (
            {"baselines": {"thickness": [PLASTICITY, PLASTICITY]}},
            "baselines.thickness[1]: stands there twice. Must stand once.",
        ),
        (
            {"baseline": {}},
            "evaluation_description.baseline: unknown key. Did you mean",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(section, message):
    "One message, with the place, what is allowed and what to do."
    (said,) = problems(evaluating(**section))
    assert message in said


@pytest.mark.parametrize("name", sorted({*NAMES} - {"published"}))
def test_probabilities_have_no_thickness(name):
    "Neither formulas for it, nor classes of it; whatever else a formula needs."
    needed = KINDS[name].model_fields.keys() & {"slope", "speed"}
    baseline = {"name": name, **{key: key for key in needed}}
    raw = evaluating(baselines={"thickness": [baseline]}, classes={"thickness": [0.5]})
    raw["losses_name"]["thickness"] = "nan_binary_crossentropy"
    last = raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    last["last_activation"] = "sigmoid"
    raw["metrics_name"] = {}
    said = problems(raw)
    assert len(said) == 2
    assert "classes.thickness: 'thickness' is a class itself" in said[0]
    assert f"[0].name: {name!r} gives a thickness" in said[1]


@pytest.mark.parametrize(
    ("unit", "is_other"),
    [("m", False), ("Metres", False), (None, False), ("", False), ("cm", True)],
)
def test_a_published_map_in_another_unit_is_told(unit, is_other):
    "What has no unit is not compared."
    published = {"name": "published", "raster": "speed"}
    raw = evaluating(baselines={"thickness": [PLASTICITY, published]})
    description = check_experiment(raw, "exp").evaluation_description
    units = {"thickness": "m", "slope": "degrees", "speed": unit}
    found = find_other_units(description, units)
    assert len(found) == is_other
    if found:
        assert found[0].startswith(
            "evaluation_description.baselines.thickness[1].raster: 'speed' is in 'cm', "
            "and 'thickness' in 'm'. Must be in the same unit, or its errors"
        )
    assert find_other_units(description, {**units, "thickness": None}) == []


def test_slopes_of_baselines_that_are_not_in_degrees_are_told():
    "Their sines would be those of other angles; the factor of a speed is fitted."
    raw = evaluating(baselines={"thickness": [PLASTICITY, VELOCITY_SLOPE]})
    description = check_experiment(raw, "exp").evaluation_description
    for slope, n_told in (("°", 0), (None, 0), ("percent", 2)):
        units = {"thickness": "m", "slope": slope, "speed": "m/d"}
        found = find_other_units(description, units)
        assert len(found) == n_told
    assert found[1].startswith(
        "evaluation_description.baselines.thickness[1].slope: 'slope' is in 'percent'. "
        "Must be in degrees, or this method errs more"
    )
