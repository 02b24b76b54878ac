"""Fields: images of which every window is a patch."""

import pytest
import torch

from tests.training.network.helpers import every_point, random_field


@pytest.mark.parametrize("spacing", [1, 2, 3, 6])
@pytest.mark.parametrize("side", [1, 4, 5])
def test_a_field_holds_the_window_of_every_point(spacing, side):
    "Pixel (i, j) of point (row, col) is pixel (row + i spacing, col + j spacing)."
    field, images = random_field(2, side, spacing, 12)
    assert torch.equal(field.images(), images)
    points = every_point(12)
    gathered = field.gather(*points)
    assert gathered.shape == (288, 2, side, side)
    for patch, (r, c, b) in zip(gathered, torch.stack(points, 1).tolist(), strict=True):
        reach = side * spacing
        window = images[b, :, r : r + reach : spacing, c : c + reach : spacing]
        assert torch.equal(patch, window)
