"""GeoTIFFs: whole or not there."""

import numpy as np
import pytest

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.geodata.geotiffs import (
    geotiff_writer,
    read_tags,
    read_tile,
    write_tile,
)
from glacier_inversion.grid import Grid
from tests.geodata.helpers import GRID
from tests.synthetic import EPSG


def test_tiles_are_whole_or_not_there(tmp_path):
    "An error while writing leaves the file that was there."
    path = tmp_path / "folder" / "t.tif"
    values = np.arange(12, dtype="f4").reshape(3, 4)
    grid = Grid(0.0, 300.0, 100.0, 3, 4)
    write_tile(path, values, grid, EPSG, {"KEY": "value"})

    def interrupted():
        with geotiff_writer(path, grid, EPSG, {}) as write:
            write(values[:1], slice(0, 1), slice(0, 4))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    np.testing.assert_array_equal(read_tile(path), values)
    np.testing.assert_array_equal(
        read_tile(path, slice(1, 3), slice(0, 2)), values[1:, :2]
    )
    assert read_tags(path)["KEY"] == "value"
    assert [p.name for p in path.parent.iterdir()] == ["t.tif"]


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    "The message says what to do."
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"cannot be written.*another --workspace"):
        write_tile(tmp_path / "file" / "t.tif", np.ones((1, 1), "f4"), GRID, EPSG, {})
