"""Ticks of legends stand where their values have their colours."""

import pytest

from glacier_inversion.reporting.legends import legend_of


@pytest.mark.parametrize(
    "shown", [(0.0, 0.3), (-150.0, 150.0), (0.0, 2.0), (1200.0, 2600.0), (7.0, 8.0)]
)
def test_ticks_are_where_their_values_are(shown):
    "Round ones, with room for what is written at the ends."
    low, high = shown
    ticks = legend_of("mean", shown, "a", "b").ticks
    assert 1 <= len(ticks) <= 3
    for place, text in ticks:
        value = float(text.replace(",", ""))
        assert place == pytest.approx(100 * (value - low) / (high - low), abs=0.01)
        assert 20 < place < 80


def test_a_range_of_one_value_has_no_ticks():
    assert legend_of("mean", (5.0, 5.0), "5", "5").ticks == ()
