"""How errors go together by their distance, as calibration.json holds it."""

import numpy as np
import pytest

from glacier_inversion.training.model.covariogram import Covariogram

OWN = Covariogram(nugget=0.2, partial_sill=0.7, length=400.0, plateau=0.1, common=0.05)


def test_what_near_pixels_share_falls_by_e_in_a_length():
    "And is the partial sill at the distance 0, the nugget left out."
    distance = np.array([0.0, 400.0, 800.0])
    np.testing.assert_allclose(
        OWN.near(distance), 0.7 * np.exp([0.0, -1.0, -2.0]), rtol=1e-15
    )


def test_it_is_read_as_it_was_written():
    assert Covariogram.from_json(OWN.to_json()) == OWN


BROKEN = [
    ({"length": 0.0}, "covariogram.length is 0"),
    ({"nugget": -0.1}, "covariogram.nugget is -0.1"),
    ({"plateau": "much"}, "covariogram.plateau is 'much'"),
    ({"common": 0.3}, "covariogram.common is 0.3, more than its plateau of 0.1"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Covariogram.from_json(OWN.to_json() | changes)
