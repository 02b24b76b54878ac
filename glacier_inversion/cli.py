"""
The command line: thin commands over the library.

Heavy modules are imported inside the commands, so that help stays instant.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from glacier_inversion import __version__
from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.commands.console import (
    DEVICE,
    JOBS,
    JOBS_OF_FEATURES,
    METHOD,
    MOST_JOBS,
    QUIET,
    VERBOSE,
    WAY_AND_EXIT_CODES,
    FriendlyGroup,
    SeedList,
    end,
    examples,
    note_workspace,
    with_common_options,
)
from glacier_inversion.commands.evaluating import (
    calibrate_command,
    crossval_command,
    evaluate_command,
    report_command,
)
from glacier_inversion.commands.logs import configure_logging
from glacier_inversion.commands.sharing_options import check_sharing, with_sharing
from glacier_inversion.commands.starting import new_command, schema_command
from glacier_inversion.errors import ExperimentError
from glacier_inversion.progress import working

logger = logging.getLogger(__name__)


@click.group(
    cls=FriendlyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=WAY_AND_EXIT_CODES,
)
@click.version_option(__version__, prog_name="ginv")
def main() -> None:
    """
    Predict a parameter of glaciers, such as ice thickness, from rasters.

    An experiment is a JSON file that describes the data, the network, the training and
    the drawings. Each command continues what is unfinished.
    """


@main.command("check", epilog=examples("ginv check exp.json", "ginv check exp.json -v"))
@with_common_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def check_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """
    Report what is missing and what the work will cost.

    Looks at the files, at what the rasters cover, at the split, the samples and the
    network, and estimates the memory and the time of training and drawing. Nothing is
    written. Exits with 1 if a later command would stop.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_application

    warnings: list[str] = []
    try:
        loaded = load_application(experiment, warnings.append)
    except ExperimentError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"problems": str(error).splitlines()}, indent=2))
        ctx.exit(error.exit_code)
    from glacier_inversion.checking.check import check
    from glacier_inversion.checking.text import format_report
    from glacier_inversion.workspace import Workspace

    report = check(
        loaded, Workspace(workspace), where=str(experiment), warnings=warnings
    )
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, allow_nan=False))
    else:
        click.echo(format_report(report, with_features=verbose))
    ctx.exit(1 if report.problems else 0)


@main.command("build-dataset", epilog=examples("ginv build-dataset exp.json"))
@with_common_options
@click.option(
    "--jobs",
    type=click.IntRange(min=1, max=MOST_JOBS),
    default=None,
    show_default="the cores that may be used",
    help="Number of features worked on at the same time.",
)
@with_sharing
@click.pass_context
def build_dataset_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    jobs: int | None,
    shard: str | None,
    scheduler: str | None,
) -> None:
    """
    Cut the rasters out around the outlines, as GeoTIFFs.

    Each outline is grown by buffer_distance, and each raster is resampled to its
    resolution. Files that are whole and were made from the same inputs are kept. Prints
    the path of the summary.
    """
    check_sharing(shard, scheduler, jobs)
    configure_logging(verbose, quiet)
    from glacier_inversion.dataset.build import build_dataset
    from glacier_inversion.experiment.experiment import load_application
    from glacier_inversion.machine.cores import available_cores
    from glacier_inversion.workspace import Workspace

    loaded = load_application(experiment)
    jobs = jobs or available_cores()
    with working() as progress:
        report = build_dataset(
            loaded,
            Workspace(workspace),
            jobs=jobs,
            shard=shard,
            scheduler=scheduler,
            progress=progress,
        )
    logger.info("%d tiles written, %d kept", report.n_written, report.n_kept)
    click.echo(report.folder / "summary.json")
    end(ctx, report.failures)


@main.command(
    "train", epilog=examples("ginv train exp.json", "ginv train exp.json --seeds 0,2-3")
)
@with_common_options
@click.option(
    "--seeds",
    type=SeedList(),
    default=None,
    help="Train these members only, for example 3,7-9.  [default: all]",
)
@click.option("--overwrite", is_flag=True, help="Remove the model and begin again.")
@JOBS
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Also write the losses and metrics for TensorBoard.",
)
@DEVICE
@with_sharing
@click.option("--status", is_flag=True, help="Show how far training is, and end.")
def train_command(
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    seeds: list[int] | None,
    overwrite: bool,
    jobs: int | None,
    tensorboard: bool,
    device: DeviceName,
    shard: str | None,
    scheduler: str | None,
    status: bool,
) -> None:
    """
    Train one network for each seed; finished ones are kept.

    Ctrl-C, SIGTERM or a terminal that is closed stops it between two steps, and the
    next run goes on from there.
    Prints the folders of the trained members.
    """
    check_sharing(shard, scheduler, jobs, tensorboard)
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_experiment

    loaded = load_experiment(experiment)
    beyond = [seed for seed in seeds or [] if seed >= loaded.seeds_number]
    if beyond:
        message = (
            f"{beyond[0]} is no seed of the experiment. Must be 0 to "
            f"{loaded.seeds_number - 1}. Raise seeds_number to train more."
        )
        raise click.BadParameter(message, param_hint="--seeds")
    from glacier_inversion.workspace import Workspace

    place = Workspace(workspace)
    if status:
        from glacier_inversion.training.status import format_status, read_status

        click.echo(format_status(loaded, read_status(loaded, place)))
        return
    from glacier_inversion.training.train import train

    try:
        with working() as progress:
            report = train(
                loaded,
                place,
                seeds=seeds,
                overwrite=overwrite,
                jobs=jobs,
                device=device,
                tensorboard=tensorboard,
                shard=shard,
                scheduler=scheduler,
                progress=progress,
            )
    except ExperimentError as error:
        message = f"{experiment}: {error}"
        raise ExperimentError(message) from error
    for folder in report.members:
        click.echo(folder)


@main.command("draw", epilog=examples("ginv draw exp.json"))
@with_common_options
@METHOD
@DEVICE
@JOBS_OF_FEATURES
@with_sharing
@click.pass_context
def draw_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    method: DrawingMethod,
    device: DeviceName,
    jobs: int | None,
    shard: str | None,
    scheduler: str | None,
) -> None:
    """
    Draw maps and profiles: GeoTIFFs, CSV files and pictures.

    For each chosen feature there is a map of the mean of the trained networks, one of
    their standard deviation, and others if the experiment asks for them. Maps that an
    earlier run drew of the same are kept. Prints the paths of what is there.
    """
    check_sharing(shard, scheduler, jobs)
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_application
    from glacier_inversion.workspace import Workspace

    loaded = load_application(experiment)
    place = Workspace(workspace)
    from glacier_inversion.drawing.draw import draw

    with working() as progress:
        report = draw(
            loaded,
            place,
            method=method,
            device=device,
            jobs=jobs,
            shard=shard,
            scheduler=scheduler,
            progress=progress,
        )
    for path in report.written:
        click.echo(path)
    end(ctx, report.failures)


@main.command("demo", epilog=examples("ginv demo"))
@click.argument(
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="glacier-demo",
    callback=note_workspace,
)
@click.option("--no-run", is_flag=True, help="Only write the data and the experiment.")
@click.option(
    "--size",
    type=click.IntRange(2, 3),
    help="Only write the data, of a region so many times as long and wide, with "
    "thicker ice, to mix into other training (extra_training).",
)
@VERBOSE
@QUIET
@click.pass_context
def demo_command(
    ctx: click.Context,
    folder: Path,
    no_run: bool,
    size: int | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """
    Try all of it on made-up glaciers of known thickness.

    Writes the data into FOLDER (default: glacier-demo), trains a small ensemble, draws
    maps, and prints its errors beside those of simpler methods. This takes two minutes
    or less on two cores. A second run continues what is unfinished.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.demo.demo import run_demo, write_demo, write_large_region
    from glacier_inversion.demo.text import format_demo

    with working() as progress:
        if size is not None:
            click.echo(write_large_region(folder, size, progress=progress))
            return
        if no_run:
            click.echo(write_demo(folder, progress=progress))
            return
        report = run_demo(folder, progress=progress)
    click.echo(format_demo(report))
    end(ctx, report.failures)


for command in (
    calibrate_command,
    crossval_command,
    evaluate_command,
    report_command,
    new_command,
    schema_command,
):
    main.add_command(command)
