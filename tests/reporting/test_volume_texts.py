"""Volumes in words: why there is none."""

from dataclasses import replace

import pytest

from glacier_inversion.reporting.volume_texts import tell_no_volume


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
