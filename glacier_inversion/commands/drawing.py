"""The command that draws maps and profiles."""

from __future__ import annotations

from pathlib import Path

import click

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.commands.console import (
    DEVICE,
    JOBS_OF_FEATURES,
    METHOD,
    FriendlyCommand,
    end,
    examples,
    with_common_options,
)
from glacier_inversion.commands.logs import configure_logging
from glacier_inversion.commands.sharing_options import check_sharing, with_sharing
from glacier_inversion.progress import working


@click.command("draw", cls=FriendlyCommand, epilog=examples("ginv draw exp.json"))
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
