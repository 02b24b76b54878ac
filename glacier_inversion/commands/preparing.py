"""The commands before training: what looks at an experiment, and what cuts its data."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from glacier_inversion.commands.console import (
    MOST_JOBS,
    FriendlyCommand,
    end,
    examples,
    with_common_options,
)
from glacier_inversion.commands.logs import configure_logging
from glacier_inversion.commands.sharing_options import check_sharing, with_sharing
from glacier_inversion.errors import ExperimentError
from glacier_inversion.progress import working

logger = logging.getLogger(__name__)


@click.command(
    "check",
    cls=FriendlyCommand,
    epilog=examples("ginv check exp.json", "ginv check exp.json -v"),
)
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


@click.command(
    "build-dataset", cls=FriendlyCommand, epilog=examples("ginv build-dataset exp.json")
)
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
