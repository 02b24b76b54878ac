"""What one would have of a made-up region: outlines, rasters and profiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage

from glacier_inversion.demo.ice_flow import Values
from glacier_inversion.demo.mountains import Mountains, correlated_noise
from glacier_inversion.files import unwritable
from glacier_inversion.geodata.geotiffs import geotiff_writer
from glacier_inversion.grid import Grid

EPSG = 2056  # LV95, Switzerland
VELOCITY_EPSG = 32632  # UTM zone 32 north
_THINNEST = 5.0  # ice that is outlined, m
_SMALLEST = 0.2  # glacier, km2


@dataclass(frozen=True)
class Glacier:
    """
    A glacier of the region.

    Attributes
    ----------
    id, name, split : str
    polygon : shapely.Polygon, EPSG:2056
    floor : shapely.LineString, EPSG:2056
        Along its valley, from head to snout.
    """

    id: str
    name: str
    split: str
    polygon: shapely.Polygon
    floor: shapely.LineString


def region_grid(mountains: Mountains) -> Grid:
    """Return the grid of a region, in EPSG:2056."""
    n_rows, n_cols = mountains.bed.shape
    left, bottom = mountains.corner
    top = bottom + n_rows * mountains.cell_size
    return Grid(left, top, mountains.cell_size, n_rows, n_cols)


def find_glaciers(mountains: Mountains, thickness: Values) -> list[Glacier]:
    """
    Outline the glacier of each valley, from west to east.

    It is the largest connected body of ice of 5 m at least, if it covers 0.2 km2. The
    western 60 % of the glaciers train, the next 15 % validate and the eastern rest
    tests: neighbours share weather and rock, so splits side by side would flatter.
    """
    grid = region_grid(mountains)
    middle = (grid.bounds[1] + grid.top) / 2
    found = []
    for number, floor in enumerate(mountains.floors):
        bodies, _ = ndimage.label(
            (mountains.valley == number) & (thickness >= _THINNEST)
        )
        sizes = np.bincount(bodies.ravel())
        sizes[0] = 0
        if len(sizes) == 1 or sizes.max() * grid.resolution**2 < _SMALLEST * 1e6:
            continue
        body = (bodies == sizes.argmax()).astype(np.uint8)
        shapes = rasterio.features.shapes(
            body, body == 1, transform=Affine(*grid.transform)
        )
        polygon = shapely.geometry.shape(next(shapes)[0])
        line = shapely.LineString(floor + np.array(mountains.corner))
        found.append((polygon, shapely.intersection(line, polygon)))
    found.sort(key=lambda glacier: glacier[0].centroid.x)
    n_train, n_validation = round(0.6 * len(found)), round(0.15 * len(found))
    splits = ["train"] * n_train + ["validation"] * n_validation
    splits += ["test"] * (len(found) - len(splits))
    glaciers = []
    for i, ((polygon, floor), split) in enumerate(zip(found, splits, strict=True), 1):
        side = "North" if polygon.centroid.y > middle else "South"
        parts = shapely.get_parts(floor)
        longest = parts[shapely.length(parts).argmax()]
        glaciers.append(
            Glacier(f"G{i:02d}", f"{side} Glacier {i}", split, polygon, longest)
        )
    return glaciers


def write_observations(
    folder: Path,
    mountains: Mountains,
    thickness: Values,
    velocity: tuple[Values, Values],
    glaciers: list[Glacier],
    seed: int,
) -> None:
    """
    Write a region as its observers would have it, with their errors.

    The elevation has an error of 1.5 m (std) that is correlated over hundreds of
    metres, and the slope follows from it. The velocity is on a grid of 100 m in another
    CRS, each component with a correlated error of 2 m/yr, and 5 % of it are missing in
    patches. Radar flew along each glacier and across it every 700 m, with errors of 3 m
    and 3 %. All GeoTIFFs are float32, NaN where nothing is known.

    Parameters
    ----------
    folder : Path
    thickness : float64 array, shape (n_rows, n_cols), m
    velocity : (east, north), float64 arrays, shape (n_rows, n_cols), m/yr
    seed : int
        Of the errors.
    """
    rng = np.random.default_rng(seed)
    grid = region_grid(mountains)
    shape, cell = mountains.bed.shape, mountains.cell_size
    error = 1.5 * correlated_noise(rng, shape, cell, 1.0, (100.0, 2000.0))
    elevation = mountains.bed + thickness + error
    radar = _fly(rng, grid, thickness, glaciers)
    _write(folder / "dem.tif", elevation, grid, EPSG, "m")
    _write(folder / "slope.tif", horn_slope(elevation, cell), grid, EPSG, "degree")
    _write(folder / "thickness_true.tif", thickness, grid, EPSG, "m")
    _write(folder / "thickness_radar.tif", radar, grid, EPSG, "m")
    on_ice = np.where(thickness >= _THINNEST, thickness, np.nan)
    _write(folder / "thickness_on_ice.tif", on_ice, grid, EPSG, "m")
    east, north, theirs = _track(rng, grid, velocity)
    _write(folder / "vx.tif", east, theirs, VELOCITY_EPSG, "m/yr")
    _write(folder / "vy.tif", north, theirs, VELOCITY_EPSG, "m/yr")
    speed = np.hypot(east, north)
    _write(folder / "speed.tif", speed, theirs, VELOCITY_EPSG, "m/yr")
    _write_vectors(folder, glaciers)


def horn_slope(elevation: Values, cell_size: float) -> Values:
    """
    Compute the slope with the eight neighbours of each cell (Horn 1981), degrees.

    Beyond the border the elevation stays what it is there; NaN spreads by a cell.

    >>> rise = np.arange(4.0) * 50 + np.zeros((3, 1))
    >>> horn_slope(rise, 50.0)[1, 1:3].round(6).tolist()
    [45.0, 45.0]
    """
    eastwards, southwards = (
        ndimage.sobel(elevation, axis=axis, mode="nearest") / (8 * cell_size)
        for axis in (1, 0)
    )
    result: Values = np.degrees(np.arctan(np.hypot(eastwards, southwards)))
    return result


def _fly(
    rng: np.random.Generator, grid: Grid, thickness: Values, glaciers: list[Glacier]
) -> Values:
    """Measure the thickness along tracks; NaN elsewhere."""
    radar = np.full(thickness.shape, np.nan)
    for glacier in glaciers:
        tracks = [glacier.floor]
        stops = np.arange(300.0, glacier.floor.length - 100, 700.0)
        for at in stops:
            here, ahead = (
                np.array(glacier.floor.interpolate(d).coords[0]) for d in (at, at + 50)
            )
            aside = (ahead - here)[::-1] * (1, -1) / np.hypot(*(ahead - here))
            across = shapely.LineString((here - 2000 * aside, here + 2000 * aside))
            tracks.append(shapely.intersection(across, glacier.polygon))
        points = np.vstack(
            [shapely.get_coordinates(shapely.segmentize(t, 25.0)) for t in tracks]
        )
        rows = ((grid.top - points[:, 1]) // grid.resolution).astype(int)
        columns = ((points[:, 0] - grid.left) // grid.resolution).astype(int)
        rows, columns = np.unique((rows, columns), axis=1)
        known = thickness[rows, columns]
        error = (3.0 + 0.03 * known) * rng.standard_normal(len(known))
        radar[rows, columns] = np.maximum(known + error, 0)
    return radar


def _track(
    rng: np.random.Generator, grid: Grid, velocity: tuple[Values, Values]
) -> tuple[Values, Values, Grid]:
    """Measure the velocity on a grid of 100 m in another CRS, with errors and gaps."""
    to_theirs = Transformer.from_crs(EPSG, VELOCITY_EPSG, always_xy=True)
    bounds = to_theirs.transform_bounds(*grid.bounds)
    left, bottom = (np.floor(side / 100) * 100 for side in bounds[:2])
    right, top = (np.ceil(side / 100) * 100 for side in bounds[2:])
    theirs = Grid.from_bounds((left, bottom, right, top), 100.0)
    x, y = theirs.centres()
    ours_x, ours_y = to_theirs.transform(x, y, direction="INVERSE")
    places = (
        (grid.top - ours_y) / grid.resolution - 0.5,
        (ours_x - grid.left) / grid.resolution - 0.5,
    )
    # over about one of their cells: a Gaussian of a box's variance
    width = theirs.resolution / grid.resolution / np.sqrt(12)
    smooth = (ndimage.gaussian_filter(component, width) for component in velocity)
    east, north = (
        ndimage.map_coordinates(component, places, order=1, cval=np.nan)
        for component in smooth
    )
    # a year's displacement, in their CRS
    moved_x, moved_y = to_theirs.transform(ours_x + east, ours_y + north)
    missing = correlated_noise(rng, theirs.shape, 100.0, 1.5, (300.0, 3000.0)) > 1.65
    components = []
    for component in (moved_x - x, moved_y - y):
        error = correlated_noise(rng, theirs.shape, 100.0, 1.0, (200.0, 3000.0))
        components.append(np.where(missing, np.nan, component + 2 * error))
    return components[0], components[1], theirs


def _write(path: Path, values: Values, grid: Grid, epsg: int, unit: str) -> None:
    numbers: NDArray[np.float32] = np.where(np.isfinite(values), values, np.nan).astype(
        np.float32
    )
    with geotiff_writer(path, grid, epsg, {}, unit) as write:
        write(numbers, slice(0, grid.n_rows), slice(0, grid.n_cols))


def _write_vectors(folder: Path, glaciers: list[Glacier]) -> None:
    """Write the outlines, and lines along and across the largest test glaciers."""
    outlines = geopandas.GeoDataFrame(
        {
            "id": [glacier.id for glacier in glaciers],
            "name": [glacier.name for glacier in glaciers],
            "split": [glacier.split for glacier in glaciers],
        },
        geometry=[glacier.polygon for glacier in glaciers],
        crs=EPSG,
    )
    _write_table(folder / "glaciers.shp", outlines)
    tested = [glacier for glacier in glaciers if glacier.split == "test"]
    tested.sort(key=lambda glacier: -glacier.polygon.area)
    floors = geopandas.GeoDataFrame(
        {"name": [glacier.id for glacier in tested[:3]]},
        geometry=[glacier.floor for glacier in tested[:3]],
        crs=EPSG,
    )
    (folder / "profiles").mkdir()  # folder is one that is being made
    _write_table(folder / "profiles" / "centrelines.shp", floors)


def _write_table(path: Path, table: geopandas.GeoDataFrame) -> None:
    """Write a shapefile and read it again, as OGR says little of a full disk."""
    try:
        table.to_file(path)
        there = geopandas.read_file(path)
    except RuntimeError as error:  # of which all errors of pyogrio are
        raise unwritable(path, error) from error
    same = [
        there[name].tolist() == table[name].tolist()
        for name in table.columns.drop("geometry")
    ]
    if not (all(same) and there.geom_equals(table).all()):
        raise unwritable(path, "it does not hold what was written")
