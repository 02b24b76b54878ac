"""Survey the data of an experiment: files, coverage, splits, leaks and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from glacier_inversion.checking.coverage import describe_source, find_coverage
from glacier_inversion.checking.preview import Reading, read_features
from glacier_inversion.checking.report import (
    FeatureReport,
    FileStatus,
    LeaksReport,
    OutlinesReport,
    RasterReport,
    SamplesReport,
    SplitsReport,
)
from glacier_inversion.dataset.plan import DatasetPlan, describe_empty, plan_dataset
from glacier_inversion.dataset.profile_lines import (
    find_stray_profiles,
    read_profiles,
)
from glacier_inversion.dataset.splits import select_features
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import steps_per_epoch
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.experiment.sections import DrawingDescription
from glacier_inversion.geodata.archives import file_of
from glacier_inversion.geodata.vectors import read_crs
from glacier_inversion.grid import Bounds, Grid, lattice
from glacier_inversion.patches.sampling import check_targets, spacing_of
from glacier_inversion.patches.target_ranges import find_out_of_reach
from glacier_inversion.workspace import SPLITS, Workspace

_TRAINED = "train", "validation"  # the splits whose samples are counted


@dataclass(frozen=True)
class Survey:
    """
    What is known of the data before anything is built.

    Attributes
    ----------
    problems, warnings : list of str
        What would stop the commands, and what they would warn of, in their own words.
    outlines, splits, rasters, leaks, samples, features
        The parts of the report that tell of the data.
    training_bounds : list of Bounds
        Of the tiles of training and validation features: what a network is trained on.
    plan : DatasetPlan
    drawn : list of str, None where unknown
        Features that are drawn.
    """

    problems: list[str]
    warnings: list[str]
    outlines: OutlinesReport
    splits: SplitsReport
    rasters: list[RasterReport]
    leaks: LeaksReport
    samples: SamplesReport | None
    features: list[FeatureReport]
    training_bounds: list[Bounds]
    plan: DatasetPlan
    drawn: list[str] | None

    def count_pixels(
        self,
        features: Iterable[str],
        description: DrawingDescription,
        finest: float,
        window_px: int,
    ) -> int:
        """
        Count the pixels of maps, as a network draws them.

        Parameters
        ----------
        features : iterable of str
            Of those that get tiles.
        finest : float
            The network's finest resolution, CRS units.
        window_px : int
            The side of its patch in such pixels.
        """
        ownership, area = self.plan.ownership, 0.0
        for feature in features:
            tile = Grid.from_bounds(ownership.bounds[feature], finest)
            points = lattice(tile, window_px)
            box = shapely.box(*points.bounds)
            clip = ownership.outlines[feature] if description.clip_to_outline else box
            if 0 not in points.shape:
                area += float(shapely.area(shapely.intersection(box, clip)))
        return round(area / (description.resolution or finest) ** 2)


def survey_data(experiment: Experiment | Application, workspace: Workspace) -> Survey:
    """
    Survey the data of an experiment as far as they are there.

    Nothing is written, and nothing that is missing keeps the rest from being told.
    """
    plan = plan_dataset(experiment, workspace)
    bounds, sources, usable = plan.ownership.bounds, plan.sources, plan.rasters.usable
    problems = [*map(str, plan.problems)]
    problems += [f"{feature}: {why}" for feature, why in plan.failures.items()]
    if plan.outlines and not bounds and not problems:
        problems.append(describe_empty(plan.folder, {}))
    coverage = {name: find_coverage(source, bounds) for name, source in sources.items()}
    readings = dict(read_features(experiment, plan.rasters, plan.ownership))
    for reading in readings.values():
        problems += reading.problems
    known = {
        name: any(r.valid_in_tile.get(name, 0) > 0 for r in readings.values())
        for name in usable
        if readings.keys() == bounds.keys() and readings
    }
    warnings = [*plan.warnings, *plan.find_oddities(known)]
    samples = None
    if isinstance(experiment, Experiment):
        samples = _count_samples(experiment, plan, readings)
        try:
            _check_targets(experiment, plan, readings, samples.exact, warnings)
        except DatasetError as error:
            problems.append(str(error))
    profiles = read_profiles(experiment, workspace, problems)
    warnings += find_stray_profiles(profiles, plan.ownership.outlines)
    drawn = _find_drawn(experiment, plan, problems)
    shapefile = workspace.data(plan.description.shapefile_file)
    return Survey(
        problems=list(dict.fromkeys(problems)),
        warnings=warnings,
        outlines=_describe_outlines(plan, shapefile),
        splits=_count_splits(plan),
        rasters=[
            _describe_raster(workspace, plan, raster, coverage, readings.values())
            for raster in plan.description.rasters
        ],
        leaks=LeaksReport(plan.overlaps, plan.shared_outlines),
        samples=samples,
        features=[
            _describe_feature(
                plan,
                feature,
                {name: share[feature] for name, share in coverage.items()},
                readings.get(feature),
            )
            for feature in bounds
        ],
        training_bounds=[
            bounds[feature] for split in _TRAINED for feature in _of(plan, split)
        ],
        plan=plan,
        drawn=drawn,
    )


def _of(plan: DatasetPlan, split: str | None) -> list[str]:
    """Return the features of a split, or of none, that get tiles."""
    splits, features = plan.ownership.splits, plan.ownership.bounds
    return [feature for feature in features if splits.get(feature) == split]


def _describe_outlines(plan: DatasetPlan, path: Path) -> OutlinesReport:
    description, outlines = plan.description, plan.outlines
    n_repaired = sum(bool(outline.repairs) for outline in outlines)
    return OutlinesReport(
        file=description.shapefile_file,
        status=_status(path, bool(outlines)),
        crs=read_crs(path, description.shapefile_layer) if outlines else None,
        column=description.shapefile_fieldname,
        features=len(outlines) if outlines else None,
        repaired=n_repaired if outlines else None,
    )


def _count_splits(plan: DatasetPlan) -> SplitsReport:
    if not plan.ownership.bounds:
        return SplitsReport(None, None, None, None)
    return SplitsReport(*(len(_of(plan, split)) for split in (*SPLITS, None)))


def _status(path: Path, usable: bool) -> FileStatus:
    if usable:
        return "found"
    return "unusable" if file_of(path).exists() else "missing"


def _count_samples(
    experiment: Experiment, plan: DatasetPlan, readings: Mapping[str, Reading]
) -> SamplesReport:
    """Count the samples of an epoch, or estimate them from what was read."""
    used = {variable.name for variable in experiment.variables()}
    exact = used <= set(plan.rasters.usable) and bool(readings)
    n_points: dict[str, int | None] = {}
    n_samples: dict[str, int | None] = {}
    for split in _TRAINED:
        ids = _of(plan, split)
        read = [f for f in ids if f in readings and readings[f].n_samples is not None]
        exact &= len(read) == len(ids) and all(readings[f].exact for f in read)
        total, part = (
            float(sum(shapely.area(plan.ownership.outlines[f]) for f in some))
            for some in (ids, read)
        )
        for counts, key in ((n_points, "n_points"), (n_samples, "n_samples")):
            counted = sum(getattr(readings[feature], key) for feature in read)
            if read:
                counts[split] = round(counted * total / part)
            else:
                counts[split] = 0 if not ids and plan.ownership.bounds else None
    n_train = n_samples["train"]
    return SamplesReport(
        spacing=spacing_of(experiment),
        train=n_train,
        validation=n_samples["validation"],
        points=n_points,
        batch_size=experiment.batch_size,
        steps_per_epoch=(
            None if n_train is None else steps_per_epoch(experiment, n_train)
        ),
        exact=exact,
        features_read=len(readings),
    )


def _check_targets(
    experiment: Experiment,
    plan: DatasetPlan,
    readings: Mapping[str, Reading],
    exact: bool,
    warnings: list[str],
) -> None:
    """Judge the targets as training will, as far as they were read."""
    nothing = np.zeros((0, len(experiment.outputs)), dtype=np.float32)
    parts = {
        split: [
            targets
            for feature in _of(plan, split)
            if feature in readings
            and (targets := readings[feature].targets) is not None
        ]
        for split in _TRAINED
    }
    found = {split: np.concatenate([nothing, *part]) for split, part in parts.items()}
    if exact:
        n_features = {split: len(part) for split, part in parts.items()}
        check_targets(experiment, found, n_features, warnings.append)
    else:
        warnings += find_out_of_reach(experiment, **found)


def _find_drawn(
    experiment: Experiment | Application,
    plan: DatasetPlan,
    problems: list[str],
) -> list[str] | None:
    """Return the features that are drawn; note why they are not known."""
    wanted, ownership = experiment.drawing_description.features, plan.ownership
    if not ownership.bounds:
        return None
    if wanted in SPLITS and isinstance(experiment, Application):
        return None  # those that each model remembers
    try:
        return select_features(wanted, ownership.bounds, ownership.splits, plan.folder)
    except DatasetError as error:
        problems.append(str(error))
        return None


def _describe_raster(
    workspace: Workspace,
    plan: DatasetPlan,
    raster: Raster,
    coverage: Mapping[str, Mapping[str, float]],
    readings: Iterable[Reading],
) -> RasterReport:
    """Return what the file says, and what features found in it, if it is there."""
    name, source = raster.name, plan.sources.get(raster.name)
    found: dict[str, Any] = {}
    if name in plan.rasters.usable:
        shares = [r.valid[name] for r in readings if name in r.valid]
        found = {
            "unit": plan.rasters.unit(name),
            "valid_min": min(shares, default=None),
            "valid_median": float(np.median(shares)) if shares else None,
        }
    if source is not None:
        found |= describe_source(source)
        shares_covered = coverage[name].items()
        found["not_covered"] = [f for f, share in shares_covered if share < 1]
    if name in plan.points:
        points = plan.rasters.points[name]
        found |= {"crs": points.source.crs, "points": points.counts}
    return RasterReport(
        name=name,
        file=raster.file,
        status=_find_status(plan, workspace, raster),
        role=None,  # the networks know
        band=None if raster.file is None or raster.column else raster.band,
        resolution=raster.resolution,
        derive=None if raster.derive is None else raster.derive.model_dump(),
        **found,
    )


def _find_status(plan: DatasetPlan, workspace: Workspace, raster: Raster) -> FileStatus:
    """Return the status of a raster's file, or the worst of those it is made from."""
    used = [raster, *plan.description.ancestors(raster.name)]
    found = {
        _status(workspace.data(r.file), r.name in plan.sources | plan.points)
        for r in used
        if r.file is not None
    }
    worst: tuple[FileStatus, ...] = "missing", "unusable"
    return next((status for status in worst if status in found), "found")


def _describe_feature(
    plan: DatasetPlan, feature: str, coverage: dict[str, float], reading: Reading | None
) -> FeatureReport:
    area = float(shapely.area(plan.ownership.outlines[feature]))
    report = FeatureReport(
        id=feature,
        split=plan.ownership.splits.get(feature),
        area_km2=round(area / 1e6, 6),
        coverage=coverage,
    )
    if reading is None:
        return report
    return replace(
        report,
        read="exactly" if reading.exact else "coarsely",
        valid=reading.valid,
        valid_in_tile=reading.valid_in_tile,
        known_pixels=reading.n_known,
        samples=reading.n_samples,
    )
