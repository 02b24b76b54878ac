"""Beds: the surface minus what each member predicts of the thickness."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.maps import MapExtent, PredictedBlock
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.grid import exact
from glacier_inversion.patches.interpolation import interpolate
from glacier_inversion.patches.lattice import Layout


def with_bed(
    values: PredictedBlock,
    bed: Bed,
    dataset: BuiltDataset,
    extent: MapExtent,
    layout: Layout,
) -> PredictedBlock:
    """
    Add the bed of every member to what is predicted within a block.

    It is the surface minus the thickness, metres, and the surface itself where the
    thickness is below 0; NaN where either is. So statistics over the members are those
    of beds: the std is that of the thickness that is not below 0. What is calibrated
    follows from the thickness, as `CalibratedOutput` says, and so does the target,
    where that of the thickness is known. The noise is that of the thickness.

    Raises
    ------
    DatasetError
        The tile of the surface is missing or damaged.
    """
    everywhere = read_raster_at(bed.surface, values, dataset, extent, layout)
    surface = everywhere[values.predicted]
    of_members = surface - np.maximum(values.values[bed.thickness], 0)
    targets = dict(values.targets)
    if bed.thickness in targets:
        thickness = np.maximum(targets[bed.thickness], 0)  # keeps NaN
        targets[bed.output] = everywhere[values.wanted] - thickness
    calibrated = dict(values.calibrated)
    if bed.thickness in calibrated:
        calibrated[bed.output] = replace(calibrated[bed.thickness], surface=surface)
    noise = dict(values.noise)
    if bed.thickness in noise:
        of_thickness = noise[bed.thickness]
        noise[bed.output] = np.where(np.isnan(surface), np.float32("nan"), of_thickness)
    return replace(
        values,
        values={**values.values, bed.output: of_members},
        targets=targets,
        calibrated=calibrated,
        surface=everywhere,
        noise=noise,
    )


def read_raster_at(
    raster: str,
    values: PredictedBlock,
    dataset: BuiltDataset,
    extent: MapExtent,
    layout: Layout,
) -> NDArray[np.float32]:
    """
    Return a raster at a block's pixels, read bilinearly as a scalar input is.

    NaN where it is not known. One that is finer than what the model reads is read
    there, too.
    """
    resolution = dataset.resolutions[raster]
    grid = dataset.grid(extent.feature, resolution)
    # pixels of the raster in a finest one of the model's: whole numbers, so that what
    # lies half-way between pixels does so exactly
    per_pixel = exact(layout.resolution) / exact(resolution)
    places, windows = [], []
    for points, n_px in zip(extent.points(values.block), grid.shape, strict=True):
        doubled = (2 * points + layout.window_px) * per_pixel.numerator
        place = doubled / (2 * per_pixel.denominator) - 0.5
        first, last = math.floor(place[0]), math.floor(place[-1]) + 1
        start = min(max(first, 0), n_px - 1)
        windows.append(slice(start, min(max(last, start), n_px - 1) + 1))
        places.append(place - start)
    tile = dataset.read_raster(extent.feature, raster, *windows)
    return interpolate(tile, *places)
