"""A made-up region whose true thickness is known, as a workspace to try things on."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path

from glacier_inversion.demo.ice_flow import surface_velocity
from glacier_inversion.demo.mountains import build_mountains, grow_ice
from glacier_inversion.demo.observations import find_glaciers, write_observations
from glacier_inversion.demo.rheology import Rheology
from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import making_folder, write_bytes
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

_SEED = 0


def write_demo(folder: Path, progress: Progress | None = None) -> Path:
    """
    Write the data and the experiment of the demonstration, unless they are there.

    The data appear whole or not at all. They are the same each time, up to rounding.

    Returns
    -------
    experiment : Path

    Raises
    ------
    WorkspaceError
        The folder holds data that are not the demonstration's, or cannot be written.
    """
    folder = Workspace(folder).root
    experiment, data = folder / "demo.json", folder / "data"
    if data.exists() and not experiment.exists():
        message = (
            f"{data}: holds other data already. The demonstration must have a folder "
            "of its own. Name another: ginv demo FOLDER."
        )
        raise WorkspaceError(message)
    if not experiment.exists():
        text = files("glacier_inversion.demo").joinpath("demo.json").read_text("utf-8")
        write_bytes(experiment, text.encode())
    if not data.exists():
        with making_folder(data) as unfinished:
            _write_data(unfinished, progress or Silent())
    return experiment


def _write_data(folder: Path, progress: Progress) -> None:
    mountains, rheology = build_mountains(_SEED), Rheology()
    logger.info("growing the ice of %d valleys", len(mountains.floors))
    thickness, imbalance = grow_ice(mountains, rheology, progress)
    glaciers = find_glaciers(mountains, thickness)
    logger.info(
        "%d glaciers, %.1f km3 of ice, steady to %.2f %% of the accumulation",
        len(glaciers),
        thickness.sum() * mountains.cell_size**2 / 1e9,
        100 * imbalance,
    )
    velocity = surface_velocity(thickness, mountains.bed, mountains.cell_size, rheology)
    write_observations(folder, mountains, thickness, velocity, glaciers, _SEED)
