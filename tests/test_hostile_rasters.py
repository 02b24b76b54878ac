"""Rasters that something has damaged, or that hold what few do: read, or refused."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.bounded import build
from tests.hostile import damaged, files, mixed_up
from tests.planes import CRS, LEFT, TOP, values, workspace

SHAPE = 90, 80
LAYOUTS = [
    {},
    {"tiled": True, "blockxsize": 32, "blockysize": 16, "compress": "deflate"},
    {"dtype": "int16", "compress": "lzw", "predictor": 2},
    {"dtype": "uint8", "compress": "jpeg"},
    {"dtype": "float64", "BIGTIFF": "YES", "compress": "zstd"},
    {"driver": "AAIGrid"},
    {"driver": "VRT"},
]
ENDINGS = {"AAIGrid": "asc", "VRT": "vrt"}
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 11: 4, 12: 8, 16: 8}
ODD = [np.nan, np.inf, 0.0, -1.0, 1e308, 1e-320, 2e9]
HUGE = [0, 1, 2, 255, 65535, 58881, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]


def write(path: Path, **layout) -> Path:
    """Write a plane around the outlines, on pixels of 50 m."""
    plane = synthetic.sample(values, LEFT, TOP, 50.0, *SHAPE)
    driver = layout.get("driver", "GTiff")
    tif = path.with_suffix(".tif")
    profile = {
        "driver": "GTiff",
        "count": 1,
        "height": SHAPE[0],
        "width": SHAPE[1],
        "dtype": "float32",
        "crs": CRS,
        "transform": rasterio.Affine(50, 0, LEFT, 0, -50, TOP),
    }
    with rasterio.open(tif, "w", **profile | layout | {"driver": "GTiff"}) as dst:
        for band in range(1, dst.count + 1):
            dst.write(plane.astype(dst.dtypes[0]), band)
    if driver != "GTiff":
        rasterio.shutil.copy(tif, path, driver=driver)
    return path


@st.composite
def with_odd_tag(draw, content):
    """A TIFF, one to three of whose tags say something else."""
    changed = bytearray(content)
    is_big = content[2] == 43  # BigTIFF
    whole, entry, head, size = (
        ("<Q", "<HHQ", 8, 20) if is_big else ("<I", "<HHI", 2, 12)
    )
    (first,) = struct.unpack_from(whole, content, 8 if is_big else 4)
    (n_tags,) = struct.unpack_from("<Q" if is_big else "<H", content, first)
    largest = 256 ** struct.calcsize(whole)
    for _ in range(draw(st.integers(1, 3))):
        place = first + head + size * draw(st.integers(0, n_tags - 1))
        _, kind, count = struct.unpack_from(entry, changed, place)
        at = place + struct.calcsize(entry)  # of the value, or of where it lies
        is_beside = TYPE_BYTES.get(kind, 1) * count > struct.calcsize(whole)
        what = draw(st.sampled_from(["value", "place", "count", "type", "tag"]))
        number = draw(st.sampled_from(HUGE)) % largest
        if what == "tag":
            struct.pack_into("<H", changed, place, draw(st.integers(254, 340)))
        elif what == "type":
            struct.pack_into("<H", changed, place + 2, draw(st.integers(0, 20)))
        elif what == "count":
            struct.pack_into(whole, changed, place + 4, number)
        elif what == "place" or not is_beside:
            struct.pack_into(whole, changed, at, number)
        else:
            (there,) = struct.unpack_from(whole, changed, at)
            there += draw(st.integers(0, min(count, 9) - 1)) * TYPE_BYTES.get(kind, 1)
            changed[there : there + 8] = struct.pack("<d", draw(st.sampled_from(ODD)))
    return bytes(changed)


@st.composite
def accidents(draw, content):
    """The bytes of a raster after an accident."""
    if content[:2] == b"II" and draw(st.booleans()):
        return draw(with_odd_tag(content))
    if draw(st.integers(0, 4)) == 0:  # blocks of it change places
        return draw(mixed_up(content))
    return draw(damaged(content))


@pytest.mark.parametrize(
    "n_cases", [100, pytest.param(1500, marks=pytest.mark.slow)], ids=str
)
def test_damaged_rasters_are_read_or_refused_by_name(ginv, tmp_path, n_cases):
    "Cut, changed, mixed up, or with tags that say something else."
    names = [
        f"x{i}.{ENDINGS.get(d.get('driver'), 'tif')}" for i, d in enumerate(LAYOUTS)
    ]
    (tmp_path / "whole" / "data").mkdir(parents=True)
    whole = [
        write(tmp_path / "whole" / "data" / name, **layout)
        for name, layout in zip(names, LAYOUTS, strict=True)
    ]
    contents = {path.name: path.read_bytes() for path in whole}

    @settings(max_examples=n_cases, suppress_health_check=HealthCheck, derandomize=True)
    @given(st.one_of(*(files(name, accidents(c)) for name, c in contents.items())))
    def hold(damage):
        root = tmp_path / "workspace"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", root)
        file = workspace(root, damage.name)
        (root / "data" / damage.name).write_bytes(damage.content)
        build(ginv, file, damage.name)

    hold()
