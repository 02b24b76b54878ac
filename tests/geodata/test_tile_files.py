"""Tiles as files: the bytes of GDAL's own, whole, and looked at in little time."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio

from glacier_inversion.geodata import tile_files
from glacier_inversion.geodata.geotiffs import opened_pixels
from glacier_inversion.geodata.layouts import tile_profile
from glacier_inversion.geodata.tile_files import write_tile
from glacier_inversion.grid import Grid
from tests.synthetic import EPSG

TAGS = {"KEY": "value", "OTHER": "x" * 64}


@pytest.mark.parametrize(
    "shape", [(1, 1), (255, 257), (300, 1000), (1024, 1025), (1300, 70), (2100, 1100)]
)
def test_a_tile_has_the_bytes_that_gdal_writes(tmp_path, monkeypatch, shape):
    "Made in memory, or block by block in its file."
    values = np.random.default_rng(0).normal(size=shape).astype("f4")
    values[: shape[0] // 2, : shape[1] // 2] = np.nan
    grid = Grid(420_600.0, 5_149_400.0, 10.0, *shape)
    with rasterio.open(tmp_path / "gdal.tif", "w", **tile_profile(grid, EPSG)) as dst:
        dst.update_tags(**TAGS)
        dst.write(values, 1)
    expected = (tmp_path / "gdal.tif").read_bytes()
    write_tile(tmp_path / "tile.tif", values, grid, EPSG, TAGS)
    assert (tmp_path / "tile.tif").read_bytes() == expected
    monkeypatch.setattr(tile_files, "_MADE_IN_MEMORY", 0)
    write_tile(tmp_path / "tile.tif", values, grid, EPSG, TAGS)
    assert (tmp_path / "tile.tif").read_bytes() == expected
    with opened_pixels(tmp_path / "tile.tif") as src:
        np.testing.assert_array_equal(src.read(1), values)


WITHOUT_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from glacier_inversion.geodata.tile_files import write_tile
from glacier_inversion.grid import Grid
values = np.random.default_rng(0).normal(size=(2000, 2000)).astype("f4")
grid = Grid(0.0, 0.0, 10.0, *values.shape)
write_tile(Path(sys.argv[1]), values[:9, :9], Grid(0.0, 0.0, 10.0, 9, 9), 32632, {})
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
said = 0
for more in range(0, 300, 8):
    limit = used + more * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        write_tile(Path(sys.argv[1]), values, grid, 32632, {"KEY": "value"})
        break
    except MemoryError:
        said += 1
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
assert 0 < said < 38, said
import rasterio
with rasterio.open(sys.argv[1]) as src:
    assert (src.read(1) == values).all()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_tile_that_memory_does_not_hold_is_not_written(tmp_path):
    "As much as is missing: the first that is there is whole."
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY, str(tmp_path / "tile.tif")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tile.tif"]
