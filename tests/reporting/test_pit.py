"""What a PIT histogram shows, of errors whose distribution is known."""

import numpy as np
import pytest
from scipy.stats import norm

from glacier_inversion.reporting.pit import tell_pit

EDGES = norm.ppf(np.linspace(0, 1, 11))


def histogram(size, bias=0.0):
    """Return the histogram of normal errors, in units of the error that is said."""
    return np.diff(norm.cdf((EDGES - bias) / size)).tolist()


@pytest.mark.parametrize(
    ("size", "bias", "said", "not_said"),
    [
        (1.0, 0.0, ["as it should be"], ["too"]),
        (1.2, 0.1, ["as it should be"], ["too"]),
        (0.85, -0.1, ["as it should be"], ["too"]),
        (1.5, 0.0, ["ends", "too narrow"], ["too wide", "too low", "too high"]),
        (5.0, 0.0, ["too narrow"], ["as it should", "too wide"]),
        (0.6, 0.0, ["in the middle", "too wide"], ["narrow", "too low", "too high"]),
        (1.0, 0.4, ["rises", "predictions are too low"], ["too high", "narrow"]),
        (1.0, -0.4, ["falls", "predictions are too high"], ["too low", "narrow"]),
        (2.0, -0.8, ["too narrow; it falls", "too high"], ["too wide", "too low"]),
    ],
)
def test_widths_and_biases_are_told_apart(size, bias, said, not_said):
    "A bias is what was measured less what was predicted."
    text = tell_pit(histogram(size, bias))
    assert all(words in text for words in said)
    assert not any(words in text for words in not_said)


@pytest.mark.parametrize("bias", [0.75, -1.0])
def test_a_bias_is_not_taken_for_intervals_that_are_too_wide(bias):
    "Though it makes a histogram narrower."
    assert "too wide" not in tell_pit(histogram(1.0, bias))
    assert "too narrow" in tell_pit(histogram(2.0, 2 * bias))
    assert "beside the middle" in tell_pit(histogram(0.5, bias / 2))


@pytest.mark.parametrize("size", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_of_a_large_bias_nothing_is_said_but_that(size, sign):
    "Ten parts do not tell how wide intervals should be where one holds most."
    text = tell_pit(histogram(size, sign * 4.0))
    assert f"predictions are too {'low' if sign > 0 else 'high'}" in text
    assert "hides how wide" in text
    assert not any(words in text for words in ("too wide", "too narrow"))


def test_what_is_not_flat_is_not_called_flat():
    "Though its mean and its width are as they should be; its parts are told."
    text = tell_pit([0.08, 0.13, 0.15, 0.09, 0.04, 0.04, 0.09, 0.15, 0.13, 0.1])
    assert text == (
        "on the whole it is as it should be: parts hold 4 % to 15 %, and 10 % is right."
    )


def test_the_limits_are_those_of_the_closed_formula():
    "Errors of 1.25 times the size said; ten bins tell no more exactly."
    assert "as it should" in tell_pit(histogram(1.22))
    assert "narrow" in tell_pit(histogram(1.33))
    assert "as it should" in tell_pit(histogram(1 / 1.22))
    assert "wide" in tell_pit(histogram(1 / 1.33))
