"""Samples collected feature by feature, against all of them together."""

from dataclasses import replace

import numpy as np
import pytest

from glacier_inversion.patches.collecting import collect_samples
from glacier_inversion.patches.lattice import to_lattice
from glacier_inversion.patches.sampling import find_cells, find_points, sort_by_cell
from tests.patches.helpers import LAYOUT, SCALES, made_up


@pytest.mark.parametrize("spacing", [10.0, 45.0])
def test_points_are_sorted_as_all_together_would_be(spacing):
    "By feature, cell and distance; features without any point take no cell."
    parts = [to_lattice(made_up(s, 30, 8 * s), LAYOUT) for s in (1, 2, 3)]
    nothing = {"t": np.full_like(parts[1].targets["t"], np.nan)}
    parts.insert(1, replace(parts[1], targets=nothing))
    parts.append(to_lattice(made_up(4, 4, 4), LAYOUT))  # smaller than a window
    samples = collect_samples(parts, LAYOUT, SCALES, spacing)
    points, targets, cells, distances = [], [], [], []
    for number, part in enumerate(parts):
        row, col, values = find_points(part, LAYOUT)
        cell, distance = find_cells(part.points, row, col, spacing)
        points += [(number, r, c) for r, c in zip(row, col, strict=True)]
        cells += [(number, *c) for c in cell]
        targets += values.tolist()
        distances += distance.tolist()
    order, number = sort_by_cell(np.array(cells), np.array(distances))
    assert len(points) > 50
    assert samples.points[:].tolist() == np.array(points)[order].tolist()
    assert samples.targets.tolist() == np.array(targets)[order].tolist()
    assert len(samples) == number[-1] + 1


@pytest.mark.parametrize("known_in", [(0, 1, 2), (0,), (1, 2), ()])
def test_an_output_that_is_known_at_some_points(known_in):
    "At all of some features, and at none of others: each cell gives the nearest."
    layout = replace(LAYOUT, outputs={"t": 1, "u": 1})
    parts = []
    for number in range(3):
        tiles = made_up(number + 1, 16, 12)
        known = tiles.targets["t"] * (1 if number in known_in else np.nan)
        parts.append(
            to_lattice(
                replace(tiles, targets={"t": known, "u": tiles.targets["t"]}), layout
            )
        )
    samples = collect_samples(parts, layout, SCALES, 40.0)
    targets = samples.targets.numpy()
    expected = np.isin(samples.points[:][:, 0].numpy(), known_in)
    assert np.array_equal(np.isfinite(targets[:, 0]), expected)
    chosen = samples.nominal()
    features = samples.points[chosen.index][:, 0].numpy()
    is_first = np.isfinite(chosen.targets[:, 0].numpy())
    assert is_first.sum() == np.isin(features, known_in).sum()
    alone = collect_samples(
        [p for n, p in enumerate(parts) if n in known_in], LAYOUT, SCALES, 40.0
    )
    assert is_first.sum() == len(alone)
