"""Volumes in words: how much, how sure, or why there is none."""

from dataclasses import replace

import pytest

from glacier_inversion.reporting.volume_texts import (
    tell_certainty,
    tell_no_volume,
    tell_volume,
)


def volumes(sources, **cells):
    """Make a table of volumes of a total alone."""
    row = {"output": "thickness", "feature": "total", "volume_km3": "12.1146"}
    sources.volumes = [row | {"area_km2": "82.3"} | cells]


def test_ends_of_an_interval_have_the_decimals_of_the_volume(sources):
    volumes(sources, lower95_km3="9.85819", upper95_km3="14.3711")
    assert "12.1 km³ (95 % interval 9.9 to 14.4 km³)" in tell_volume(
        sources, "thickness"
    )


def test_how_sure_a_volume_is_is_said_as_far_as_it_is_known(sources):
    "Without a calibration there is no interval; of one network, no spread."
    volumes(sources, spread_km3="0.204")
    said = tell_certainty(sources, "thickness")
    assert "differ by 0.204 km³ (standard deviation); that alone is not" in said
    for words in ("interval", "no better than", "standard error", "bias"):
        assert words not in said
    volumes(sources, uncertainty_km3="0.954", effective_pixels="30.97")
    said = tell_certainty(sources, "thickness")
    assert "than those of 31 independent pixels would. The standard error is" in said
    assert "is 0.954 km³. The interval is nominal: aimed at, not promised." in said
    assert "networks" not in said


@pytest.mark.parametrize(
    ("unit", "activation", "said"),
    [
        ("", "softplus", 'add "unit": "m" to its raster'),
        ("km", "softplus", "of thicknesses in metres, thickness is in km."),
        ("m", "linear", "may be below 0, as an elevation may"),
        ("m", "softplus", "'ginv draw' writes them"),
    ],
)
def test_why_there_is_no_volume_is_said(sources, unit, activation, said):
    experiment = sources.model.experiment.model_copy(deep=True)
    operations = experiment.model_description.outputs["thickness"].operations
    object.__setattr__(operations[-1], "last_activation", activation)
    sources.evaluations.clear()
    sources.dataset.units["thickness"] = None
    sources.model = replace(
        sources.model, experiment=experiment, units={"thickness": unit}
    )
    assert said in tell_no_volume(sources, "thickness")
