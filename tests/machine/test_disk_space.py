"""Why a file could not be written, where the library that wrote it does not say."""

import errno

import pytest

from glacier_inversion.machine.disk_space import find_error_number


@pytest.mark.parametrize("name", ["map.tif", "map [1].tif"])
def test_a_file_that_has_grown_to_the_limit(tmp_path, monkeypatch, name):
    "What has been written of it tells, whatever its name is."
    monkeypatch.setattr("glacier_inversion.machine.disk_space._most_bytes", lambda: 2e9)
    path = tmp_path / name
    assert find_error_number(path, 0) is None
    part = tmp_path / f".{path.stem}.part.tif"
    with part.open("wb") as file:
        file.truncate(1_500_000_000)  # sparse
    assert find_error_number(path, 0) == errno.EFBIG
