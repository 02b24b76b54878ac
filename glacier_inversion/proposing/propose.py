"""Propose an experiment for what lies in the data folder of a workspace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, count
from typing import Any

from glacier_inversion.checking.survey import survey_data
from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.experiment.sections import Split
from glacier_inversion.proposing.applying import propose_application
from glacier_inversion.proposing.network import (
    OUTPUT,
    WINDOW_PX,
    needed_buffer,
    propose_training,
)
from glacier_inversion.proposing.outlines import FoundOutlines, choose_outlines
from glacier_inversion.proposing.points import FoundPoints, find_points
from glacier_inversion.proposing.proposal import (
    Proposal,
    list_entries,
    list_unused,
    merge_entries,
)
from glacier_inversion.proposing.rasters import (
    COMPONENTS,
    FoundRaster,
    describe_raster,
    describe_rasters,
    find_parts,
    find_rasters,
)
from glacier_inversion.workspace import SPLITS, Workspace, name_problem

# Beyond them slopes and speeds are those of crevasses, or no longer those of a glacier.
_RESOLUTIONS = (20.0, 25.0, 50.0, 100.0, 200.0)
_FRACTIONS = [0.7, 0.15, 0.15]
_MOST_SEEDS = 1000  # of splits that are tried


def propose_experiment(
    workspace: Workspace,
    *,
    outlines: str | None = None,
    layer: str | None = None,
    models: Sequence[str] = (),
) -> Proposal:
    """
    Propose an experiment for the outlines and rasters in a workspace's data folder.

    With a raster or a table of ice thickness it trains; without one, or with *models*,
    it applies trained models.

    Parameters
    ----------
    outlines : str, optional
        File of the outlines in the data folder; needed where there are several.
    layer : str, optional
        Layer of the outlines; needed where the file has several.
    models : sequence of str
        Paths to the folders of trained models. Default: those in the workspace, where
        there is no thickness.

    Raises
    ------
    OutlineError, RasterError
        There are no outlines, or it cannot be known which; or no rasters.
    DatasetError, ModelError
        There is neither a thickness nor a model, or what a model reads is not there.
    """
    data = workspace.data("")
    chosen = choose_outlines(data, outlines, layer)
    epsg, why = chosen.propose_epsg()
    polygons = chosen.read(epsg)
    found = find_rasters(data, polygons, epsg)
    reasons = [_describe_outlines(chosen, len(polygons)), f"epsg {epsg}: {why}"]
    name, taken = _free_name(workspace, chosen.path.stem)
    if taken:
        reasons.append(f"dataset and model {name}: {taken} is there already")
    described = {
        "dataset_name": name,
        "epsg": epsg,
        "shapefile_file": outlines or chosen.path.relative_to(data).as_posix(),
        **({"shapefile_layer": chosen.layer} if chosen.layer else {}),
        "shapefile_fieldname": chosen.column,
    }
    target: FoundRaster | FoundPoints | None = found.get(OUTPUT)
    if not models:
        target = target or find_points(data, polygons, epsg, OUTPUT)
    if models or target is None:
        return propose_application(workspace, described, found, list(models), reasons)
    return _train(workspace, described, found, target, chosen, reasons)


def _free_name(workspace: Workspace, stem: str) -> tuple[str, str]:
    """Return a name for dataset and model, and which one is taken, if any is."""
    first = "region" if name_problem(stem) else stem
    names = chain([first], (f"{first}-{n}" for n in count(2)))
    name = next(
        name
        for name in names
        if not workspace.dataset(name).exists() and not workspace.model(name).exists()
    )
    return name, "" if name == first else first


def _describe_outlines(chosen: FoundOutlines, n_features: int) -> str:
    guess = "" if chosen.is_known else ", a guess: see shapefile_fieldname"
    layer = f" (layer {chosen.layer})" if chosen.layer else ""
    return (
        f"outlines: {chosen.path.name}{layer}, {n_features} features by "
        f"{chosen.column!r}{guess}"
    )


def _train(
    workspace: Workspace,
    described: dict[str, Any],
    found: dict[str, FoundRaster],
    target: FoundRaster | FoundPoints,
    chosen: FoundOutlines,
    reasons: list[str],
) -> Proposal:
    """Propose to train a network on the slope and the speed, as far as they are."""
    parts = {name: find_parts(found, name) for name in ("slope", "speed")}
    inputs = [name for name in parts if parts[name]]
    if not inputs:
        message = (
            f"{workspace.data('')}: holds no raster that tells of the thickness. Must "
            "hold a slope or an elevation, or a speed or its components, that cover "
            "outlines. Put them there, named so: slope.tif, dem.tif, speed.tif, vx.tif "
            "and vy.tif."
        )
        raise RasterError(message)
    used = [found[part] for name in inputs for part in parts[name]]
    used += [target] if isinstance(target, FoundRaster) else []
    coarsest = max(raster.pixel_size for raster in used)
    resolution = _round(coarsest)
    entries = merge_entries(
        entry
        for name in inputs
        for entry in describe_raster(found, name, name, resolution)
    )
    entries.append(target.entry(OUTPUT, resolution))
    content = propose_training(described["dataset_name"], inputs, resolution)
    content["dataset_description"] = {
        **described,
        "buffer_distance": needed_buffer(content["area_size"], resolution),
        **describe_rasters(entries, [COMPONENTS]),
    }
    content["drawing_description"] = {
        "features": "all",
        "models": [content["model_name"]],
    }
    reasons += [
        f"resolution {resolution:g} m: of the coarsest raster, {coarsest:.4g} m, "
        "rounded",
        f"area_size {content['area_size']:g} m: {WINDOW_PX} pixels; buffer_distance "
        "half of it and two pixels",
        *list_entries(entries, inputs),
        *([target.describe()] if isinstance(target, FoundPoints) else []),
        *list_unused(found, entries),
    ]
    reasons.append(_split(workspace, content, chosen))
    reasons.append(
        "network: vggnet without padding, 5 seeds, as in experiments/aletsch"
    )
    return Proposal(content, reasons)


def _split(workspace: Workspace, content: dict[str, Any], chosen: FoundOutlines) -> str:
    """Add a split in which each part has measurements, as far as that can be."""
    description = content["dataset_description"]
    found = chosen.find_split()
    if found is not None:
        field, parts = found
        description["split"] = {"field": field}
        if "test" in parts:
            content["drawing_description"]["features"] = "test"
        return f"split: by the column {field!r}"
    description["split"] = {"fractions": _FRACTIONS, "seed": 0}
    survey = survey_data(check_experiment(content, "proposal"), workspace)
    measured = {
        feature.id
        for feature in survey.features
        if (feature.known_pixels or {}).get(OUTPUT)
    }
    columns: dict[str, dict[str, Any]] = {o.feature: {} for o in survey.plan.outlines}
    n_read = sum(feature.known_pixels is not None for feature in survey.features)
    for seed in range(_MOST_SEEDS):
        split = Split(fractions=_FRACTIONS, seed=seed)
        splits = assign_splits(chosen.path, columns, split)
        with_targets = [splits[feature] for feature in measured]
        n_train = with_targets.count("train")
        if set(with_targets) == set(splits.values()) and 2 * n_train >= len(measured):
            break
    else:
        return (
            f"split: by chance; only {len(measured)} of {n_read} features that were "
            "looked at have measurements, too few: change 'split', or cut the outlines "
            "into basins"
        )
    description["split"]["seed"] = seed
    if "test" in with_targets:
        content["drawing_description"]["features"] = "test"
    counts = ", ".join(
        f"{with_targets.count(part)} {part}" for part in SPLITS if part in with_targets
    )
    return f"split: by chance, seed {seed}: of the features with measurements {counts}"


def _round(pixel_size: float) -> float:
    """
    Return the resolution that is nearest to the side of a pixel, as a ratio.

    >>> _round(30.9), _round(90.0), _round(2.0), _round(5000.0)
    (25.0, 100.0, 20.0, 200.0)
    """
    return min(_RESOLUTIONS, key=lambda known: abs(math.log(known / pixel_size)))
