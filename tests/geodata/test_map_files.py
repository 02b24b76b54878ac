"""Maps as files: small ones, made in memory, are those that are made on disk."""

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.geodata.geotiffs import NewGeoTiff, cog_writers
from glacier_inversion.geodata.map_files import map_writers
from glacier_inversion.grid import Grid

EPSG = 32632


def files_in(folder):
    """Return two maps, of which one says less of itself."""
    tags = {"KEY": "è", "MODEL": "small"}
    return [
        NewGeoTiff(folder / "h_mean.tif", tags, "m", "h mean"),
        NewGeoTiff(folder / "h_std.tif", {}),
    ]


def write(way, folder, values, windows):
    """Write the same windows of both maps; return what is in the folder."""
    grid = Grid(420_600.0, 5_149_400.0, 50.0, *values.shape)
    with way(files_in(folder), grid, EPSG) as writers:
        for part in windows:
            for writer in writers:
                writer(values[part], *part)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("shape", [(1, 1), (12, 10), (37, 300), (512, 512), (900, 20)])
def test_the_bytes_are_the_same_on_disk_and_in_memory(tmp_path, shape):
    "With holes, and with windows that leave out much, or all."
    values = np.random.default_rng(0).normal(100, 20, shape).astype("f4")
    values[values < 90] = np.nan
    whole = slice(0, shape[0]), slice(0, shape[1])
    half = slice(0, shape[0] // 2), slice(shape[1] // 3, shape[1])
    for number, windows in enumerate(([whole], [half], [])):
        written = []
        for way in (map_writers, cog_writers):
            folder = tmp_path / f"{way.__name__}_{number}"
            folder.mkdir()
            written.append(write(way, folder, values, windows))
        assert written[0] == written[1]
        assert sorted(written[0]) == ["h_mean.tif", "h_std.tif"]


@pytest.mark.parametrize(("shape", "side"), [((12, 30), 32), ((500, 20), 512)])
def test_a_small_map_has_a_block_that_is_hardly_larger(tmp_path, shape, side):
    "And is a Cloud-Optimized GeoTIFF all the same."
    values = np.ones(shape, "f4")
    write(map_writers, tmp_path, values, [tuple(map(slice, shape))])
    path = tmp_path / "h_mean.tif"
    with rasterio.open(path) as src:
        assert src.block_shapes == [(side, side)]
        np.testing.assert_array_equal(src.read(1), values)
    assert cog_validate(path, strict=True) == (True, [], [])


def test_a_large_map_is_not_made_in_memory(tmp_path):
    "It has overviews."
    values = np.zeros((513, 512), "f4")
    write(map_writers, tmp_path, values, [(slice(0, 513), slice(0, 512))])
    with rasterio.open(tmp_path / "h_mean.tif") as src:
        assert src.overviews(1) == [2]


def test_both_maps_stay_as_they_were_where_one_cannot_be_written(tmp_path):
    "And nothing is left beside."
    values = np.ones((3, 4), "f4")
    whole = slice(0, 3), slice(0, 4)
    before = write(map_writers, tmp_path, values, [whole])
    (tmp_path / "h_std.tif").unlink()
    (tmp_path / "h_std.tif").mkdir()
    with pytest.raises(WorkspaceError, match=r"h_std.tif: cannot be written"):
        write(map_writers, tmp_path, values * 2, [whole])
    assert (tmp_path / "h_mean.tif").read_bytes() == before["h_mean.tif"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["h_mean.tif", "h_std.tif"]
