"""Read a dataset that was built: its features, tiles and outlines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.dataset.changes import find_changes
from glacier_inversion.dataset.checked_tiles import CheckedTiles
from glacier_inversion.dataset.outlines import (
    name_outlines,
    read_columns,
    read_written_outlines,
)
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.recorded_sources import warn_of_touched
from glacier_inversion.dataset.splits import find_splits, select_features
from glacier_inversion.dataset.summary import Summary, read_summary
from glacier_inversion.errors import DatasetError, OutlineError, RasterError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import Variable
from glacier_inversion.geodata.archives import file_of
from glacier_inversion.geodata.geotiffs import gdal_ready, read_tile
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Grid
from glacier_inversion.patches.tiles import Tiles, digest, digest_all
from glacier_inversion.state_files import digest_of
from glacier_inversion.workspace import Workspace, tile_path


@dataclass(frozen=True)
class BuiltDataset:
    """
    A complete dataset on disk.

    Attributes
    ----------
    folder : Path
    rows : dict of dict
        The rows of summary.json, by feature.
    splits : dict of str
        Of the features that train, validate or test, as the experiment has it now.
    resolutions, units : dict
        Of the tiles, by raster.
    warping : dict of Warping
        How the tiles were made, by raster, but for those that are derived; None of
        those that are gridded from points.
    failed : dict of tuples of str
        The splits, or None, of features that have no tiles, and why they have none.
    epsg : int
        Of its CRS.
    apart : Ownership
        Features of another dataset, in this one's CRS, that are kept apart from
        training: no target of theirs is one here.
    """

    folder: Path
    rows: dict[str, dict[str, Any]] = field(repr=False)
    splits: dict[str, str] = field(repr=False)
    resolutions: dict[str, float]
    units: dict[str, str | None]
    warping: dict[str, Warping | None]
    failed: dict[str, tuple[str | None, str]]
    epsg: int
    apart: Ownership = field(default=Ownership({}, {}, {}), repr=False)
    _checked: CheckedTiles = field(default_factory=CheckedTiles, repr=False)

    @cached_property
    def outlines(self) -> dict[str, shapely.Geometry]:
        """All outlines, left out and failed ones too, in the CRS of the dataset."""
        path = self.folder / "outlines.gpkg"
        try:
            outlines = read_written_outlines(path)
        except OutlineError as error:
            raise DatasetError(_damaged(path)) from error
        if self.rows.keys() - outlines.keys():
            raise DatasetError(_damaged(path))
        return outlines

    @cached_property
    def digest(self) -> str:
        """What tells it from others: its tiles, where they lie, and its splits."""
        return digest_of([self.rows, self.splits, self.units])

    @cached_property
    def ownership(self) -> Ownership:
        """Whose targets are."""
        bounds = {f: tuple(row["bounds"]) for f, row in self.rows.items()}
        return Ownership(
            {**self.outlines, **self.apart.outlines},
            {**bounds, **self.apart.bounds},
            {**self.splits, **self.apart.splits},
        )

    def select(self, wanted: list[str] | str) -> list[str]:
        """
        Return the ids that *wanted* names, as `select_features` does.

        But for those of features that could not be built: see `find_failed`.
        """
        if not isinstance(wanted, str):
            wanted = [feature for feature in wanted if feature not in self.failed]
        return select_features(wanted, self.rows, self.splits, self.folder)

    def find_failed(self, wanted: list[str] | str) -> dict[str, str]:
        """Say why features that *wanted* names could not be built, by id."""
        return {
            feature: f"has no tiles: {problem.rstrip('.')}. Then run 'ginv "
            "build-dataset' again."
            for feature, (split, problem) in self.failed.items()
            if (
                feature in wanted
                if isinstance(wanted, list)
                else wanted in ("all", split)
            )
        }

    def has_truth(self, variable: Variable) -> bool:
        """Tell whether there is a raster, read from a file, of an output."""
        is_read = variable.name in self.warping
        return is_read and self.resolutions[variable.name] == variable.resolution

    def grid(self, feature: str, resolution: float) -> Grid:
        """Return the grid of a feature's tiles at *resolution*."""
        left, bottom, right, top = self.rows[feature]["bounds"]
        return Grid.from_bounds((left, bottom, right, top), resolution)

    def features_touching(self, geometry: shapely.Geometry) -> list[str]:
        """Return the ids of the features whose outlines *geometry* intersects."""
        return [f for f in self.ownership.touching(geometry) if f in self.rows]

    def read_tiles(
        self,
        experiment: Experiment,
        feature: str,
        rows: slice | None = None,
        cols: slice | None = None,
        with_targets: bool = True,
    ) -> Tiles:
        """
        Read what an experiment needs of a feature, or of a window of it.

        Parameters
        ----------
        rows, cols : slice, optional
            Window in pixels of the finest resolution, whole pixels of the coarsest.
        with_targets : bool
            Read what the network predicts, too, where there is a raster of it.

        Raises
        ------
        DatasetError
            A tile is missing, or damaged as far as can be seen: one that is read whole
            must be the very one that was built.
        """
        grid = self.grid(feature, experiment.finest_resolution)
        rows, cols = rows or slice(0, grid.n_rows), cols or slice(0, grid.n_cols)
        part = grid.window(rows, cols)
        targets = {}
        with gdal_ready():
            inputs = {
                variable.name: self._read(experiment, feature, variable, rows, cols)
                for variable in experiment.inputs
            }
            if with_targets:
                targets = self.read_targets(experiment, feature, rows, cols)
        return Tiles(feature, self.splits.get(feature), part, inputs, targets)

    def read_targets(
        self, experiment: Experiment, feature: str, rows: slice, cols: slice
    ) -> dict[str, NDArray[np.float32]]:
        """Read a window of the outputs there are rasters of, NaN where not its own."""
        part = self.grid(feature, experiment.finest_resolution).window(rows, cols)
        targets = {}
        for variable in filter(self.has_truth, experiment.outputs):
            target = self._read(experiment, feature, variable, rows, cols)
            own_grid = Grid.from_bounds(part.bounds, variable.resolution)
            foreign = self.ownership.foreign(
                feature, own_grid, self.warping[variable.name]
            )
            target[foreign] = np.nan
            targets[variable.name] = target
        return targets

    def check_tiles(self, feature: str, rasters: Iterable[str]) -> None:
        """
        Check that a feature's tiles are those that were built, each once.

        Windows that are read of them later are not checked any more.

        Raises
        ------
        DatasetError
            A tile is missing or damaged.
        """
        for name in rasters:
            path = tile_path(self.folder, feature, name)
            grid = self.grid(feature, self.resolutions[name])
            sha256 = self.rows[feature]["rasters"][name]["sha256"]
            if not self._checked.is_as_built(path, grid, sha256):
                raise DatasetError(_damaged(path))

    def check_features(self, features: Iterable[str], rasters: Iterable[str]) -> None:
        """
        Check the tiles of several features, as `check_tiles` does.

        Raises
        ------
        DatasetError
            Tiles are missing or damaged, all of them named.
        """
        damaged, names = [], list(dict.fromkeys(rasters))
        for feature in features:
            for name in names:
                try:
                    self.check_tiles(feature, [name])
                except DatasetError as error:
                    damaged.append(str(error))
        if damaged:
            raise DatasetError("\n".join(damaged))

    def read_raster(
        self, feature: str, name: str, rows: slice, cols: slice
    ) -> NDArray[np.float32]:
        """
        Read a window of a tile, given in its own pixels; NaN where there is none.

        Raises
        ------
        DatasetError
            As from `read_tiles`.
        """
        path = tile_path(self.folder, feature, name)
        held = self._checked.held(path)
        if held is not None:
            return held[rows, cols].copy()
        try:
            values = read_tile(path, rows, cols)
        except RasterError as error:
            raise DatasetError(_damaged(path)) from error
        whole = values.shape == self.grid(feature, self.resolutions[name]).shape
        expected = self.rows[feature]["rasters"][name]["sha256"]
        if values.shape != (rows.stop - rows.start, cols.stop - cols.start) or (
            whole and digest(values) != expected
        ):
            raise DatasetError(_damaged(path))
        return values

    def _read(
        self,
        experiment: Experiment,
        feature: str,
        variable: Variable,
        rows: slice,
        cols: slice,
    ) -> NDArray[np.float32]:
        """Read the tile of a variable; the window is in finest pixels."""
        factor = experiment.factor(variable)
        own = (slice(s.start // factor, -(-s.stop // factor)) for s in (rows, cols))
        return self.read_raster(feature, variable.name, *own)

    def input_contents(self, experiment: Experiment) -> dict[str, str]:
        """Identify the inputs of training and validation, as `tiles.contents` does."""
        used = {f: split for f, split in self.splits.items() if split != "test"}
        contents = {}
        for variable in experiment.inputs:
            parts = []
            for feature, split in used.items():
                grid = self.grid(feature, experiment.finest_resolution)
                sha256 = self.rows[feature]["rasters"][variable.name]["sha256"]
                parts.append((feature, split, grid.bounds, sha256))
            contents[f"dataset.inputs.{variable.name}"] = digest_all(parts)
        return contents


def _damaged(path: Path) -> str:
    return (
        f"{path}: is missing or damaged. Must be as it was built. Run 'ginv "
        "build-dataset', which makes it anew."
    )


def open_dataset(
    experiment: Experiment | Application,
    workspace: Workspace,
    rasters: Iterable[str] = (),
) -> BuiltDataset:
    """
    Open the dataset of an experiment; warn of files that changed since it was built.

    Parameters
    ----------
    rasters : iterable of str
        What is needed besides the inputs and outputs.

    Raises
    ------
    DatasetError
        It is not built, its build was interrupted, or it was built from another
        description, of which the keys that differ are named.
    OutlineError
        The outlines' file is there and cannot be read, or the column of the split does
        not exist, or holds something else than one.
    """
    description = experiment.dataset_description
    folder = workspace.dataset(description.dataset_name)
    summary = read_summary(folder)
    shapefile = workspace.data(description.shapefile_file)
    named = description
    if file_of(shapefile).exists():
        named = name_outlines(shapefile, description)
    fieldname = named.shapefile_fieldname
    differing = find_changes(summary, fieldname, experiment, rasters)
    if differing:
        message = (
            f"{folder}: was built from another description: {'; '.join(differing)}. "
            "Must be built from the one in the experiment. Run 'ginv build-dataset', "
            "or choose another dataset_name."
        )
        raise DatasetError(message)
    warn_of_touched(folder, description, workspace)
    columns = summary.columns  # as they were, where the file is not at hand
    if file_of(shapefile).exists():
        columns = read_columns(shapefile, str(fieldname), named.shapefile_layer)
    return built_from(folder, summary, find_splits(experiment, shapefile, columns))


def built_from(folder: Path, summary: Summary, splits: dict[str, str]) -> BuiltDataset:
    """Return the dataset that a summary tells of, whose features are split so."""
    rows = {row.feature: row.model_dump() for row in summary.features}
    return BuiltDataset(
        folder,
        rows,
        {feature: split for feature, split in splits.items() if feature in rows},
        {raster.name: raster.resolution for raster in summary.description.rasters},
        summary.units,
        summary.warping,
        {row.feature: (splits.get(row.feature), row.problem) for row in summary.failed},
        summary.description.epsg,
    )
