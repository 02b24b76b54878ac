"""All that is drawn of one model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import shapely

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.applicability import tell_unlike
from glacier_inversion.drawing.drawing_tasks import draw_features, drawing_into
from glacier_inversion.drawing.drawn_features import DrawnFeature
from glacier_inversion.drawing.holes import tell_holes, write_holes
from glacier_inversion.drawing.maps import MapExtent
from glacier_inversion.drawing.models import (
    describe_way,
)
from glacier_inversion.drawing.planned_maps import PlannedMaps
from glacier_inversion.drawing.planning import plan_maps
from glacier_inversion.drawing.presentation import remove_outdated, show_maps
from glacier_inversion.drawing.profiles import draw_profile
from glacier_inversion.drawing.styles import (
    DrawnMaps,
    style_path,
)
from glacier_inversion.drawing.volume_tables import (
    write_volumes,
)
from glacier_inversion.drawing.volumes import MeanThickness
from glacier_inversion.errors import (
    DatasetError,
    OutlineError,
    RasterError,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove
from glacier_inversion.geodata.geotiffs import gdal_ready
from glacier_inversion.geodata.map_files import auxiliary_path
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.attempts import Hands
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)


def draw_model(
    experiment: Experiment | Application,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    extents: Sequence[MapExtent],
    lines: Mapping[str, list[shapely.LineString]],
    hands: Hands | None,
    jobs: int,
    failures: dict[str, str],
    progress: Progress,
) -> list[Path]:
    """
    Draw all of one model: maps and profiles, tables, and what shows maps together.

    Parameters
    ----------
    extents : sequence of MapExtent
        Of the features.
    lines : mapping of list of LineString
        The profiles.
    hands : Hands, optional
        Who draws the features with this command.
    jobs : int
        Processes of this command that draw features.
    failures : dict of str
        Takes up why features and profiles could not be drawn, by name.

    Returns
    -------
    written : list of Path

    Raises
    ------
    LeftToOthersError, WorkspaceError, GlacierInversionError
        As `draw` raises them.
    """
    logger.info(
        "%s: drawing with %d members on %s, %s",
        ensemble.name,
        len(ensemble.seeds),
        ensemble.device,
        describe_way(ensemble),
    )
    folder = workspace.drawings(ensemble.name)
    planned = plan_maps(
        experiment, workspace, ensemble, dataset, with_volumes=bool(extents)
    )
    drawing = drawing_into(folder, planned, extents, lines, hands, progress)
    with drawing as failed, gdal_ready():
        if hands is not None:  # which told of it
            progress = Silent()
        done = _draw_maps(planned, extents, failed, jobs, failures, progress)
        written = [path for of in done.values() for path in of.maps.values()]
        of_run: DrawnMaps = {}
        for of_feature in done.values():
            for of_what, path in of_feature.maps.items():
                of_run.setdefault(of_what, []).append(path)
        n_kept = sum(of_feature.is_kept for of_feature in done.values())
        if n_kept and hands is None:  # else others have drawn them just now
            logger.info(
                "%s: kept the maps of %d of %d features, which would be the same",
                ensemble.name,
                n_kept,
                len(extents),
            )
        try:
            extremes = {p: e for of in done.values() for p, e in of.extremes.items()}
            grids = {extent.feature: extent.grid for extent in extents}
            written += show_maps(
                experiment, ensemble.name, folder, of_run, extremes, grids, dataset
            )
        except RasterError as error:  # a map that was drawn is gone
            logger.error("%s: %s", ensemble.name, error)
            failures[f"mosaics of {ensemble.name}"] = str(error)
        if done:
            tell_unlike(ensemble.name, [of.holes for of in done.values()])
            every = (done.get(f) or planned.find_drawn(f) for f in dataset.rows)
            written += _write_tables(
                folder,
                ensemble.name,
                [of_feature for of_feature in every if of_feature is not None],
                {o: own for o, own in planned.thicknesses.items() if own is not None},
                dataset,
                experiment.dataset_description.epsg,
            )
        written += _draw_profiles(planned, lines, failures, progress)
    return written


def _draw_maps(
    planned: PlannedMaps,
    extents: Sequence[MapExtent],
    failed: Mapping[str, str],
    jobs: int,
    failures: dict[str, str],
    progress: Progress,
) -> dict[str, DrawnFeature]:
    """Draw features; return them in order, and note those that failed."""
    folder = planned.workspace.drawings(planned.ensemble.name)
    found: dict[str, DrawnFeature] = {}
    problems: dict[str, str] = {}
    with closing(
        draw_features(planned, extents, failed, jobs, progress)
    ) as being_drawn:
        for feature, of_feature in being_drawn:
            if isinstance(of_feature, str):
                logger.error("%s: %s", feature, of_feature)
                problems[feature] = of_feature
                continue
            tell_holes(of_feature.holes)
            if not found:
                remove_outdated(folder, planned.ensemble)
            paths = of_feature.maps.values()
            remove(*map(style_path, paths))
            # what GDAL or QGIS found out of the map that was there
            remove(*map(auxiliary_path, paths))
            found[feature] = of_feature
            if not of_feature.holes.n_drawn:  # which is logged, with its causes
                problems[feature] = "nothing could be drawn"
    names = [own.feature for own in extents]  # whichever was drawn first
    failures |= {name: problems[name] for name in names if name in problems}
    return {name: found[name] for name in names if name in found}


def _draw_profiles(
    planned: PlannedMaps,
    lines: Mapping[str, list[shapely.LineString]],
    failures: dict[str, str],
    progress: Progress,
) -> list[Path]:
    """Draw profiles, and note those that failed."""
    written = []
    for name, profile in lines.items():
        try:
            written += draw_profile(
                planned.experiment,
                planned.workspace,
                planned.ensemble,
                planned.dataset,
                profile,
                name,
            )
        except (DatasetError, OutlineError, RasterError) as error:
            logger.error("profile %s: %s", name, error)
            failures[f"profile {name}"] = str(error)
        progress.advance(name)
    return written


def _write_tables(
    folder: Path,
    model: str,
    features: Sequence[DrawnFeature],
    calibrations: Mapping[str, OutputCalibration],
    dataset: BuiltDataset,
    epsg: int,
) -> list[Path]:
    """Write the tables of holes and of volumes, of all that is drawn."""
    written = [write_holes(folder, [of_feature.holes for of_feature in features])]
    means: dict[str, list[MeanThickness]] = {}
    for of_feature in features:
        for output, mean in of_feature.thicknesses.items():
            means.setdefault(output, []).append(mean)
    if means:
        written += write_volumes(
            folder, model, means, calibrations, dataset.outlines, epsg
        )
    return written
