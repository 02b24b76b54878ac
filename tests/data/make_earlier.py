"""
Make the workspace in ``earlier``, which later versions must still read.

It was written by commit 20d5032, before files had format numbers, and is kept as it is::

    git worktree add EARLIER 20d5032
    PYTHONPATH=EARLIER python tests/data/make_earlier.py tests/data/earlier

All that it needs stands here: what other tests make up may change.
"""

import json
import sqlite3
import sys
from pathlib import Path

import fiona
import numpy as np
import rasterio
from click.testing import CliRunner

# whole pixels of the tiles, which then hold the very values of the rasters
LEFT, TOP = 420_000.0, 5_150_000.0
CRS = "EPSG:32632"
# feature, split as numbers, and left, bottom, right, top in metres from LEFT, TOP
FEATURES = [
    ("north", 0, (300, -700, 700, -300)),
    ("west", 0, (300, -1200, 650, -750)),
    ("east", 1, (800, -700, 1200, -300)),
    ("south", 2, (800, -1200, 1200, -760)),
]
CONVOLUTION = {"name": "convolutions", "filters": [4]}
EXPERIMENT = {
    "batch_size": 16,
    "epochs": 3,
    "patience": 4,
    "learning_rate": 0.01,
    "min_learning_rate": 1e-5,
    "optimizer_name": "Adam",
    "criterion": "val_loss",
    "model_name": "small",
    "model_architecture": "resnet",
    "area_size": 200.0,
    "seeds_number": 2,
    "inputs": [
        {"name": "slope", "resolution": 50.0},
        {"name": "speed", "resolution": 100.0},
    ],
    "outputs": [{"name": "thickness", "resolution": 50.0, "scalar": True}],
    "losses_name": {"thickness": "nan_mae"},
    "metrics_name": {"thickness": ["nan_rmse"]},
    "sampling": {"spacing": 50.0},
    "dataset_description": {
        "dataset_name": "region",
        "epsg": 32632,
        "shapefile_file": "glaciers.geojson",
        "shapefile_fieldname": "id",
        "buffer_distance": 200.0,
        "rasters": [
            {"name": "slope", "resolution": 50.0, "file": "slope.tif"},
            {"name": "speed", "resolution": 100.0, "file": "speed.tif"},
            {
                "name": "thickness",
                "resolution": 50.0,
                "file": "thickness.tif",
                "unit": "m",
            },
        ],
    },
    "model_description": {
        "inputs": {
            "slope": {"operations": [CONVOLUTION, {"name": "downsample"}]},
            "speed": {"operations": [CONVOLUTION]},
        },
        "main": {"operations": [{"name": "concatenation"}, CONVOLUTION]},
        "outputs": {
            "thickness": {
                "operations": [
                    {
                        "name": "denses",
                        "filters": [4, 1],
                        "last_activation": "softplus",
                    }
                ]
            }
        },
    },
    "drawing_description": {"features": ["east", "south"], "models": ["small"]},
}


def write_raster(path: Path, values: np.ndarray, resolution: float) -> None:
    """Write a raster whose upper left corner is that of the region."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=values.shape[0],
        width=values.shape[1],
        dtype="float32",
        crs=CRS,
        transform=rasterio.Affine(resolution, 0, LEFT, 0, -resolution, TOP),
        nodata=-9999.0,
        compress="deflate",
    ) as dst:
        dst.write(values.astype("f4"), 1)


def write_data(folder: Path) -> None:
    """Write outlines, and rasters with places of which nothing is known."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    slope = 20 + 6 * np.cumsum(rng.normal(size=(31, 33)), axis=1) / 3
    slope[9:12, 20:22] = -9999
    speed = 25 + 10 * rng.normal(size=(17, 16))
    thickness = 200 - 4 * slope
    thickness[rng.random(slope.shape) < 0.4] = -9999
    thickness[slope == -9999] = -9999
    write_raster(folder / "slope.tif", slope.round(2), 50.0)
    write_raster(folder / "speed.tif", speed.round(2), 100.0)
    write_raster(folder / "thickness.tif", thickness.round(1), 50.0)
    schema = {"geometry": "Polygon", "properties": {"id": "str", "train": "int"}}
    with fiona.open(
        folder / "glaciers.geojson", "w", driver="GeoJSON", crs=CRS, schema=schema
    ) as dst:
        for name, split, (left, bottom, right, top) in FEATURES:
            ring = [(left, bottom), (right, bottom), (right, top), (left, top)]
            ring = [(LEFT + x, TOP + y) for x, y in (*ring, ring[0])]
            geometry = {"type": "Polygon", "coordinates": [ring]}
            properties = {"id": name, "train": split}
            dst.write({"geometry": geometry, "properties": properties})


def shrink(path: Path) -> None:
    """Write a GeoPackage in small pages: of 100 kB, most are empty."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")


def main(root: Path) -> None:
    """Make the workspace *root*."""
    from glacier_inversion.cli import main as ginv  # noqa: PLC0415

    write_data(root / "data")
    file = root / "experiment.json"
    file.write_text(json.dumps(EXPERIMENT, indent=2) + "\n")
    for command in ("build-dataset", "train", "draw"):
        arguments = [command, str(file), "--workspace", str(root), "-q"]
        result = CliRunner().invoke(ginv, arguments, catch_exceptions=False)
        if result.exit_code:
            raise SystemExit(result.stderr)
    for path in (*root.rglob("*.lock"), *root.rglob("*.png")):
        path.unlink()
    shrink(root / "datasets/region/outlines.gpkg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
