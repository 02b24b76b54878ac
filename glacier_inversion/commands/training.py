"""The command that trains the members of an ensemble, and tells how far they are."""

from __future__ import annotations

from pathlib import Path

import click

from glacier_inversion.choices import DeviceName
from glacier_inversion.commands.console import (
    DEVICE,
    JOBS,
    FriendlyCommand,
    SeedList,
    examples,
    with_common_options,
)
from glacier_inversion.commands.logs import configure_logging
from glacier_inversion.commands.sharing_options import check_sharing, with_sharing
from glacier_inversion.errors import ExperimentError
from glacier_inversion.progress import working


@click.command(
    "train",
    cls=FriendlyCommand,
    epilog=examples("ginv train exp.json", "ginv train exp.json --seeds 0,2-3"),
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
