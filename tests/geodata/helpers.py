"""Rasters around a grid."""

import os
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from pyproj import CRS, Transformer

from glacier_inversion.geodata.rasters import open_source
from glacier_inversion.grid import Grid
from tests.synthetic import EPSG, NODATA, write_raster

GRID = Grid(420_600.0, 5_149_400.0, 50.0, 31, 44)


def source(path, resolution=50.0, epsg=EPSG, band=1, nodata=None, resampling=None):
    """Open a source with the defaults of an experiment."""
    numbers = [nodata] if isinstance(nodata, (int, float)) else nodata
    return open_source(path, band, numbers, resampling, resolution, epsg)


def noise(path, epsg, resolution=20.0, dtype="f4"):
    """Write a raster of noise with holes around GRID."""
    rng = np.random.default_rng(1)
    values = (rng.normal(size=(260, 310)) * 1000).astype(dtype)
    values[rng.random(values.shape) < 0.1] = NODATA
    left, bottom, right, top = GRID.bounds
    if epsg != EPSG:
        left, _, _, top = rasterio.warp.transform_bounds(
            f"EPSG:{EPSG}", f"EPSG:{epsg}", left, bottom, right, top
        )
    write_raster(path, values, left - 1007, top + 1003, resolution, epsg)
    return path


def write_masked_vrt(path, raster, mask, of_band=False):
    """Write a VRT of a raster that another hides, as a whole or its band alone."""

    def band(file, dtype):
        name = escape(os.path.relpath(file, path.parent))
        return (
            f'<VRTRasterBand dataType="{dtype}" band="1"><SimpleSource><SourceFilename '
            f'relativeToVRT="1">{name}</SourceFilename></SimpleSource></VRTRasterBand>'
        )

    with rasterio.open(raster) as src:
        size = f'rasterXSize="{src.width}" rasterYSize="{src.height}"'
        place = ", ".join(map(str, src.transform.to_gdal()))
        crs = src.crs.to_string()
    data, hiding = band(raster, "Float32"), f"<MaskBand>{band(mask, 'Byte')}</MaskBand>"
    if of_band:
        data = data.replace("</VRTRaster", f"{hiding}</VRTRaster")
    path.write_text(
        f"<VRTDataset {size}><SRS>{crs}</SRS><GeoTransform>{place}</GeoTransform>"
        f"{data}{'' if of_band else hiding}</VRTDataset>"
    )
    return path


def components(azimuth, length, x, y, epsg):
    """Return vectors towards an azimuth from true north, along the axes of a CRS."""
    crs = CRS.from_epsg(epsg)
    if crs.is_geographic:
        angle = np.radians(np.full(np.shape(x), azimuth))
        return length * np.sin(angle), length * np.cos(angle)
    to_map = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    lon, lat = to_map.transform(x, y, direction="INVERSE")
    step = np.full(np.shape(x), 1.0)  # metres
    lon, lat, _ = crs.get_geod().fwd(lon, lat, azimuth * step, step)
    to_x, to_y = to_map.transform(lon, lat)
    norm = length / np.hypot(to_x - x, to_y - y)
    return norm * (to_x - x), norm * (to_y - y)


def azimuths(along_x, along_y, x, y, epsg):
    """Return where vectors of a projected CRS lead, in degrees from true north."""
    crs = CRS.from_epsg(epsg)
    to_ground = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    norm = np.hypot(along_x, along_y).astype(float)
    ends = x + along_x / norm, y + along_y / norm  # a metre further
    return crs.get_geod().inv(*to_ground.transform(x, y), *to_ground.transform(*ends))[
        0
    ]
