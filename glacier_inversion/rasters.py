"""The user's rasters: what they hold, and how they are warped by GDAL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject
from rasterio.windows import Window

from glacier_inversion.errors import RasterError, first_line
from glacier_inversion.geotiffs import opened
from glacier_inversion.grid import Grid

# Numbers that stand for "no data" where a file does not say so. None of them is a
# slope, a speed, a thickness, an elevation or a class.
_USUAL_NODATA = (-9999.0, -99999.0, -32768.0, -32767.0, float(np.finfo("f4").min), 1e20)


@dataclass(frozen=True)
class Source:
    """
    A raster file as an experiment describes it, checked.

    Attributes
    ----------
    path : Path
    files : tuple of Path
        With sidecars and what a VRT refers to.
    band : int
    nodata : float, optional
        Overrides `declared_nodata`, which the file declares.
    resampling : str
    unit : str, optional
    crs_wkt : str
    shape : tuple of int
        Numbers of rows and columns.
    transform : tuple of float
        From (col, row) to (x, y) in the file's CRS.
    pixel_size : float
        In the middle of the file, in the units of the tiles' CRS.
    """

    path: Path
    files: tuple[Path, ...]
    band: int
    nodata: float | None
    resampling: str
    unit: str | None
    declared_nodata: float | None
    crs_wkt: str
    shape: tuple[int, int]
    transform: tuple[float, float, float, float, float, float]
    pixel_size: float


def open_source(
    path: Path,
    band: int,
    nodata: float | None,
    resampling: str | None,
    resolution: float,
    epsg: int,
) -> Source:
    """
    Check that a raster can be warped, and choose its resampling where it is None.

    That is ``average`` when the tiles' pixels are at least twice the file's in size,
    else ``bilinear``. The file's pixel is measured in the CRS of the tiles, at the
    middle of the file.

    Raises
    ------
    RasterError
        The file is missing, no raster, has no CRS or transform, or no such band.
    """
    with opened(path) as src:
        if band > src.count:
            message = (
                f"{path}: has no band {band}. Must be 1 to {src.count}. Change 'band'."
            )
            raise RasterError(message)
        if src.crs is None:
            message = (
                f"{path}: has no CRS. Must say where it is. Assign it, for example "
                "with 'rio edit-info --crs EPSG:2056 FILE' or 'gdal_edit.py -a_srs'."
            )
            raise RasterError(message)
        if src.transform == Affine.identity():
            message = (
                f"{path}: is not georeferenced. Must have an affine transform. Assign "
                "it with 'gdal_translate -a_ullr', or warp it from its control points."
            )
            raise RasterError(message)
        dtype = src.dtypes[band - 1]
        if nodata is not None and not _fits(nodata, dtype):
            message = (
                f"{path}: nodata {nodata:g} is no {dtype}, the type of the file. Must "
                "be a value that it can hold. Correct 'nodata'."
            )
            raise RasterError(message)
        try:
            pixel_size = _pixel_size(src, epsg)
        except ProjError as error:
            message = (
                f"{path}: its CRS cannot be transformed to EPSG:{epsg} "
                f"({first_line(error)}). Must be one that PROJ knows. Assign the right "
                "one with 'rio edit-info --crs EPSG:2056 FILE', for example."
            )
            raise RasterError(message) from error
        if resampling is None:
            # 1 % of tolerance: a scale factor between two projections is no choice
            coarsening = resolution / pixel_size
            resampling = "average" if coarsening > 2 * 0.99 else "bilinear"
        unit = src.units[band - 1]
        files = tuple(
            sorted({path, *(Path(f) for f in src.files if Path(f).is_file())})
        )
        return Source(
            path,
            files,
            band,
            nodata,
            resampling,
            unit,
            src.nodatavals[band - 1],
            src.crs.to_wkt(),
            (src.height, src.width),
            tuple(src.transform)[:6],
            pixel_size,
        )


def _fits(nodata: float, dtype: str) -> bool:
    """Tell whether a type of pixels can hold a number."""
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    return float(limits.min) <= nodata <= float(limits.max)


def _pixel_size(src: Any, epsg: int) -> float:
    """Return the side of a pixel in the middle of a raster, in the units of *epsg*."""
    to_tiles = Transformer.from_crs(src.crs.to_wkt(), epsg, always_xy=True)
    col, row = src.width / 2, src.height / 2
    a, b, c, d, e, f = src.transform[:6]
    corners = np.array([(col, row), (col + 1, row), (col, row + 1)])
    x, y = to_tiles.transform(
        a * corners[:, 0] + b * corners[:, 1] + c,
        d * corners[:, 0] + e * corners[:, 1] + f,
    )
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    return float(np.sqrt(abs(area)))


def warp(source: Source, epsg: int, grid: Grid) -> NDArray[np.float32]:
    """
    Resample a raster onto *grid* with GDAL's warper.

    Nodata, declared or overridden, takes no part in the resampling; nor does NaN in a
    file of floats without a nodata value. (NaN in a file that has another nodata value
    makes unknown what is computed from it.) A band's scale and offset are applied.
    What the file does not cover, and what is infinite, is NaN. GDAL reads no more of
    the file than the grid needs.

    Returns
    -------
    tile : float32 array, shape (grid.n_rows, grid.n_cols), the raster's unit

    Raises
    ------
    RasterError
        The file cannot be read, or holds a usual nodata value that nobody declared.
    """
    tile = np.full(grid.shape, np.nan, dtype=np.float32)
    with opened(source.path) as src:
        nodata = src.nodata if source.nodata is None else source.nodata
        if nodata is None and np.issubdtype(src.dtypes[source.band - 1], np.floating):
            nodata = float("nan")
        if src.nodata is None and source.nodata is None:
            _check_undeclared(src, source, epsg, grid)
        reproject(
            rasterio.band(src, source.band),
            tile,
            src_nodata=nodata,
            dst_transform=Affine(*grid.transform),
            dst_crs=CRS.from_epsg(epsg),
            dst_nodata=float("nan"),
            resampling=Resampling[source.resampling],
            num_threads=1,
        )
        scale, offset = src.scales[source.band - 1], src.offsets[source.band - 1]
    if (scale, offset) != (1.0, 0.0):
        tile = (tile * np.float32(scale) + np.float32(offset)).astype(np.float32)
    tile[np.isinf(tile)] = np.nan
    return tile


def _source_window(src: Any, epsg: int, grid: Grid) -> Window | None:
    """Return the pixels of a file around *grid*, None where it has none there."""
    left, bottom, right, top = grid.bounds
    x, y = np.meshgrid(np.linspace(left, right, 33), np.linspace(bottom, top, 33))
    to_file = Transformer.from_crs(epsg, src.crs.to_wkt(), always_xy=True)
    x, y = to_file.transform(x.ravel(), y.ravel())
    a, b, c, d, e, f = (~src.transform)[:6]
    col, row = a * x + b * y + c, d * x + e * y + f
    known = np.isfinite(col) & np.isfinite(row)
    if not known.any():
        return None
    low_row, low_col = (max(int(v[known].min()) - 2, 0) for v in (row, col))
    high_row = min(int(row[known].max()) + 3, src.height)
    high_col = min(int(col[known].max()) + 3, src.width)
    if low_row >= high_row or low_col >= high_col:
        return None
    return Window.from_slices((low_row, high_row), (low_col, high_col))


def _check_undeclared(src: Any, source: Source, epsg: int, grid: Grid) -> None:
    """Refuse a file that holds a usual nodata value around *grid*, undeclared."""
    window = _source_window(src, epsg, grid)
    if window is None:
        return
    dtype = np.dtype(src.dtypes[source.band - 1])
    wanted = (
        [v for v in _USUAL_NODATA if dtype.type(v) == v]
        if dtype.kind == "f"
        else [
            v
            for v in _USUAL_NODATA
            if dtype.kind == "i"
            and v >= np.iinfo(dtype).min
            and v <= np.iinfo(dtype).max
        ]
    )
    n_rows = max(1, 2**22 // max(1, int(window.width)))  # some 16 MB at a time
    for row in range(int(window.row_off), int(window.row_off + window.height), n_rows):
        height = min(n_rows, int(window.row_off + window.height) - row)
        part = Window(window.col_off, row, window.width, height)
        values = src.read(source.band, window=part)
        found = [v for v in wanted if (values == dtype.type(v)).any()]
        if found:
            message = (
                f"{source.path}: holds {found[0]:g} but declares no nodata value. Must "
                f'say what is no data. Add "nodata": {found[0]:g} to the raster in the '
                "experiment."
            )
            raise RasterError(message)
