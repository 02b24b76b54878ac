"""A plane, which resampling keeps, and a workspace on a raster of it."""

from pathlib import Path

from tests import synthetic

LEFT, TOP = 420_000.0, 5_150_000.0
CRS = f"EPSG:{synthetic.EPSG}"


def values(x, y):
    """A plane, which bilinear resampling keeps, of whole numbers at pixels of 50 m."""
    return 10 + (x - LEFT) / 100 + (TOP - y) / 100


def workspace(root: Path, file: str = "x.tif") -> Path:
    """Write outlines and an experiment on one raster; return the experiment's file."""
    features = [
        ({"id": name}, synthetic.box(left, 1000, left + 400, 1400))
        for name, left in (("a", 300), ("b", 1500))
    ]
    synthetic.write_outlines(root / "data" / "o.gpkg", features)
    description = {
        "dataset_name": "region",
        "epsg": synthetic.EPSG,
        "shapefile_file": "o.gpkg",
        "shapefile_fieldname": "id",
        "buffer_distance": 100.0,
        "rasters": [{"name": "x", "resolution": 50.0, "file": file}],
    }
    drawing = {"features": "all", "models": ["m"]}
    raw = {"dataset_description": description, "drawing_description": drawing}
    return synthetic.write_json(root / "exp.json", raw)
