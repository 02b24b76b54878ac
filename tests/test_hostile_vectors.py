"""Outlines that something has damaged, or that hold what few do: read, or refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.bounded import build
from tests.hostile import damaged, files, mixed_up, mutated

FEATURES = [
    ({"id": "a", "train": 0}, synthetic.box(0, 1500, 300, 1800, (90, 1600, 160, 1680))),
    ({"id": "b", "train": 1}, synthetic.box(600, 700, 900, 1000)),
    ({"id": "c", "train": 2}, synthetic.box(1400, 0, 1700, 300)),
]
_LARGE = 10**6  # bytes: time is that of reading, then
PARTS = ["shp", "shx", "dbf", "prj", "cpg"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A workspace with outlines in files of three kinds, and a raster."""
    root = tmp_path_factory.mktemp("whole")
    data = root / "data"
    for name in ("o.shp", "o.gpkg"):
        synthetic.write_outlines(data / name, FEATURES)
    x = synthetic.LEFT + 10 * np.arange(60)[None] + np.zeros((65, 1))
    synthetic.write_raster(data / "x.tif", x, synthetic.LEFT, synthetic.TOP, 50.0)
    synthetic.write_json(data / "o.geojson", geojson())
    return root


def geojson():
    """Return the outlines as GeoJSON."""
    records = [
        {
            "type": "Feature",
            "properties": columns,
            "geometry": polygon.__geo_interface__,
        }
        for columns, polygon in FEATURES
    ]
    crs = {"type": "name", "properties": {"name": f"EPSG:{synthetic.EPSG}"}}
    return {
        "type": "FeatureCollection",
        "crs": {**crs},
        "features": json.loads(json.dumps(records)),
    }


def workspace(root: Path, whole: Path, file: str) -> Path:
    """Copy a workspace; return the file of an experiment on one of its outlines."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(whole, root)
    description = {
        "dataset_name": "region",
        "epsg": synthetic.EPSG,
        "shapefile_file": file,
        "shapefile_fieldname": "id",
        "buffer_distance": 2000.0,
        # so that the tile of an outline which reaches from one end of the CRS to the
        # other, 2e8 m, has 1.6e7 pixels, and takes neither gigabytes nor minutes
        "rasters": [{"name": "x", "resolution": 50_000.0, "file": "x.tif"}],
    }
    drawing = {"features": "all", "models": ["m"]}
    raw = {"dataset_description": description, "drawing_description": drawing}
    return synthetic.write_json(root / "exp.json", raw)


ODD_NUMBERS = [0, 1, 5, 15, 31, 999, 2**31 - 1, -1, -(2**31)]


@st.composite
def with_odd_number(draw, content):
    """A file, a number in whose head, or in a record, says something else."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, min(len(content) // 4, 70) - 1)) * 4
        order = draw(st.sampled_from(["big", "little"]))
        number = draw(st.sampled_from(ODD_NUMBERS)).to_bytes(4, order, signed=True)
        changed[place : place + 4] = number
    return bytes(changed)


def page(content, number, size=4096):
    """Return where a page of a SQLite file begins and ends."""
    return number * size, min((number + 1) * size, len(content))


@st.composite
def with_damaged_page(draw, content):
    """A SQLite file, one of whose pages is another, empty, or noise."""
    n_pages = len(content) // 4096
    begin, end = page(content, draw(st.integers(0, n_pages - 1)))
    what = draw(st.sampled_from(["other", "zeros", "ones", "header"]))
    if what == "header":  # of the page: its kind, its cells and where they are
        place = begin + draw(st.integers(0, 40)) + (100 if begin == 0 else 0)
        return (
            content[:place]
            + draw(st.binary(min_size=1, max_size=4))
            + content[place + 4 :]
        )
    filling = bytes(end - begin) if what == "zeros" else b"\xff" * (end - begin)
    if what == "other":
        filling = slice(*page(content, draw(st.integers(0, n_pages - 1))))
        filling = content[filling]
    return content[:begin] + filling + content[end:]


def cases(whole: Path):
    """Return what yields a name of outlines, and damaged files that belong to them."""
    data = whole / "data"
    kinds = []
    for part in PARTS:
        path = data / f"o.{part}"
        content = path.read_bytes()
        others = [p.read_bytes() for p in data.glob("o.*") if p != path]
        odd = [damaged(content), mixed_up(content), st.sampled_from([b"", *others])]
        if part in ("shp", "shx", "dbf"):
            odd += [with_odd_number(content)] * 3
        kinds.append(files(path.name, st.one_of(odd)))
    content = (data / "o.gpkg").read_bytes()
    pages = with_damaged_page(content)
    kinds += [
        files("o.gpkg", st.one_of(pages, pages, damaged(content), mixed_up(content)))
    ] * 3
    text = st.builds(
        lambda c: json.dumps(c).encode("utf-8", "surrogatepass"), mutated([geojson()])
    )
    raw = damaged(json.dumps(geojson()).encode())
    kinds += [files("o.geojson", st.one_of(text, text, raw))] * 3
    return st.one_of(kinds).filter(lambda file: len(file.content) < _LARGE)


@pytest.mark.parametrize(
    "n_cases", [100, pytest.param(1500, marks=pytest.mark.slow)], ids=str
)
def test_damaged_outlines_are_read_or_refused_by_name(ginv, whole, tmp_path, n_cases):
    "A shapefile, one of whose files is, a GeoPackage, GeoJSON of other values."

    @settings(max_examples=n_cases, suppress_health_check=HealthCheck, derandomize=True)
    @given(cases(whole))
    def hold(damage):
        of_shapefile = damage.name[2:] in PARTS
        file = workspace(
            tmp_path / "workspace", whole, "o.shp" if of_shapefile else damage.name
        )
        (tmp_path / "workspace" / "data" / damage.name).write_bytes(damage.content)
        build(ginv, file, "o.")

    hold()
