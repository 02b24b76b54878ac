"""
Made-up files of a made-up mountain range, named and laid out as products are.

Outlines of the Randolph Glacier Inventory 7 in degrees, a tile of the Copernicus
elevation in degrees, an ITS_LIVE mosaic of velocities in UTM, and the table TTT.csv of
the Glacier Thickness Database. Slabs in perfect plasticity: thickness follows from the
slope, and the speed from both.
"""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely
from pyproj import Transformer

from tests.synthetic import write_raster

EPSG = 32632
LEFT, TOP = 420_000.0, 5_150_000.0
WIDTH, HEIGHT = 10_000.0, 8_000.0
N_GLACIERS, N_MEASURED = 12, 9
_DRIVING_STRESS, _GRAVITY, _DENSITY, _RATE_FACTOR = 1e5, 9.81, 917.0, 2.4e-24
_SECONDS = 365.25 * 86_400


def elevation_m(x, y):
    """Return a surface whose steepness varies between 10 and 25 degrees."""
    # the integral of its slope along x; what is left along y is of the same size
    wave = -0.12 * 900 * np.cos(x / 900) * np.cos(y / 1100)
    return 2200 + 0.30 * (x - LEFT) + wave + 0.10 * 700 * np.sin(y / 700)


def slope_rad(x, y):
    """Return the slope of `elevation_m`, by differences over a metre."""
    along_x = elevation_m(x + 0.5, y) - elevation_m(x - 0.5, y)
    along_y = elevation_m(x, y + 0.5) - elevation_m(x, y - 0.5)
    return np.arctan(np.hypot(along_x, along_y)), along_x, along_y


def thickness_m(x, y):
    """Return the thickness of perfectly plastic ice."""
    slope, *_ = slope_rad(x, y)
    return _DRIVING_STRESS / (_DENSITY * _GRAVITY * np.sin(slope))


def velocity_m_per_yr(x, y):
    """Return the surface velocity of shallow ice, down the slope, along x and y."""
    _, along_x, along_y = slope_rad(x, y)
    speed = 0.5 * _RATE_FACTOR * _DRIVING_STRESS**3 * thickness_m(x, y) * _SECONDS
    steep = np.hypot(along_x, along_y)
    return -speed * along_x / steep, -speed * along_y / steep


def write_products(data: Path) -> None:
    """Write the files of a whole region into a data folder."""
    data.mkdir(parents=True, exist_ok=True)
    outlines = _write_outlines(data / "RGI2000-v7.0-G-11_central_europe.shp")
    _write_elevation(data / "Copernicus_DSM_COG_10_N46_00_E007_00_DEM.tif")
    for axis in (0, 1):
        name = f"ITS_LIVE_velocity_120m_RGI11A_0000_v02_v{'xy'[axis]}.tif"
        _write_velocity(data / name, axis)
    _write_radar(data / "TTT.csv", outlines[:N_MEASURED])


def _write_outlines(path: Path) -> list[shapely.Polygon]:
    polygons = []
    for i in range(N_GLACIERS):
        x = LEFT + 1500 + 2300 * (i % 4)
        y = TOP - 1500 - 2400 * (i // 4)
        circle = shapely.Point(0, 0).buffer(1, quad_segs=12)
        wide, high = 800 + 30 * i, 700 - 20 * i
        polygons.append(
            shapely.affinity.affine_transform(circle, [wide, 0, 0, high, x, y])
        )
    names = [f"RGI2000-v7.0-G-11-{i + 1:05d}" for i in range(N_GLACIERS)]
    table = geopandas.GeoDataFrame({"rgi_id": names}, geometry=polygons, crs=EPSG)
    table.to_crs(4326).to_file(path)
    return polygons


def _write_elevation(path: Path) -> None:
    step = 1 / 3600  # an arc second
    to_degrees = Transformer.from_crs(EPSG, 4326, always_xy=True)
    west, _ = to_degrees.transform(LEFT - 1000, TOP + 1000)
    _, north = to_degrees.transform(LEFT - 1000, TOP + 1000)
    shape = round((HEIGHT + 2000) / 30.9), round((WIDTH + 2000) / 21.2)
    lon = west + step * (np.arange(shape[1]) + 0.5)
    lat = north - step * (np.arange(shape[0]) + 0.5)
    to_metres = Transformer.from_crs(4326, EPSG, always_xy=True)
    x, y = to_metres.transform(*np.meshgrid(lon, lat))
    write_raster(path, elevation_m(x, y).astype("f4"), west, north, step, 4326, None)


def _write_velocity(path: Path, axis: int) -> None:
    left, top, step = LEFT - 1080, TOP + 1080, 120.0
    x = left + step * (np.arange(round((WIDTH + 2160) / step)) + 0.5)
    y = top - step * (np.arange(round((HEIGHT + 2160) / step)) + 0.5)
    values = velocity_m_per_yr(*np.meshgrid(x, y))[axis].astype("f4")
    write_raster(path, values, left, top, step, EPSG, -32767)


def _write_radar(path: Path, outlines: list[shapely.Polygon]) -> None:
    """Write radar along tracks, some doubtful, some old, some elsewhere."""
    rng = np.random.default_rng(0)
    parts = []
    for i, polygon in enumerate(outlines, 1):
        left, bottom, right, top = polygon.bounds
        along = np.linspace(0, 1, 400)
        for cross in (0.3, 0.5, 0.7):
            x = np.r_[
                left + (right - left) * along,
                np.full(400, left + cross * (right - left)),
            ]
            y = np.r_[
                np.full(400, bottom + cross * (top - bottom)),
                bottom + (top - bottom) * along,
            ]
            parts.append(np.column_stack([x, y, np.full(800, i)]))
    x, y, survey = np.concatenate(parts).T
    thickness = thickness_m(x, y) + rng.normal(0, 3, len(x))
    doubtful = rng.random(len(x)) < 0.02
    thickness[doubtful] *= 3
    to_degrees = Transformer.from_crs(EPSG, 4326, always_xy=True)
    lon, lat = to_degrees.transform(x, y)
    table = pd.DataFrame(
        {
            "GlaThiDa_ID": survey.astype(int),
            "POLITICAL_UNIT": "CH",
            "SURVEY_DATE": np.where(survey % 2 == 1, 20110415, 20089999),
            "POINT_ID": np.arange(len(x)),
            "POINT_LAT": lat.round(7),
            "POINT_LON": lon.round(7),
            "ELEVATION": elevation_m(x, y).round(),
            "THICKNESS": thickness.round(1),
            "THICKNESS_UNCERTAINTY": 5.0,
            "DATA_FLAG": np.where(doubtful, "doubtful", None),
        }
    )
    old = table[:50].assign(SURVEY_DATE=19509999, THICKNESS=400.0)
    elsewhere = table[:80].assign(POINT_LON=-140.0, POINT_LAT=60.0)
    pd.concat([table, old, elsewhere]).to_csv(path, index=False)
