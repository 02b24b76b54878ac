"""Survey the data of an experiment: files, coverage, splits, leaks and samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from glacier_inversion.checking.coverage import describe_source, find_coverage
from glacier_inversion.checking.preview import Reading, read_features
from glacier_inversion.dataset.outlines import read_profiles
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.plan import DatasetPlan, describe_empty, plan_dataset
from glacier_inversion.dataset.splits import select_features
from glacier_inversion.errors import DatasetError, OutlineError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import Raster
from glacier_inversion.geodata.rasters import Source
from glacier_inversion.geodata.vectors import read_crs
from glacier_inversion.grid import Bounds, Grid, lattice
from glacier_inversion.patches.sampling import check_targets, spacing_of
from glacier_inversion.workspace import SPLITS, Workspace


@dataclass
class Survey:
    """
    What is known of the data before anything is built.

    Attributes
    ----------
    problems, warnings : list of str
        What would stop the commands, and what they would warn of, in their own words.
    report : dict
        The parts of the report that tell of the data, as JSON has them.
    bounds : dict of Bounds
        Of the tiles of training and validation features: what a network is trained on.
    n_points, n_samples : dict of int, None where unknown
        Points that may be samples, and samples per epoch, of the same two splits.
    n_drawn_features, n_drawn : int, None where unknown
        Features that are drawn, and the pixels of their maps.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    bounds: list[Bounds] = field(default_factory=list)
    n_points: dict[str, int | None] = field(default_factory=dict)
    n_samples: dict[str, int | None] = field(default_factory=dict)
    n_drawn_features: int | None = None
    n_drawn: int | None = None


def survey_data(experiment: Experiment, workspace: Workspace) -> Survey:
    """
    Survey the data of an experiment as far as they are there.

    Nothing is written, and nothing that is missing keeps the rest from being told.
    """
    plan = plan_dataset(experiment, workspace)
    ownership, sources = plan.ownership, plan.sources
    unusable = [f"{feature}: {why}" for feature, why in plan.failures.items()]
    survey = Survey([*map(str, plan.problems), *unusable], [*plan.warnings])
    if plan.outlines and not ownership.bounds and not survey.problems:
        survey.problems.append(describe_empty(plan.folder, {}))
    coverage = {
        name: find_coverage(source, ownership.bounds)
        for name, source in sources.items()
    }
    readings = dict(read_features(experiment, sources, ownership))
    for reading in readings.values():
        survey.problems += reading.problems
    known = {
        name: any(r.valid_in_tile.get(name, 0) > 0 for r in readings.values())
        for name in sources
        if readings.keys() == ownership.bounds.keys() and readings
    }
    survey.warnings += plan.find_oddities(known)
    _count_samples(survey, experiment, ownership, sources, readings)
    _plan_drawing(survey, experiment, ownership, workspace)
    survey.problems = list(dict.fromkeys(survey.problems))
    shapefile = workspace.data(plan.description.shapefile_file)
    survey.report |= {
        "outlines": _describe_outlines(plan, shapefile),
        "splits": _count_splits(ownership),
        "rasters": [
            {
                "name": raster.name,
                "file": raster.file,
                "status": _status(workspace.data(raster.file), raster.name in sources),
                "role": _role(experiment, raster.name),
                "band": raster.band,
                "resolution": raster.resolution,
                **_describe_raster(
                    raster,
                    sources.get(raster.name),
                    coverage.get(raster.name, {}),
                    readings,
                ),
            }
            for raster in plan.description.rasters
        ],
        "leaks": {
            "overlaps": plan.overlaps,
            "shared_outlines": plan.shared_outlines,
        },
        "features": [
            {
                "id": feature,
                "split": ownership.splits.get(feature),
                "area_km2": round(shapely.area(ownership.outlines[feature]) / 1e6, 6),
                "coverage": {name: share[feature] for name, share in coverage.items()},
                **_describe_reading(readings.get(feature)),
            }
            for feature in ownership.bounds
        ],
    }
    return survey


def _describe_outlines(plan: DatasetPlan, path: Path) -> dict[str, Any]:
    """Return what is known of the outlines, None in what is not."""
    description, outlines = plan.description, plan.outlines
    n_repaired = sum(bool(outline.repairs) for outline in outlines)
    return {
        "file": description.shapefile_file,
        "status": _status(path, bool(outlines)),
        "crs": read_crs(path) if outlines else None,
        "column": description.shapefile_fieldname,
        "features": len(outlines) if outlines else None,
        "repaired": n_repaired if outlines else None,
    }


def _count_splits(ownership: Ownership) -> dict[str, int | None]:
    """Count the features of each split, and those of none."""
    counted = [ownership.splits.get(feature) for feature in ownership.bounds]
    return {
        name: counted.count(split) if counted else None
        for name, split in (*zip(SPLITS, SPLITS, strict=True), ("drawn_only", None))
    }


def _status(path: Path, usable: bool) -> str:
    if usable:
        return "found"
    return "unusable" if path.exists() else "missing"


def _count_samples(
    survey: Survey,
    experiment: Experiment,
    ownership: Ownership,
    sources: Mapping[str, Source],
    readings: Mapping[str, Reading],
) -> None:
    """Count the samples of an epoch, and judge their targets where all were read."""
    used = {variable.name for variable in experiment.variables()}
    exact = used <= sources.keys()
    for split in ("train", "validation"):
        ids = [f for f in ownership.bounds if ownership.splits.get(f) == split]
        survey.bounds += [ownership.bounds[feature] for feature in ids]
        read = [f for f in ids if f in readings and readings[f].n_samples is not None]
        exact &= len(read) == len(ids) and all(readings[f].exact for f in read)
        total, part = (
            float(sum(shapely.area(ownership.outlines[f]) for f in some))
            for some in (ids, read)
        )
        for counts, key in (
            (survey.n_points, "n_points"),
            (survey.n_samples, "n_samples"),
        ):
            counted = sum(getattr(readings[feature], key) for feature in read)
            if read:
                counts[split] = round(counted * total / part)
            else:
                counts[split] = 0 if not ids and ownership.bounds else None
    n_train = survey.n_samples["train"]
    survey.report["samples"] = {
        "spacing": spacing_of(experiment),
        **survey.n_samples,
        "points": dict(survey.n_points),
        "batch_size": experiment.batch_size,
        "steps_per_epoch": (
            None if n_train is None else math.ceil(n_train / experiment.batch_size)
        ),
        "exact": exact and bool(readings),
        "features_read": len(readings),
    }
    if exact and readings:
        n_outputs = len(experiment.outputs)
        parts = {
            split: [
                reading.targets
                for feature, reading in readings.items()
                if ownership.splits.get(feature) == split
                and reading.targets is not None
            ]
            for split in ("train", "validation")
        }
        nothing = np.zeros((0, n_outputs), dtype=np.float32)
        try:
            check_targets(
                experiment,
                {
                    split: np.concatenate([nothing, *part])
                    for split, part in parts.items()
                },
                {split: len(part) for split, part in parts.items()},
                survey.warnings.append,
            )
        except DatasetError as error:
            survey.problems.append(str(error))


def _plan_drawing(
    survey: Survey, experiment: Experiment, ownership: Ownership, workspace: Workspace
) -> None:
    """Look for what is to be drawn, and count the pixels of its maps."""
    description = experiment.drawing_description
    folder = workspace.dataset(experiment.dataset_description.dataset_name)
    try:
        read_profiles(experiment, workspace)
    except OutlineError as error:
        survey.problems.append(str(error))
    if not ownership.bounds:
        return
    try:
        features = select_features(
            description.features, ownership.bounds, ownership.splits, folder
        )
    except DatasetError as error:
        survey.problems.append(str(error))
        return
    finest = experiment.finest_resolution
    area = 0.0
    for feature in features:
        tile = Grid.from_bounds(ownership.bounds[feature], finest)
        points = lattice(tile, experiment.window_px)
        box = shapely.box(*points.bounds)
        clip = ownership.outlines[feature] if description.clip_to_outline else box
        if 0 not in points.shape:
            area += float(shapely.area(shapely.intersection(box, clip)))
    survey.n_drawn = round(area / (description.resolution or finest) ** 2)
    survey.n_drawn_features = len(features)


def _role(experiment: Experiment, name: str) -> str | None:
    if any(name == variable.name for variable in experiment.outputs):
        return "output"
    return "input" if any(name == v.name for v in experiment.inputs) else None


def _describe_raster(
    raster: Raster,
    source: Source | None,
    coverage: Mapping[str, float],
    readings: Mapping[str, Reading],
) -> dict[str, Any]:
    """Return what the file says, and what features found in it; nothing without one."""
    if source is None:
        return {}
    shares = [r.valid[raster.name] for r in readings.values() if raster.name in r.valid]
    return {
        **describe_source(source),
        "unit": raster.unit or source.unit,
        "valid_min": min(shares, default=None),
        "valid_median": float(np.median(shares)) if shares else None,
        "not_covered": [feature for feature, share in coverage.items() if share < 1],
    }


def _describe_reading(reading: Reading | None) -> dict[str, Any]:
    """Return what is known of a feature that was read, None in what is not."""
    return {
        "read": None if reading is None else "exactly" if reading.exact else "coarsely",
        "valid": None if reading is None else reading.valid,
        "valid_in_tile": None if reading is None else reading.valid_in_tile,
        "known_pixels": None if reading is None else reading.n_known,
        "samples": None if reading is None else reading.n_samples,
    }
