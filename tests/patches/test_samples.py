"""Patches and samples, against the plain loop."""

import numpy as np
import pytest
import torch

from glacier_inversion.grid import Grid
from glacier_inversion.patches.collecting import collect_samples
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from tests.patches.helpers import LAYOUT, SCALES, made_up, two_outputs


def plain_patch(tiles: Tiles, name: str, row: int, col: int) -> np.ndarray:
    """Cut one patch out of its tile, interpolating value by value."""
    factor = {**LAYOUT.images, **LAYOUT.scalars}[name]
    n_px = 1 if name in LAYOUT.scalars else LAYOUT.window_px // factor
    tile = tiles.inputs[name]
    patch = np.empty((n_px, n_px))
    for i in range(n_px):
        for j in range(n_px):
            # in the tile's pixels, 0 the first centre
            place = [
                (first + LAYOUT.window_px / 2) / factor - 0.5 + (k - (n_px - 1) / 2)
                for first, k in ((row, i), (col, j))
            ]
            total = weight = 0.0
            for a in range(tile.shape[0]):
                for b in range(tile.shape[1]):
                    w = max(0, 1 - abs(place[0] - a)) * max(0, 1 - abs(place[1] - b))
                    if np.isfinite(tile[a, b]):
                        total, weight = total + w * tile[a, b], weight + w
            patch[i, j] = total / weight if weight >= 0.5 else np.nan
    scaled = (patch - SCALES[name].mean) / SCALES[name].std
    return np.nan_to_num(scaled, nan=0.0)


def test_batches_equal_the_plain_loop_over_samples():
    "Two features of unequal shapes; NaN is the training mean, which is 0 here."
    features = [made_up(1, 12, 10), made_up(2, 8, 14)]
    parts = [to_lattice(tiles, LAYOUT) for tiles in features]
    samples = collect_samples(parts, LAYOUT, SCALES, spacing=10.0)
    assert len(samples) > 20
    for index, batch, targets in samples.batches(samples.nominal(), batch_size=7):
        for i, (feature, row, col) in enumerate(samples.points[index].tolist()):
            for name in ("fine", "coarse"):
                expected = plain_patch(features[feature], name, row, col)
                # float32 against float64: a few roundings of numbers of size 1
                np.testing.assert_allclose(batch[name][i, 0], expected, atol=2e-6)
            expected = plain_patch(features[feature], "point", row, col)[0]
            np.testing.assert_allclose(batch["point"][i], expected, atol=2e-6)
            assert targets[i, 0] == parts[feature].targets["t"][row, col]


def test_points_are_those_with_known_targets_and_usable_windows():
    "At the finest spacing every such point is a sample, once."
    parts = [to_lattice(made_up(1, 12, 10), LAYOUT)]
    samples = collect_samples(parts, LAYOUT, SCALES, spacing=10.0)
    known = np.isfinite(parts[0].targets["t"]) & parts[0].usable
    assert sorted(samples.points[:][:, 1:].tolist()) == np.argwhere(known).tolist()
    assert len(samples) == known.sum()


@pytest.mark.parametrize("spacing", [20.0, 35.0, 60.0])
def test_a_cell_gives_one_sample(spacing):
    "The nominal point is the nearest to the cell's centre; drawn ones are all of them."
    parts = [to_lattice(made_up(s, 30, 24), LAYOUT) for s in (1, 2)]
    samples = collect_samples(parts, LAYOUT, SCALES, spacing)
    grids = [part.points for part in parts]
    cells: dict[tuple, list[tuple[float, int]]] = {}
    for i, (feature, row, col) in enumerate(samples.points[:].tolist()):
        x, y = float(grids[feature].x(col)), float(grids[feature].y(row))
        cell = (feature, np.floor(x / spacing), np.floor(y / spacing))
        centre = [(c + 0.5) * spacing for c in cell[1:]]
        distance = round(float(np.hypot(x - centre[0], y - centre[1])), 6)
        cells.setdefault(cell, []).append((distance, i))
    assert len(samples) == len(cells)
    nominal = set(samples.nominal().index.tolist())
    for members in cells.values():
        nearest = min(distance for distance, _ in members)
        chosen = [distance for distance, i in members if i in nominal]
        assert chosen == [nearest]
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([samples.draw(generator).index for _ in range(200)])
    assert set(drawn.tolist()) == set(range(len(samples.points)))


def served(samples, chosen, spacing) -> list[list[tuple]]:
    """Return the cells in which each output has a target, as often as it has one."""
    n_rows = round(float(samples.points[:][:, 1].max())) + 1
    size = round(spacing / 10)
    cells = []
    for i in range(samples.targets.shape[1]):
        _, row, col = samples.points[chosen.index[~chosen.targets[:, i].isnan()]].T
        cells.append(
            sorted(
                zip(
                    ((n_rows - 1 - row) // size).tolist(),
                    (col // size).tolist(),
                    strict=True,
                )
            )
        )
    return cells


def test_every_cell_serves_each_output_once():
    "One is known everywhere, the other on tracks: 120 of 400 cells hold it."
    everywhere = np.ones((200, 200), dtype=bool)
    tracks = np.zeros_like(everywhere)
    tracks[5::30, :170] = tracks[:, 195] = True
    parts, layout = two_outputs({"a": everywhere, "b": tracks})
    samples = collect_samples(parts, layout, {"fine": Scale(0.0, 1.0)}, spacing=100.0)
    all_cells = [(row, col) for row in range(20) for col in range(20)]
    held = sorted({((199 - r) // 10, c // 10) for r, c in np.argwhere(tracks).tolist()})
    assert 100 < len(held) < 200
    generator = torch.Generator().manual_seed(0)
    drawn = [samples.draw(generator) for _ in range(30)]
    for chosen in (samples.nominal(), *drawn):
        assert served(samples, chosen, 100.0) == [all_cells, held]
    # every point at which an output is known serves it at times
    of_b = torch.cat([d.index[~d.targets[:, 1].isnan()] for d in drawn])
    assert len(of_b.unique()) > 0.8 * tracks.sum()


def test_some_cells_are_drawn_evenly():
    "Each serves all its outputs, and all of them serve in the end."
    everywhere = np.ones((100, 100), dtype=bool)
    tracks = np.zeros_like(everywhere)
    tracks[5::30] = True
    parts, layout = two_outputs({"a": everywhere, "b": tracks})
    samples = collect_samples(parts, layout, {"fine": Scale(0.0, 1.0)}, spacing=100.0)
    held = set(served(samples, samples.nominal(), 100.0)[1])
    generator = torch.Generator().manual_seed(0)
    counts: dict[tuple, int] = {}
    for _ in range(400):
        part = samples.some(30, generator)
        for chosen in (part.draw(generator), part.nominal()):
            cells, of_b = served(samples, chosen, 100.0)
            assert len(set(cells)) == len(cells) == 30
            assert set(of_b) == set(cells) & held
        for cell in cells:
            counts[cell] = counts.get(cell, 0) + 1
    assert len(counts) == samples.n_cells == 100
    # 120 times each, by a binomial distribution with a std of 9
    assert 75 < min(counts.values()) < max(counts.values()) < 165
    assert samples.some(100, generator) is samples


def test_cells_of_a_tenth_of_a_metre_hold_a_point_each():
    "Of coordinates of millions, whose rounding is larger than 1e-9 of such a cell."
    for n0 in (1, 2):
        layout = Layout(0.1, n0, {"fine": 1}, {}, {"t": 1}, 0.0)
        values = np.ones((300, 400), dtype="f4")
        grid = Grid(2_600_000.0, 1_200_000.0, 0.1, 300, 400)
        tiles = Tiles("f", "train", grid, {"fine": values}, {"t": values})
        parts = [to_lattice(tiles, layout)]
        samples = collect_samples(parts, layout, {"fine": Scale(0.0, 1.0)}, spacing=0.1)
        assert len(samples) == len(samples.points) == (301 - n0) * (401 - n0)


def test_outputs_that_are_known_together_share_their_points():
    "As many samples as of one output, the same ones."
    mask = np.random.default_rng(1).random((40, 50)) < 0.3
    samples = []
    for names in ("a", "ab"):
        parts, layout = two_outputs(dict.fromkeys(names, mask))
        samples.append(collect_samples(parts, layout, {"fine": Scale(0.0, 1.0)}, 50.0))
    one, two = samples
    assert torch.equal(one.nominal().index, two.nominal().index)
    drawn = [s.draw(torch.Generator().manual_seed(3)).index for s in samples]
    assert torch.equal(*drawn)


def test_no_samples_is_no_error():
    "A split without features has length 0."
    samples = collect_samples([], LAYOUT, SCALES, 10.0)
    assert len(samples) == 0
    assert list(samples.batches(samples.nominal(), 8)) == []
