"""Features whose maps would have no pixel, which drawing would refuse."""

from __future__ import annotations

from collections.abc import Iterable

from glacier_inversion.dataset.plan import DatasetPlan
from glacier_inversion.drawing.map_grids import NO_POINTS, map_grid, step_of
from glacier_inversion.errors import ExperimentError, name_some
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import DrawingDescription
from glacier_inversion.grid import Grid, lattice


def find_empty_maps(
    description: DrawingDescription,
    plan: DatasetPlan,
    drawn: Iterable[tuple[Experiment, list[str] | None]],
    problems: list[str],
    warnings: list[str],
) -> None:
    """
    Note what cannot be drawn at the resolution of the maps.

    A model that can draw none of its features is a problem, one that can draw others
    warned of.

    Parameters
    ----------
    drawn : iterable of (experiment, features)
        That of each model, and those of its features that get tiles, None where they
        are not known.
    """
    outlines, bounds = plan.ownership.outlines, plan.ownership.bounds
    for trained, features in drawn:
        finest, window_px = trained.finest_resolution, trained.window_px
        try:
            step = step_of(description.resolution, finest, trained.model_name)
        except ExperimentError as error:
            problems.append(str(error))
            continue
        empty = []
        for feature in features or []:
            points = lattice(Grid.from_bounds(bounds[feature], finest), window_px)
            within = outlines[feature].bounds if description.clip_to_outline else None
            grid, _, _ = map_grid(points, step, within)
            if 0 in grid.shape:
                empty.append(feature)
        if empty:
            found = problems if len(empty) == len(features or []) else warnings
            found.append(f"{name_some(empty)}: {NO_POINTS}")
