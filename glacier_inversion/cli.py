"""
The command line: thin commands over the library.

Heavy modules are imported inside the commands, so that help stays instant.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import get_args

import click

from glacier_inversion import __version__
from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.console import (
    DEVICE,
    QUIET,
    VERBOSE,
    FriendlyGroup,
    SeedList,
    configure_logging,
    note_workspace,
    with_common_options,
)
from glacier_inversion.errors import ExperimentError
from glacier_inversion.progress import working

FAILED_FEATURES = 3


@click.group(
    cls=FriendlyGroup, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="ginv")
def main() -> None:
    """
    Predict a parameter of glaciers, such as ice thickness, from rasters.

    EXPERIMENT is a JSON file that describes data, network, training and drawing. Run
    build-dataset, train and draw in this order; each continues what is unfinished. What
    they will find and cost says check.

    Exit codes: 0 done; 1 failed; 2 bad command line or experiment; 3 finished, but some
    features failed; 130 stopped by Ctrl-C; 143 by SIGTERM; 70 an error that nobody
    foresaw, kept in ginv-error.txt.
    """


@main.command("check")
@with_common_options
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
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
    Say all that can be said before work starts: data, network, cost.

    Exits with 1 if there are problems that would stop build-dataset, train or draw.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_experiment

    warnings: list[str] = []
    try:
        loaded = load_experiment(experiment, warnings.append)
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


@main.command("build-dataset")
@with_common_options
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    show_default="the cores that may be used",
    help="Features worked on at once.",
)
@click.pass_context
def build_dataset_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    jobs: int | None,
) -> None:
    """Clip and resample every raster around every buffered outline."""
    configure_logging(verbose, quiet)
    from glacier_inversion.dataset.build import build_dataset
    from glacier_inversion.executors import available_cores
    from glacier_inversion.experiment.experiment import load_experiment
    from glacier_inversion.workspace import Workspace

    loaded = load_experiment(experiment)
    jobs = jobs or available_cores()
    with working() as progress:
        report = build_dataset(
            loaded, Workspace(workspace), jobs=jobs, progress=progress
        )
    logger.info("%d tiles written, %d kept", report.n_written, report.n_kept)
    click.echo(report.folder / "summary.json")
    _end(ctx, report.failures)


@main.command("train")
@with_common_options
@click.option(
    "--seeds",
    type=SeedList(),
    default=None,
    help="Members to train, such as 3,7-9.  [default: all of the experiment's]",
)
@click.option("--overwrite", is_flag=True, help="Remove the model and start anew.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="Members to train at the same time; on the processor the weights do not "
    "depend on it.  [default: what is estimated to end soonest]",
)
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Write losses and metrics of what it trains for TensorBoard, too.",
)
@DEVICE
@click.option("--status", is_flag=True, help="Say how far training is, and end.")
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
    status: bool,
) -> None:
    """
    Train the network once per seed; finished members are kept.

    Ctrl-C, or SIGTERM, ends it between two steps; the next run goes on from there.
    """
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
                progress=progress,
            )
    except ExperimentError as error:
        message = f"{experiment}: {error}"
        raise ExperimentError(message) from error
    for folder in report.members:
        click.echo(folder)


@main.command("draw")
@with_common_options
@click.option(
    "--method",
    type=click.Choice(get_args(DrawingMethod)),
    default="auto",
    show_default=True,
    help="Dense passes over whole blocks, patches one by one, or what is faster of "
    "those that are exact. The numbers are the same within rounding.",
)
@DEVICE
@click.pass_context
def draw_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    method: DrawingMethod,
    device: DeviceName,
) -> None:
    """Draw the ensembles over features and profiles: GeoTIFFs and CSV files."""
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_experiment
    from glacier_inversion.workspace import Workspace

    loaded = load_experiment(experiment)
    place = Workspace(workspace)
    from glacier_inversion.drawing.draw import draw

    with working() as progress:
        report = draw(loaded, place, method=method, device=device, progress=progress)
    for path in report.written:
        click.echo(path)
    _end(ctx, report.failures)


@main.command("demo")
@click.argument(
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="glacier-demo",
    callback=note_workspace,
)
@click.option("--no-run", is_flag=True, help="Write data and experiment only.")
@VERBOSE
@QUIET
@click.pass_context
def demo_command(
    ctx: click.Context, folder: Path, no_run: bool, verbose: bool, quiet: bool
) -> None:
    """
    Make a region of known thickness in FOLDER, and map it.

    FOLDER is glacier-demo unless you name another. Data are made up, a small ensemble
    is trained and drawn, and its errors are printed beside those of simpler methods.
    A second run continues what is unfinished.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.demo.demo import run_demo, write_demo

    with working() as progress:
        if no_run:
            click.echo(write_demo(folder, progress=progress))
            return
        report = run_demo(folder, progress=progress)
    click.echo(f"Maps, for QGIS: {report.drawings}")
    click.echo(f"Picture:        {report.picture}")
    click.echo()
    heading = f"Errors on {report.n_tested} glaciers never seen"
    click.echo(f"{heading:<34} RMSE     bias")
    for row in report.scores:
        click.echo(f"  {row.method:<32}{row.rmse:5.1f} m {row.bias:+6.1f} m")
    _end(ctx, report.failures)


@main.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the experiment file, for editors."""
    from glacier_inversion.experiment.experiment import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


logger = logging.getLogger(__name__)


def _end(ctx: click.Context, failures: dict[str, str]) -> None:
    """End with exit code 3 where features failed, naming them."""
    if failures:
        logger.error("%d features failed: %s", len(failures), ", ".join(failures))
        ctx.exit(FAILED_FEATURES)
