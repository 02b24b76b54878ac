"""The user's rasters: what they hold, and how they are warped by GDAL."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.transform import Affine
from rasterio.windows import Window

from glacier_inversion import choices
from glacier_inversion.errors import RasterError, first_line
from glacier_inversion.geodata.ascii_grids import find_lines
from glacier_inversion.geodata.geotiffs import opened
from glacier_inversion.geodata.open_rasters import OpenRasters
from glacier_inversion.geodata.pixel_sizes import measure_pixel
from glacier_inversion.geodata.resampling import resample
from glacier_inversion.geodata.usual_nodata import undeclared, usual_nodata
from glacier_inversion.geodata.vrts import find_files
from glacier_inversion.geodata.warping import Warping, columns_of_file
from glacier_inversion.grid import Grid
from glacier_inversion.sharing.executors import ending_if_stuck

# Whole numbers of these types are exact in float32.
_SHORT = ("u1", "i1", "u2", "i2", "f4", "f2")
_MOST = float(np.finfo("f4").max)  # that a tile can hold


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
    nodata : tuple of float
        The numbers that mean no data: the experiment's, else what the file declares.
    unit : str, optional
    pixel_size : float
        In the units of the tiles' CRS, as `measure_pixel` gives it.
    warping : Warping
        Where its pixels lie, and how tiles are made from them.
    masked : bool
        Whether a mask, inside the file or beside it, hides pixels that are no data.
    opacity : int, optional
        The band that is 0 where there is no data.
    pictured : str, optional
        What of a picture the band holds, by its colour interpretation: then its numbers
        are hardly a quantity.
    """

    path: Path
    files: tuple[Path, ...]
    band: int
    nodata: tuple[float, ...]
    unit: str | None
    pixel_size: float
    warping: Warping
    masked: bool = False
    opacity: int | None = None
    pictured: str | None = None

    def resampled_by(self, method: choices.Resampling) -> Source:
        """Return the same file, resampled in another way."""
        return replace(self, warping=replace(self.warping, method=method))


def open_source(
    path: Path,
    band: int,
    nodata: Sequence[float] | None,
    resampling: choices.Resampling | None,
    resolution: float,
    epsg: int,
) -> Source:
    """
    Check that a raster can be warped, and choose its resampling where it is None.

    That is ``average`` when the tiles' pixels are at least twice the file's in size,
    else ``bilinear``. The file's pixel is measured in the CRS of the tiles, as
    `measure_pixel` says.

    Raises
    ------
    RasterError
        The file is missing, no raster, has no CRS or transform, or no such band.
    """
    files = find_files(path)
    with opened(path) as src:
        if band > src.count:
            message = (
                f"{path}: has no band {band}. Must be 1 to {src.count}. Change 'band'."
            )
            raise RasterError(message)
        if src.crs is None and src.gcps[0]:
            message = (
                f"{path}: says by {len(src.gcps[0])} control points alone where it is. "
                "Must have a CRS and an affine transform. Warp it by them, with "
                "'gdalwarp -t_srs EPSG:2056', for example."
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
        a, b, _, d, e, _ = src.transform[:6]
        if not np.isfinite(src.transform[:6]).all() or a * e - b * d == 0:
            shown = ", ".join(f"{number:g}" for number in src.transform[:6])
            message = (
                f"{path}: its transform ({shown}) gives pixels no place. Must be "
                "finite, and pixels must have an area. Assign another with "
                "'gdal_translate -a_ullr', or warp it anew."
            )
            raise RasterError(message)
        dtype, declared = src.dtypes[band - 1], src.nodatavals[band - 1]
        if "complex" in dtype:
            message = (
                f"{path}: band {band} holds complex numbers ({dtype}). Must hold real "
                "ones. Write its real part or its amplitude to a file of its own."
            )
            raise RasterError(message)
        scale, offset = src.scales[band - 1], src.offsets[band - 1]
        if scale == 0 or not math.isfinite(scale) or not math.isfinite(offset):
            message = (
                f"{path}: band {band} has the scale {scale:g} and the offset "
                f"{offset:g}, which leave nothing of its values. Must be finite, and "
                "the scale not 0. Correct them with 'gdal_edit.py -scale -offset'."
            )
            raise RasterError(message)
        # one that no pixel can hold marks none: rounded, it might be another number
        numbers = [] if declared is None or not _fits(declared, dtype) else [declared]
        if nodata is not None:
            numbers = [float(number) for number in nodata]
            for number in numbers:
                if not _fits(number, dtype):
                    message = (
                        f"{path}: nodata {number:g} is no {dtype}, the type of the "
                        "file. Must be a value that it can hold. Correct 'nodata'."
                    )
                    raise RasterError(message)
        warping = Warping(
            resampling or "bilinear",
            epsg,
            src.crs.to_wkt(),
            tuple(src.transform)[:6],
            (src.height, src.width),
        )
        try:
            pixel_size = measure_pixel(warping)
        except ProjError as error:
            message = (
                f"{path}: its CRS cannot be transformed to EPSG:{epsg} "
                f"({first_line(error)}). Must be one that PROJ knows. Assign the right "
                "one with 'rio edit-info --crs EPSG:2056 FILE', for example."
            )
            raise RasterError(message) from error
        # 1 % of tolerance: a scale factor between two projections is no choice
        if resampling is None and resolution / pixel_size > 2 * 0.99:
            warping = replace(warping, method="average")
        return Source(
            path,
            files,
            band,
            tuple(numbers),
            src.units[band - 1],
            pixel_size,
            warping,
            _is_masked(src.mask_flag_enums[band - 1]),
            _find_opacity(src, band),
            _find_pictured(src, band),
        )


def _is_masked(kinds: Sequence[MaskFlags]) -> bool:
    """Tell whether a band has a mask; one of the band alone is of no kind."""
    elsewhere = {MaskFlags.all_valid, MaskFlags.alpha} & {*kinds}
    return not elsewhere and [*kinds] != [MaskFlags.nodata]


def _find_opacity(src: Any, band: int) -> int | None:
    """Return the band of opacity beside a band, of any type."""
    kinds = enumerate(src.colorinterp, 1)
    bands = (other for other, kind in kinds if kind == ColorInterp.alpha)
    return next((other for other in bands if other != band), None)


def _find_pictured(src: Any, band: int) -> str | None:
    """
    Return what of a picture a band holds, by what the file says of its colours.

    Red, green and blue are a picture's in bytes alone: wider ones are a satellite's.
    """
    kind = src.colorinterp[band - 1].name
    if kind in ("red", "green", "blue") and src.dtypes[band - 1] == "uint8":
        return f"the {kind} of a picture"
    return {
        "palette": "indices into a colour table",
        "alpha": "the opacity of a picture",
    }.get(kind)


def _fits(number: float, dtype: str) -> bool:
    """
    Tell whether a type of pixels can hold a number, rounded as it rounds.

    >>> _fits(-3.4028235e38, "float32"), _fits(-1e39, "float32"), _fits(0.5, "int16")
    (True, False, False)
    """
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return number.is_integer() and limits.min <= number <= limits.max
    with np.errstate(over="ignore"):
        return not math.isfinite(number) or bool(
            np.isfinite(np.dtype(dtype).type(number))
        )


def warp(
    source: Source, grid: Grid, files: OpenRasters | None = None
) -> NDArray[np.float32]:
    """
    Resample a raster onto *grid* with GDAL's warper.

    Places are transformed exactly, as by ``gdalwarp -et 0``, and kernels are as wide in
    all of the tile. What is no data takes no part in the resampling: the source's
    nodata numbers, what its mask or opacity hides, NaN and what float32 cannot hold. A
    band's scale and offset are applied. What the file does not cover is NaN. No more of
    the file is read than the grid needs, and no more at once than memory holds.

    Parameters
    ----------
    files : OpenRasters, optional
        Where the file is opened, to stay so. By default it is closed again.

    Returns
    -------
    tile : float32 array, shape (grid.n_rows, grid.n_cols), the raster's unit

    Raises
    ------
    RasterError
        The file cannot be read, or holds a usual nodata value that nobody named.
    """
    tile = np.empty(grid.shape, dtype=np.float32)
    for rows, cols, values in warp_parts(source, grid, files):
        tile[rows, cols] = values
    return tile


def warp_parts(
    source: Source, grid: Grid, files: OpenRasters | None = None
) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """
    Resample a raster as `warp` does, a part of the grid after the other.

    Yields
    ------
    rows, cols : slice
        Of the grid. Together the parts cover it.
    values : float32 array, of their shape
    """
    warping, scales = source.warping, source.warping.scales(grid)
    with (files.reading if files else opened)(source.path) as src:
        scale, offset = src.scales[source.band - 1], src.offsets[source.band - 1]
        blocks = itertools.groupby(warping.blocks(grid), key=lambda block: block[:2])
        for (rows, cols), windows in blocks:
            part = grid.window(rows, cols)
            tile = np.full(part.shape, np.nan, dtype=np.float32)
            # a block comes twice where it lies across the ends of the file
            for _, _, file_rows, file_cols in windows:
                with ending_if_stuck():
                    values = _read_known(src, source, file_rows, file_cols)
                    if np.isfinite(values).any():
                        corner = file_rows.start, file_cols.start
                        made = resample(values, corner, warping, part, scales)
                        tile = np.where(np.isnan(tile), made, tile)
            if (scale, offset) != (1.0, 0.0):
                tile *= np.float32(scale)
                tile += np.float32(offset)
            tile[np.isinf(tile)] = np.nan
            yield rows, cols, tile


def _read_known(src: Any, source: Source, rows: slice, cols: slice) -> NDArray[Any]:
    """Read a window of a file as floats, NaN where it holds no data."""
    find_lines(src, rows.start)
    values = _read_around(src.read, source.band, rows, cols, src.width)
    dtype, kind = values.dtype, values.dtype.name
    named = np.zeros(values.shape, dtype=np.bool_)
    if source.masked:
        named |= _read_around(src.read_masks, source.band, rows, cols, src.width) == 0
    if source.opacity is not None:
        named |= _read_around(src.read, source.opacity, rows, cols, src.width) == 0
    for number in source.nodata:
        named |= (
            np.isnan(values) if math.isnan(number) else values == dtype.type(number)
        )
    for number in usual_nodata(src, source.band, source.nodata):
        if _fits(number, kind) and bool(
            ((values == dtype.type(number)) & ~named).any()
        ):
            raise RasterError(undeclared(source.path, source.nodata, number))
    known: NDArray[Any] = values.astype("f4" if dtype.str[1:] in _SHORT else "f8")
    known[named | ~(np.abs(known) <= _MOST)] = np.nan
    return known


def _read_around(
    read: Callable[..., NDArray[Any]], band: int, rows: slice, cols: slice, n_cols: int
) -> NDArray[Any]:
    """Read a window of a file, whose columns may lie beyond its ends."""
    parts = [
        read(band, window=Window.from_slices(rows, part))
        for part in columns_of_file(cols, n_cols)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
