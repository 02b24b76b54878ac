"""The picture of a run: everything that was drawn, in the colours of its range."""

import matplotlib as mpl
import numpy as np
import pytest
import shapely
from matplotlib.figure import Figure

from glacier_inversion.drawing.mosaics import write_mosaics
from glacier_inversion.drawing.overview import write_overview
from glacier_inversion.geodata.tile_files import write_tile
from glacier_inversion.grid import Grid


@pytest.mark.parametrize("shape", [(40, 60), (1, 1), (400, 3000)])
def test_an_overview_shows_mean_and_std(tmp_path, shape):
    "Whatever the shape, a mosaic that is read with fewer pixels included."
    paths = {}
    values = np.full(shape, 200, dtype="float32")
    grid = Grid(600_000, 5_100_000, 25, *shape)
    for name in ("mean", "q05", "std"):
        paths["ice", name] = [tmp_path / "Rhône" / f"ice_{name}.tif"]
        write_tile(paths["ice", name][0], values, grid, 32632, {})
    ranges = dict.fromkeys(paths, (0.0, 200.0))
    write_mosaics(tmp_path, paths, ranges, [grid])
    outline = shapely.MultiPolygon([shapely.box(*grid.bounds)])
    picture = write_overview(tmp_path, "$a_$", ranges, [outline])
    pixels = (mpl.image.imread(picture)[..., :3] * 255).round().astype(int)
    flat = {tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()}
    for cmap in ("viridis", "magma"):
        last = mpl.colormaps[cmap](1.0)
        assert tuple(round(255 * part) for part in last[:3]) in flat
    assert (0x99, 0x99, 0x99) in flat  # of the outline, as datasets keep it
    again = picture.read_bytes()
    assert write_overview(tmp_path, "$a_$", ranges, [outline]).read_bytes() == again


def test_an_overview_shows_the_uncertainty_rather_than_the_spread(tmp_path):
    "Where it is drawn."
    grid = Grid(600_000, 5_100_000, 25, 4, 6)
    paths = {}
    for number, name in enumerate(("mean", "std", "uncertainty")):
        paths["ice", name] = [tmp_path / "east" / f"ice_{name}.tif"]
        values = np.full((4, 6), 50 * number, dtype="float32")
        write_tile(paths["ice", name][0], values, grid, 32632, {})
    ranges = dict.fromkeys(paths, (0.0, 200.0))
    write_mosaics(tmp_path, paths, ranges, [grid])

    def shown(*names):
        those = {("ice", name): ranges["ice", name] for name in names}
        outlines = [shapely.box(*grid.bounds)]
        return write_overview(tmp_path, "a", those, outlines).read_bytes()

    everything = shown("mean", "std", "uncertainty")
    assert everything == shown("mean", "uncertainty")
    assert everything != shown("mean", "std")


def test_all_outlines_of_a_panel_are_one_artist(tmp_path, monkeypatch):
    "A line each, in each panel, would take four times as long."
    grid = Grid(600_000, 5_100_000, 25, 4, 6)
    paths = {("ice", "mean"): [tmp_path / "east" / "ice_mean.tif"]}
    write_tile(paths["ice", "mean"][0], np.zeros((4, 6), "f4"), grid, 32632, {})
    ranges = dict.fromkeys(paths, (0.0, 1.0))
    write_mosaics(tmp_path, paths, ranges, [grid])
    drawn = []
    save = Figure.savefig

    def keep(figure, *args, **options):
        drawn.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    hole = shapely.Point(600_060, 5_099_950).buffer(10)
    outlines = [shapely.box(*grid.bounds).difference(hole), hole]
    write_overview(tmp_path, "small", ranges, outlines)
    panel = drawn[0].axes[0]
    (shown,) = panel.collections
    rings = [shapely.get_coordinates(r) for o in outlines for r in shapely.get_rings(o)]
    assert len(rings) == 3
    for segment, ring in zip(shown.get_segments(), rings, strict=True):
        np.testing.assert_array_equal(segment, ring)
    assert len(panel.lines) == 1  # the scale
