"""Places along lines: which of them a picture shows."""

import numpy as np

from glacier_inversion.drawing.profile_values import Profile


def profile_of(n_places, n_within):
    """Return a profile of lines with so many places, so many of each in a feature."""
    line = np.repeat(np.arange(len(n_places)), n_places)
    number = np.concatenate([np.arange(n) for n in n_places])
    is_within = number < np.repeat(n_within, n_places)
    feature = np.where(is_within, "east", "").astype(object)
    return Profile(line, 50.0 * number, 0.0 * line, 0.0 * line, feature)


def test_a_picture_shows_every_place_of_short_lines():
    "Features or not."
    shown = profile_of([3, 1, 2000], [2, 0, 1]).shown()
    assert shown.tolist() == list(range(2004))


def test_a_picture_shows_the_lines_with_most_places_in_features():
    "Twelve of them, in the order of the file; the earlier of equals."
    n_within = [5, 0, 9, 1, *[3] * 12]
    profile = profile_of([10] * 16, n_within)
    assert np.unique(profile.line[profile.shown()]).tolist() == [0, 2, *range(4, 14)]


def test_of_a_long_line_some_places_are_shown():
    "Equally far apart, from its first one on."
    profile = profile_of([4, 2001, 6001], [4, 2001, 6001])
    line = profile.line[profile.shown()]
    number = profile.distance[profile.shown()] / 50
    assert number[line == 0].tolist() == [0, 1, 2, 3]
    assert number[line == 1].tolist() == list(range(0, 2001, 2))
    assert number[line == 2].tolist() == list(range(0, 6001, 4))
