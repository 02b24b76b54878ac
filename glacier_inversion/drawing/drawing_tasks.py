"""Features drawn by this process, by others of its command, or by other commands."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import shapely
import torch

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.drawing.drawn_features import DrawnFeature
from glacier_inversion.drawing.feature_maps import draw_feature
from glacier_inversion.drawing.maps import MapExtent, lay_map
from glacier_inversion.drawing.models import open_ensembles
from glacier_inversion.drawing.planned_maps import PlannedMaps
from glacier_inversion.drawing.planning import open_drawn_dataset, plan_maps
from glacier_inversion.errors import DatasetError, ModelError, RasterError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.geodata.geotiffs import gdal_ready
from glacier_inversion.locks import working_in
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.attempts import Hands, Result, once, share_of_cores
from glacier_inversion.sharing.job import working_together
from glacier_inversion.sharing.lost_processes import (
    ProcessLostError,
    needing_processes,
    tell_lost,
)
from glacier_inversion.sharing.side_by_side import do_side_by_side
from glacier_inversion.state_files import digest_of
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace


class _Given(NamedTuple):
    """
    What a process must know to draw features of a model.

    All that maps depend on: what `draw` is told and is not here has no effect on maps
    that other processes draw.
    """

    token: str
    experiment: Experiment | Application
    workspace: Workspace
    model: str
    method: DrawingMethod
    device: DeviceName | Device


def draw_features(
    planned: PlannedMaps,
    extents: Sequence[MapExtent],
    failed: Mapping[str, str],
    jobs: int,
    progress: Progress,
) -> Generator[tuple[str, DrawnFeature | str], None, None]:
    """
    Yield each feature with what was drawn of it, or why nothing was, as it is done.

    Parameters
    ----------
    failed : mapping of str
        Why features could not be drawn by others, by id; these come first.
    jobs : int
        Processes; with 1, or for one feature, this process draws them, in order.

    Raises
    ------
    GlacierInversionError
        No process is left that could begin. What `draw_feature` raises otherwise is
        raised.
    """
    yield from failed.items()
    extents = [extent for extent in extents if extent.feature not in failed]
    if min(jobs, len(extents)) <= 1:
        for extent in extents:
            yield extent.feature, _try_to_draw(planned, extent, progress)
        return
    block_px = planned.ensemble.device.block_px
    n_blocks = {extent.feature: len(extent.blocks(block_px)) for extent in extents}
    folder = planned.workspace.drawings(planned.ensemble.name)
    drawing = closing(do_side_by_side(_draw_one, _give(planned), [*n_blocks], jobs))
    with needing_processes(folder), drawing as being_drawn:
        for feature, result in being_drawn:
            for _ in range(n_blocks[feature]):
                progress.advance(feature)
            if isinstance(result, ProcessLostError):
                yield feature, tell_lost()
            else:
                yield feature, result


def _try_to_draw(
    planned: PlannedMaps, extent: MapExtent, progress: Progress
) -> DrawnFeature | str:
    try:
        return draw_feature(planned, extent, progress)
    except (DatasetError, RasterError) as error:
        return str(error)


def _give(planned: PlannedMaps, token: str = "") -> _Given:
    ensemble = planned.ensemble
    return _Given(
        token,
        planned.experiment,
        planned.workspace,
        ensemble.name,
        ensemble.method,
        ensemble.device.elsewhere,
    )


@contextmanager
def drawing_into(
    folder: Path,
    planned: PlannedMaps,
    extents: Sequence[MapExtent],
    lines: Mapping[str, list[shapely.LineString]],
    hands: Hands | None,
    progress: Progress,
) -> Iterator[Mapping[str, str]]:
    """
    Hold a folder of drawings; where others draw, too, once all have drawn the features.

    Parameters
    ----------
    lines : mapping of list of LineString
        The profiles, which the last one draws.

    Yields
    ------
    failures : mapping of str
        Why features could not be drawn by others, by id. All others of *extents* are
        drawn, and to be kept.

    Raises
    ------
    LeftToOthersError
        Others are still drawing: the last of them finishes.
    WorkspaceError
        The folder is held by another command, or cannot be written.
    """
    if hands is None:
        with working_in(folder, "drawing into"):
            yield {}
        return
    made_from = {
        extent.feature: planned.made_from(extent.feature) for extent in extents
    }
    asked = planned.experiment.drawing_description.model_dump(
        mode="json", exclude={"models"}
    )
    profiles = {name: [line.wkb_hex for line in own] for name, own in lines.items()}
    key = digest_of([made_from, asked, profiles])
    with working_together(folder, "drawing into", hands, key) as job:
        given = _give(planned, job.token)
        progress.start("drawing", len(extents), "feature")
        tasks = {extent.feature: extent.feature for extent in extents}
        results = job.do(_draw_task, given, tasks, progress)
        yield {f: r["failure"] for f, r in results.items() if "failure" in r}


def _draw_task(given: _Given, feature: str) -> Result:
    """Draw the maps of a feature, which lie on the disk then, with their record."""
    drawn = _draw_one(given, feature)
    return {"failure": drawn} if isinstance(drawn, str) else {}


def _draw_one(given: _Given, feature: str) -> DrawnFeature | str:
    """Return what was drawn of a feature, or why nothing was."""
    torch.set_num_threads(share_of_cores())
    planned = once(f"{given.token} {given.model}", lambda: _plan(given))
    description = planned.experiment.drawing_description
    extent = lay_map(
        planned.experiment,
        planned.ensemble,
        planned.dataset,
        feature,
        description.clip_to_outline,
    )
    with gdal_ready():
        return _try_to_draw(planned, extent, Silent())


def _plan(given: _Given) -> PlannedMaps:
    """Open what `draw` opens, but for other models."""
    experiment, workspace = given.experiment, given.workspace
    dataset = open_drawn_dataset(experiment, workspace)
    problems: list[str] = []
    ensembles = open_ensembles(
        experiment,
        dataset,
        workspace,
        given.method,
        open_device(given.device),
        problems,
        only=given.model,
    )
    if problems:
        raise ModelError("\n".join(problems))
    (ensemble,) = ensembles
    return plan_maps(experiment, workspace, ensemble, dataset, with_volumes=True)
