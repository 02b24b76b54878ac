"""Patches from tiles, turned."""

import numpy as np
import torch

from glacier_inversion.patches.lattice import to_lattice
from glacier_inversion.patches.symmetries import TURNS
from tests.patches.helpers import LAYOUT, SCALES, made_up, patches_of


def test_turned_patches_equal_turned_images():
    "All 8 turns, against numpy's rot90 and fliplr."
    part = to_lattice(made_up(1, 12, 10), LAYOUT)
    source = patches_of(part, LAYOUT, SCALES)
    points = torch.tensor([[0, 2, 1]] * len(TURNS))
    plain = source.gather(points[:1])["fine"][0, 0].numpy()
    turned = source.gather(points, torch.arange(len(TURNS)))["fine"][:, 0].numpy()
    for image, (quarters, mirror) in zip(turned, TURNS, strict=True):
        expected = np.rot90(plain, quarters)
        expected = np.fliplr(expected) if mirror else expected
        np.testing.assert_array_equal(image, expected)
