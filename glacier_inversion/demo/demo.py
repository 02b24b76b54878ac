"""A made-up region whose true thickness is known, as a workspace to try things on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.demo.ice_flow import surface_velocity
from glacier_inversion.demo.mountains import Mountains, build_mountains, grow_ice
from glacier_inversion.demo.observations import find_glaciers, write_observations
from glacier_inversion.demo.overview import draw_overview
from glacier_inversion.demo.rheology import Rheology
from glacier_inversion.demo.scores import (
    THICKNESS,
    Coverage,
    Score,
    cover_demo,
    score_demo,
)
from glacier_inversion.errors import WorkspaceError
from glacier_inversion.experiment.experiment import load_experiment
from glacier_inversion.files import making_folder, write_bytes
from glacier_inversion.locks import locked
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.machine.interrupts import postponing
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
)
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

_SEED = 0
_SIZES = 2, 3  # larger ice reaches the border
_WITHOUT_GLACIERS = 2_490_000.0, 1_180_000.0  # the plateau north of the Alps
_DOING = "making the demonstration in"


@dataclass(frozen=True)
class DemoReport:
    """
    What the demonstration made, and how good it is.

    Attributes
    ----------
    experiment : Path
    drawings, picture, page : Path
        The folder of the maps, the overview, and the report.
    scores : list of Score
        Of the ensemble and of simpler methods, on the test glaciers.
    coverages : list of Coverage
        What the intervals of the ensemble hold there.
    calibrated_on : list of str
        The glaciers whose errors made the calibrated ones.
    n_tested : int
        How many these are.
    failures : dict of str
        Why features could not be built or drawn, by id.
    """

    experiment: Path
    drawings: Path
    picture: Path
    page: Path
    scores: list[Score]
    coverages: list[Coverage]
    calibrated_on: list[str]
    n_tested: int
    failures: dict[str, str]


def run_demo(
    folder: Path | str, *, jobs: int | None = None, progress: Progress | None = None
) -> DemoReport:
    """
    Make a region of known thickness in *folder*, map it, and tell how good that is.

    The uncertainty is calibrated by the validation glaciers, unless it is calibrated
    already. A second run continues what is unfinished.

    Parameters
    ----------
    jobs : int, optional
        Features built, and members trained, at the same time; default what ends soonest
        on the cores that may be used. Processes import the main module again.

    Raises
    ------
    WorkspaceError
        The folder holds data that are not the demonstration's, it cannot be written, or
        another command is making the demonstration in it.
    """
    with postponing():  # half an import leaves libraries broken
        # torch, which writing the data does without
        from glacier_inversion.drawing.draw import draw  # noqa: PLC0415
        from glacier_inversion.evaluation.calibrate import calibrate  # noqa: PLC0415
        from glacier_inversion.evaluation.evaluate import evaluate  # noqa: PLC0415
        from glacier_inversion.reporting.report import report  # noqa: PLC0415
        from glacier_inversion.training.model.model import (  # noqa: PLC0415
            read_model,
        )
        from glacier_inversion.training.train import train  # noqa: PLC0415

    workspace, progress = Workspace(Path(folder)), progress or Silent()
    with locked(workspace.root.resolve(), _DOING):
        experiment = _write_demo(workspace.root, progress)
        loaded = load_experiment(experiment)
        model = loaded.model_name
        built = build_dataset(
            loaded, workspace, jobs=jobs or available_cores(), progress=progress
        )
        train(loaded, workspace, jobs=jobs, progress=progress, device="cpu")
        folder = workspace.model(model)
        if not (folder / CALIBRATION).exists():  # that of crossval is better
            calibrate(loaded, workspace, device="cpu", progress=progress)
        drawn = draw(loaded, workspace, progress=progress)
        evaluated = evaluate(loaded, workspace, device="cpu", progress=progress)
        n_members = len(evaluated.metrics["seeds"])
        calibration = read_calibration(folder, read_model(folder).identity, n_members)
        dataset = open_dataset(loaded, workspace)
        picture = workspace.root / "overview.png"
        draw_overview(picture, workspace, model, dataset)
        (page,) = report(loaded, workspace, progress=progress).written
        thickness = calibration.outputs[THICKNESS]
        uncertainty = evaluated.metrics["outputs"][THICKNESS]["uncertainty"]
        return DemoReport(
            experiment=experiment,
            drawings=workspace.drawings(model),
            picture=picture,
            page=page,
            scores=score_demo(workspace, model, dataset),
            coverages=cover_demo(workspace, model, dataset, uncertainty, thickness),
            calibrated_on=thickness.features,
            n_tested=len(dataset.select("test")),
            failures=built.failures | drawn.failures,
        )


def write_demo(folder: Path | str, *, progress: Progress | None = None) -> Path:
    """
    Write the data and the experiment of the demonstration, unless they are there.

    The data appear whole or not at all. They are the same each time, up to rounding.

    Returns
    -------
    experiment : Path

    Raises
    ------
    WorkspaceError
        As `run_demo`.
    """
    root = Workspace(Path(folder)).root
    with locked(root.resolve(), _DOING):
        return _write_demo(root, progress or Silent())


def _write_demo(folder: Path, progress: Progress) -> Path:
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
            write_region(unfinished, _SEED, progress)
    return experiment


def write_large_region(
    folder: Path | str, size: int, *, progress: Progress | None = None
) -> Path:
    """
    Write data/ of a region so many times as large, to mix it into other training.

    The files are those of the demonstration, whose mountains they are of, as high and
    so many times as long and wide. They appear whole or not at all. The region lies
    where no glaciers are: its own would not be mixed in where real ones are tested.

    Parameters
    ----------
    folder : Path or str
        Must hold no data.
    size : int
        2 or 3.

    Returns
    -------
    data : Path
        The folder with the files.

    Raises
    ------
    WorkspaceError
        The folder holds data already, or cannot be written.
    """
    if size not in _SIZES:
        message = f"Invalid size {size}. Must be one of {_SIZES}."
        raise ValueError(message)
    root = Workspace(Path(folder)).root
    data = root / "data"
    with locked(root.resolve(), _DOING):
        if data.exists():
            message = (
                f"{data}: is there already. A region must have a folder of its own. "
                "Name another: ginv demo FOLDER --size SIZE."
            )
            raise WorkspaceError(message)
        mountains = build_mountains(_SEED).stretched(size, _WITHOUT_GLACIERS)
        with making_folder(data) as unfinished:
            _write_data(unfinished, mountains, _SEED, progress or Silent())
    return data


def write_region(folder: Path, seed: int, progress: Progress) -> None:
    """Write the data of a made-up region, another one for each seed, into a folder."""
    _write_data(folder, build_mountains(seed), seed, progress)


def _write_data(
    folder: Path, mountains: Mountains, seed: int, progress: Progress
) -> None:
    rheology = Rheology()
    logger.info("growing the ice of %d valleys", len(mountains.floors))
    thickness, imbalance = grow_ice(mountains, rheology, progress)
    glaciers = find_glaciers(mountains, thickness)
    logger.info(
        "%d glaciers, %.1f km3 of ice up to %.0f m thick, steady to %.2f %% of the "
        "accumulation",
        len(glaciers),
        thickness.sum() * mountains.cell_size**2 / 1e9,
        thickness.max(),
        100 * imbalance,
    )
    velocity = surface_velocity(thickness, mountains.bed, mountains.cell_size, rheology)
    write_observations(folder, mountains, thickness, velocity, glaciers, seed)
