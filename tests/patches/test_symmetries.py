"""The eight ways to turn a patch."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from glacier_inversion.patches.symmetries import TURNS, turn_points, turn_vectors


def test_vectors_turn_with_their_images():
    "A flow towards the image's right edge still points to where that edge went."
    # the vector at every pixel is the direction from the centre to the pixel
    offset = np.arange(5, dtype="f4") - 2
    east, north = np.tile(offset, (5, 1)), np.tile(-offset[:, None], (1, 5))
    images = {"e": [], "n": []}
    for quarters, mirror in TURNS:
        for name, image in (("e", east), ("n", north)):
            turned = np.rot90(image, quarters)
            images[name].append(np.fliplr(turned) if mirror else turned)
    batch = {k: torch.tensor(np.array(v))[:, None] for k, v in images.items()}
    turn_vectors(batch, [["e", "n"]], torch.arange(len(TURNS)))
    for i in range(len(TURNS)):  # a field that looks the same from everywhere
        np.testing.assert_allclose(batch["e"][i, 0], east, atol=1e-6)
        np.testing.assert_allclose(batch["n"][i, 0], north, atol=1e-6)


def turned(points, turn, n_points):
    """Return the (row, col) where points come to lie by one of the turns."""
    row, col = np.array(points).T
    turns = torch.full((len(points),), turn)
    found = turn_points(torch.tensor(row), torch.tensor(col), turns, n_points)
    return tuple((int(r), int(c)) for r, c in zip(*found, strict=True))


def turned_vector(vector, turn):
    """Return the (east, north) of a vector by one of the turns."""
    batch = {k: torch.tensor([[float(v)]]) for k, v in zip("en", vector, strict=True)}
    turn_vectors(batch, [["e", "n"]], torch.tensor([turn]))
    return tuple(float(batch[k]) for k in "en")


@given(st.integers(2, 9))
def test_turns_are_a_group(n_points):
    "Eight that differ; two of them are a third, and each is undone by one."
    square = [(row, col) for row in range(n_points) for col in range(n_points)]
    results = [turned(square, turn, n_points) for turn in range(len(TURNS))]
    assert len(set(results)) == len(TURNS) == 8
    assert results[0] == tuple(square)
    for first in results:
        assert sorted(first) == square  # no point is lost
        both = [turned(first, second, n_points) for second in range(len(TURNS))]
        assert set(both) == set(results)
        assert both.count(tuple(square)) == 1


whole = st.integers(-4, 4)


@given(st.tuples(whole, whole), st.sampled_from(range(len(TURNS))))
def test_vectors_turn_with_the_points_that_they_lead_to(vector, turn):
    "And come back, number for number, by what undoes the turn."
    (east, north), middle, n_points = vector, 4, 9
    there = middle - north, middle + east  # rows go south
    ((row, col),) = turned([there], turn, n_points)
    assert turned_vector(vector, turn) == (col - middle, middle - row)
    square = [(0, 0), (0, 1)]
    (undoing,) = (
        other
        for other in range(len(TURNS))
        if turned(turned(square, turn, n_points), other, n_points) == tuple(square)
    )
    assert turned_vector(turned_vector(vector, turn), undoing) == vector
