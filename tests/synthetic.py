"""
A made-up region whose true ice thickness is known.

Slab glaciers in perfect plasticity: thickness = yield stress / (density g sin(slope)),
so a network can learn it from the slope. Rasters have unequal shapes, two resolutions
and two CRSs, a hole without data, and one outline has a hole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.transform import Affine
from shapely.geometry import Polygon, mapping

EPSG = 32632
OTHER_EPSG = 2056
LEFT, TOP = 420_013.0, 5_150_037.0
NODATA = -9999.0


def slope_deg(x, y):
    """A smooth field of 6 to 34 degrees."""
    return 20 + 7 * np.sin(x / 700) + 7 * np.cos(y / 500)


def speed_m_per_yr(x, y):
    """A smooth field of 5 to 45 m/yr."""
    return 25 + 20 * np.sin((x + y) / 900)


def thickness_m(x, y):
    """Perfect plasticity with a yield stress of 1e5 Pa."""
    return 1e5 / (917 * 9.81 * np.sin(np.radians(slope_deg(x, y))))


def write_raster(
    path: Path,
    values,
    left: float,
    top: float,
    resolution: float,
    epsg: int | None = EPSG,
    nodata: float | None = NODATA,
) -> None:
    """Write bands of shape (n_rows, n_cols), or (n_bands, n_rows, n_cols)."""
    values = np.asarray(values)
    bands = values[None] if values.ndim == 2 else values
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(bands),
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=bands.dtype,
        crs=None if epsg is None else CRS.from_epsg(epsg),
        transform=Affine(resolution, 0, left, 0, -resolution, top),
        nodata=nodata,
    ) as dst:
        dst.write(bands)


def write_picture(path: Path, n_bands: int = 1, dtype: str = "uint8") -> None:
    """Write a picture of the region: of one band with a colour table, or of colours."""
    values = np.ones((n_bands, 130, 140), dtype)
    write_raster(path, values, LEFT, TOP, 25.0, nodata=0)
    with rasterio.open(path, "r+") as dst:
        if n_bands == 1:
            dst.write_colormap(1, {1: (255, 0, 0, 255)})
        else:
            colours = ("red", "green", "blue", "alpha")
            dst.colorinterp = [ColorInterp[name] for name in colours[:n_bands]]


def sample(function, left, top, resolution, n_rows, n_cols, epsg=EPSG):
    """Evaluate a function of EPSG:32632 coordinates at the pixels of a raster."""
    x = left + (np.arange(n_cols) + 0.5) * resolution
    y = top - (np.arange(n_rows) + 0.5) * resolution
    x, y = np.meshgrid(x, y)
    if epsg != EPSG:
        x, y = Transformer.from_crs(epsg, EPSG, always_xy=True).transform(x, y)
    return function(x, y).astype("f4")


def write_outlines(
    path: Path, features: list[tuple[dict[str, Any], Polygon]], epsg: int | None = EPSG
) -> None:
    """Write polygons with their columns; the driver follows from the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        key: "int" if isinstance(value, int) else "str"
        for key, value in features[0][0].items()
    }
    kinds = {polygon.geom_type for _, polygon in features}
    dims = "3D " if any(polygon.has_z for _, polygon in features) else ""
    with fiona.open(
        path,
        "w",
        driver="GPKG" if path.suffix == ".gpkg" else "ESRI Shapefile",
        crs=None if epsg is None else f"EPSG:{epsg}",
        schema={"geometry": dims + kinds.pop(), "properties": columns},
    ) as dst:
        for properties, polygon in features:
            dst.write({"geometry": mapping(polygon), "properties": properties})


def write_lines(path: Path, lines: list[list[tuple[float, float]]]) -> None:
    """Write profile lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with fiona.open(
        path,
        "w",
        driver="ESRI Shapefile",
        crs=f"EPSG:{EPSG}",
        schema={"geometry": "LineString", "properties": {"id": "int"}},
    ) as dst:
        for i, line in enumerate(lines, 1):
            geometry = {"type": "LineString", "coordinates": line}
            dst.write({"geometry": geometry, "properties": {"id": i}})


def box(left: float, bottom: float, right: float, top: float, hole=None) -> Polygon:
    """Return a rectangle in metres from the region's lower left corner."""
    x, y = LEFT + 600, TOP - 2900

    def ring(a, b, c, d):
        return [(x + a, y + b), (x + c, y + b), (x + c, y + d), (x + a, y + d)]

    holes = [] if hole is None else [ring(*hole)]
    return Polygon(ring(left, bottom, right, top), holes)


FEATURES = [
    ({"id": "north-1", "train": 0}, box(0, 1500, 900, 2300)),
    (
        {"id": "north-2", "train": 0},
        box(1100, 1500, 2100, 2300, (1500, 1800, 1620, 1900)),
    ),
    ({"id": "west", "train": 0}, box(0, 700, 800, 1400)),
    ({"id": "east", "train": 1}, box(900, 700, 1700, 1400)),
    # touches 'east': its buffered tile overlaps across the split
    ({"id": "south", "train": 2}, box(900, 0, 1800, 700)),
]


def write_region(root: Path) -> dict[str, Any]:
    """Write data/ of a workspace and return an experiment that runs on it."""
    data = root / "data"
    write_outlines(data / "glaciers.shp", FEATURES)
    left, top = LEFT, TOP
    slope = sample(slope_deg, left, top, 25.0, 130, 140)
    slope[60:64, 70:78] = NODATA
    write_raster(data / "slope.tif", slope, left, top, 25.0)
    to_other = Transformer.from_crs(EPSG, OTHER_EPSG, always_xy=True)
    other_left, other_top = to_other.transform(left, top)
    speed = sample(
        speed_m_per_yr, other_left - 400, other_top + 400, 50.0, 84, 90, OTHER_EPSG
    )
    write_raster(
        data / "speed.tif", speed, other_left - 400, other_top + 400, 50.0, OTHER_EPSG
    )
    thickness = sample(thickness_m, left, top, 50.0, 65, 70)
    tracks = np.zeros(thickness.shape, dtype=bool)
    tracks[::3] = tracks[:, ::4] = True
    thickness[~tracks] = NODATA
    write_raster(data / "thickness.tif", thickness, left, top, 50.0)
    return experiment()


def experiment() -> dict[str, Any]:
    """Return a small experiment for the region."""
    return {
        "batch_size": 32,
        "epochs": 12,
        "patience": 4,
        "learning_rate": 3e-3,
        "min_learning_rate": 1e-5,
        "optimizer_name": "Adam",
        "criterion": "val_loss",
        "model_name": "small",
        "model_architecture": "resnet",
        "area_size": 400.0,
        "seeds_number": 2,
        "inputs": [
            {"name": "slope", "resolution": 50.0},
            {"name": "speed", "resolution": 100.0},
        ],
        "outputs": [{"name": "thickness", "resolution": 50.0, "scalar": True}],
        "losses_name": {"thickness": "nan_mae"},
        "metrics_name": {"thickness": ["nan_mae", "nan_rmse", "nan_bias"]},
        "sampling": {"spacing": 100.0},
        "dataset_description": {
            "dataset_name": "region",
            "epsg": EPSG,
            "shapefile_file": "glaciers.shp",
            "shapefile_fieldname": "id",
            "buffer_distance": 300.0,
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
                "slope": {
                    "operations": [
                        {"name": "convolutions", "filters": [8, 8]},
                        {"name": "downsample"},
                    ]
                },
                "speed": {"operations": [{"name": "convolutions", "filters": [8]}]},
            },
            "main": {
                "operations": [
                    {"name": "concatenation"},
                    {"name": "convolutions", "filters": [16]},
                    {"name": "downsample"},
                ]
            },
            "outputs": {
                "thickness": {
                    "operations": [
                        {
                            "name": "denses",
                            "filters": [16, 1],
                            "last_activation": "softplus",
                        }
                    ]
                }
            },
        },
        "drawing_description": {
            "features": ["south"],
            "profiles": ["along"],
            "models": ["small"],
        },
    }


def coordinate_experiment(
    area_size: float, resolutions: dict[str, float], output: float, scalar: bool = False
) -> dict[str, Any]:
    """Return an experiment whose rasters hold their own x and y coordinates."""
    names = [f"{axis}_{key}" for key in resolutions for axis in "xy"]
    described = {n: resolutions[n[2:]] for n in names} | {"target_x": output}
    described["target_y"] = output
    raw = experiment()
    raw["area_size"] = area_size
    raw["model_name"] = "coordinates"
    raw["inputs"] = [
        {"name": n, "resolution": described[n], "scalar": scalar} for n in names
    ]
    targets = ["target_x", "target_y"]
    raw["outputs"] = [
        {"name": n, "resolution": output, "scalar": True} for n in targets
    ]
    raw["losses_name"] = dict.fromkeys(targets, "nan_mae")
    raw["metrics_name"] = {}
    raw["dataset_description"]["rasters"] = [
        {"name": n, "resolution": r, "file": f"{n}.tif"} for n, r in described.items()
    ]
    empty: dict[str, Any] = {"operations": []}
    raw["model_description"] = {
        "inputs": dict.fromkeys(names, empty),
        "main": empty,
        "outputs": {
            name: {"operations": [{"name": "denses", "filters": [1]}]}
            for name in targets
        },
    }
    raw["drawing_description"] = {"features": "all", "models": ["coordinates"]}
    return raw


def damage(path: Path, rng: np.random.Generator, n_first: int | None = None) -> None:
    """Cut a file, or overwrite some of its bytes, of the first ones if so asked."""
    content = bytearray(path.read_bytes())
    length = len(content) if n_first is None else min(n_first, len(content))
    place, n_bytes = int(rng.integers(length)), int(rng.choice([1, 4, 64]))
    how = rng.choice(["cut", "zero", "ones", "noise"])
    if how == "cut":
        del content[place:]
    else:
        value = {"zero": 0, "ones": 255}.get(str(how))
        for i in range(place, min(place + n_bytes, len(content))):
            content[i] = int(rng.integers(256)) if value is None else value
    path.write_bytes(content)


def write_json(path: Path, content: Any) -> Path:
    """Write an experiment file."""
    path.write_text(json.dumps(content, indent=2))
    return path
