"""Vector files: what cannot be read is named."""

import pytest

from glacier_inversion.dataset.outlines import read_outlines
from glacier_inversion.errors import OutlineError
from glacier_inversion.geodata.vectors import read_crs
from tests import synthetic
from tests.dataset.helpers import some


@pytest.mark.parametrize(
    "text",
    [
        b"\xff" * 300,
        b'PROJCS["x"',
        b'GEOGCS["x",DATUM["y",SPHEROID["z",nan,nan]],PRIMEM["",0],UNIT["",0]]',
    ],
)
def test_a_crs_that_cannot_be_read_is_named(tmp_path, capfd, text):
    "Whatever GDAL, or PROJ, or what lies between makes of it."
    path = tmp_path / "o.shp"
    synthetic.write_outlines(path, some("a"))
    path.with_suffix(".prj").write_bytes(text)
    with pytest.raises(OutlineError, match=r"o\.shp: .*CRS"):
        read_outlines(path, "id", synthetic.EPSG)
    with pytest.raises(OutlineError, match=r"o\.shp: .*CRS"):
        read_crs(path)
    assert capfd.readouterr().out == ""
