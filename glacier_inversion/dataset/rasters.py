"""The rasters of a dataset on any grid: warped, derived, or gridded from points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glacier_inversion import choices
from glacier_inversion.dataset.computation import Place, Values, find_computation
from glacier_inversion.dataset.ice import Ice
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.point_targets import PointTargets
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.geodata.convergence import turn_to_tile_axes
from glacier_inversion.geodata.open_rasters import OpenRasters
from glacier_inversion.geodata.points import PointSource
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.geodata.rasters import Source, warp, warp_parts
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Grid, snap_bounds

_NO_ICE = Ice({})


@dataclass(frozen=True)
class Rasters:
    """
    The rasters of a dataset, those that are derived from others too.

    A derived raster is computed with as many pixels around as it depends on, so it has
    no seams: a pixel has the same value whichever tile it lies in.

    Attributes
    ----------
    description : DatasetDescription
    sources : mapping of Source
        The files that can be used, by raster.
    points : mapping of PointTargets
        Those of the files of points that can be used, by raster.
    ice : Ice
        Where it is, of all outlines.
    files : OpenRasters
        The files that were read: who reads them closes them.
    """

    description: DatasetDescription
    sources: Mapping[str, Source]
    points: Mapping[str, PointTargets]
    ice: Ice = field(repr=False)
    files: OpenRasters = field(default_factory=OpenRasters, repr=False)
    _ranges: dict[tuple[str, int, float], tuple[float, float]] = field(
        default_factory=dict, repr=False
    )
    _turned: dict[tuple[str, str, Grid], list[NDArray[np.float32]]] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def of(
        cls,
        description: DatasetDescription,
        sources: Mapping[str, Source],
        points: Mapping[str, PointSource],
        ownership: Ownership,
    ) -> Rasters:
        """Take the outlines for ice, where any raster depends on them."""
        derived = [raster.derive for raster in description.rasters]
        uses_outlines = any(d is not None and d.uses_outlines for d in derived)
        return cls(
            description,
            sources,
            {name: PointTargets(source, ownership) for name, source in points.items()},
            Ice(ownership.outlines) if uses_outlines else _NO_ICE,
        )

    @cached_property  # of a thousand rasters it takes a second
    def usable(self) -> list[str]:
        """The rasters whose files can be used, in the order of the description."""
        there = self.sources.keys() | self.points.keys()
        return [
            raster.name
            for raster in self.description.rasters
            if all(
                used.derive is not None or there >= self._read_for(used)
                for used in (raster, *self.description.ancestors(raster.name))
            )
        ]

    @cached_property
    def reaches(self) -> dict[str, int]:
        """Pixels to each side that a value depends on, by raster; 0 of a file's own."""
        found: dict[str, int] = {}

        def reach(name: str) -> int:
            if name not in found:
                raster = self.description.raster(name)
                derive, found[name] = raster.derive, 0
                if derive is not None:
                    given = max(map(reach, derive.rasters), default=0)
                    found[name] = derive.reach_px(raster.resolution) + given
            return found[name]

        for raster in self.description.rasters:
            reach(raster.name)
        return found

    def _read_for(self, raster: Raster) -> set[str]:
        """Return the rasters whose files are read for one that has a file."""
        return {raster.name, *(self.description.pair_of(raster.name) or [])}

    def unit(self, name: str) -> str | None:
        """Return the unit of a raster's values: the experiment's, else its own."""
        raster = self.description.raster(name)
        if raster.unit:
            return raster.unit
        if raster.derive is None:
            points = self.points.get(name)
            return self.sources[name].unit if points is None else points.source.unit
        return raster.derive.unit([self.unit(of) for of in raster.derive.rasters])

    def warping(self, name: str) -> Warping | None:
        """Return how a raster is made from its file; None of points."""
        return None if name in self.points else self.sources[name].warping

    def resampled_by(self, method: choices.Resampling) -> Rasters:
        """Return the same rasters, their files resampled in another way."""
        sources = {n: s.resampled_by(method) for n, s in self.sources.items()}
        return replace(self, sources=sources, _ranges={}, _turned={})

    def tile(self, name: str, grid: Grid, feature: str) -> NDArray[np.float32]:
        """
        Return the values of a raster on *grid*, for the tile of a feature.

        As `on` does; of points those that are the feature's own.
        """
        if name in self.points:
            return self.points[name].cells(feature, grid).tile()
        return self.on(name, grid)

    def is_warped(self, name: str) -> bool:
        """Tell whether a raster is a file's, and needs nothing but to be resampled."""
        return (
            name in self.sources
            and turned_with(self.description, self.sources, name) is None
        )

    def parts(
        self, name: str, grid: Grid
    ) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        """Yield the values of a raster that `is_warped`, as `warp_parts` does."""
        return warp_parts(self.sources[name], grid, self.files)

    def on(
        self, name: str, grid: Grid, made: dict[tuple[str, Grid], Values] | None = None
    ) -> NDArray[np.float32]:
        """
        Return the values of a raster on *grid*, NaN where unknown.

        Not of points: whose they are depends on the feature.

        Parameters
        ----------
        made : dict, optional
            Rasters that were made on the way to it, which serve again.

        Returns
        -------
        values : float32 array, shape (grid.n_rows, grid.n_cols), the raster's unit

        Raises
        ------
        RasterError
            A file that it needs cannot be read.
        """
        derivation = self.description.raster(name).derive
        if derivation is None:
            return self._read(name, grid)
        made = {} if made is None else made
        reach = derivation.reach_px(grid.resolution)
        wide = grid.grown(reach)
        values = find_computation(derivation.name).compute(
            derivation,
            [self._given(of, wide, made) for of in derivation.rasters],
            Place(
                wide,
                self.ice,
                lambda outline: self._range(
                    derivation.rasters[0], outline, grid.resolution
                ),
            ),
        )
        own = slice(reach, reach + grid.n_rows), slice(reach, reach + grid.n_cols)
        with np.errstate(over="ignore"):  # it is unknown then
            tile: NDArray[np.float32] = values[own].astype(np.float32)
        tile[np.isinf(tile)] = np.nan
        return tile

    def _read(self, name: str, grid: Grid) -> NDArray[np.float32]:
        """Return what the file holds; of a component, along the axes of the tiles."""
        pair = turned_with(self.description, self.sources, name)
        if pair is None:
            return warp(self.sources[name], grid, self.files)
        first, second = pair
        if (first, second, grid) not in self._turned:
            along_x, along_y = (warp(self.sources[c], grid, self.files) for c in pair)
            warping = self.sources[name].warping
            turned = turn_to_tile_axes(along_x, along_y, warping, grid)
            self._turned.clear()  # the other one is mostly asked for next
            self._turned[first, second, grid] = [*turned]
        return self._turned[first, second, grid][pair.index(name)].copy()

    def _given(
        self, name: str, grid: Grid, made: dict[tuple[str, Grid], Values]
    ) -> Values:
        """Return values as a tile holds them, to compute with."""
        if (name, grid) not in made:
            made[name, grid] = self.on(name, grid, made).astype(np.float64)
        return made[name, grid]

    def _range(self, name: str, outline: int, resolution: float) -> tuple[float, float]:
        """Return the least and the highest value inside an outline."""
        key = name, outline, resolution
        if key not in self._ranges:
            polygon = self.ice.outline(outline)
            bounds = snap_bounds(polygon.bounds, 0.0, resolution)
            grid = Grid.from_bounds(bounds, resolution)
            values = self.on(name, grid)[inside([polygon], grid)]
            known = values[np.isfinite(values)]
            self._ranges[key] = (
                (float(known.min()), float(known.max()))
                if known.size
                else (np.nan, np.nan)
            )
        return self._ranges[key]


def turned_with(
    description: DatasetDescription, sources: Mapping[str, Source], name: str
) -> list[str] | None:
    """
    Return the vector that a raster is a component of, where its axes are turned.

    None where it is in the CRS of the tiles already, or is derived.
    """
    turned = name in sources and sources[name].warping.to_file is not None
    return description.pair_of(name) if turned else None
