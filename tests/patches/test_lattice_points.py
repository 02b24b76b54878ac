"""Points of many lattices, each kept as one number."""

import numpy as np
import torch

from glacier_inversion.patches.lattice_points import LatticePoints

SHAPES = [(2, 3), (1, 7), (4, 1)]


def made_up():
    """Return some points of each lattice, and (feature, row, column) of them all."""
    rng = np.random.default_rng(0)
    places, first, expected = [], [], []
    for feature, shape in enumerate(SHAPES):
        row, col = np.nonzero(rng.random(shape) < 0.7)
        first.append(len(places))
        places += [int(r) * shape[1] + int(c) for r, c in zip(row, col, strict=True)]
        expected += [[feature, int(r), int(c)] for r, c in zip(row, col, strict=True)]
    widths = torch.tensor([shape[1] for shape in SHAPES])
    places = torch.tensor(places, dtype=torch.int32)
    return LatticePoints(places, torch.tensor(first), widths), expected


def test_points_are_found_again_in_any_order():
    "By their numbers, and by slices as lists have them."
    points, expected = made_up()
    assert len(points) == len(expected) > 6
    index = np.random.default_rng(1).permutation(len(expected))
    found = points[torch.tensor(index)]
    assert found.dtype == torch.int64
    assert found.tolist() == [expected[i] for i in index]
    for part in (slice(None), slice(2, 5), slice(-3, None), slice(1, -1)):
        assert points[part].tolist() == expected[part]


def test_points_are_moved_to_a_device_with_all_they_need():
    "Else a GPU would look for a part of them in the memory of the computer."
    points, expected = made_up()
    moved = points.to(torch.device("meta"))
    assert {part.device.type for part in vars(moved).values()} == {"meta"}
    assert points.to(torch.device("cpu"))[:].tolist() == expected
