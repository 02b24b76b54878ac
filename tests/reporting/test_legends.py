"""Ticks of legends stand where their values have their colours."""

import itertools

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
        assert 10 < place < 90


@pytest.mark.parametrize("high", [200.0, 20000.0, 0.002])
def test_what_is_written_does_not_overlap(high):
    "Neither with the ends nor among each other, thirty characters side by side."
    legend = legend_of("residual", (-high, high), f"≤ {-high:,g}", f"≥ +{high:,g} m")
    assert "0" in [text for _, text in legend.ticks]
    taken = [(0, len(legend.low))]
    for place, text in legend.ticks:
        middle = 0.3 * place
        taken.append((middle - len(text) / 2, middle + len(text) / 2))
    taken.append((30 - len(legend.high), 30))
    for (_, end), (begin, _) in itertools.pairwise(taken):
        assert begin - end >= 0.5


def test_a_range_of_one_value_has_no_ticks():
    assert legend_of("mean", (5.0, 5.0), "5", "5").ticks == ()
