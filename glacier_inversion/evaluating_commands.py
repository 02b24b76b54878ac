"""The commands that say how good a model is."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from glacier_inversion.choices import DeviceName, DrawingMethod, FeatureGroup
from glacier_inversion.console import (
    DEVICE,
    METHOD,
    FriendlyCommand,
    configure_logging,
    end,
    examples,
    with_common_options,
)
from glacier_inversion.progress import working


@click.command(
    "evaluate",
    cls=FriendlyCommand,
    epilog=examples("ginv evaluate exp.json", "ginv evaluate exp.json --split all"),
)
@with_common_options
@click.option(
    "--split",
    type=click.Choice(get_args(FeatureGroup)),
    default="test",
    show_default=True,
    help="The features: those that the model was tested, validated or trained on, or "
    "all of the dataset.",
)
@METHOD
@DEVICE
@click.pass_context
def evaluate_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    split: FeatureGroup,
    method: DrawingMethod,
    device: DeviceName,
) -> None:
    """
    Compare predictions with what is known.

    The trained networks predict at every pixel of the split's features where the output
    is known. Prints the errors of their mean, of single networks and of simpler
    methods, by class and by feature, and the paths of what was written: the same as
    JSON and CSV, and the pixels as points for QGIS.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_experiment
    from glacier_inversion.workspace import Workspace

    loaded = load_experiment(experiment)
    from glacier_inversion.evaluation.evaluate import evaluate
    from glacier_inversion.evaluation.tables import format_metrics

    with working() as progress:
        report = evaluate(
            loaded,
            Workspace(workspace),
            split=split,
            method=method,
            device=device,
            progress=progress,
        )
    click.echo(format_metrics(report.metrics))
    click.echo()
    for path in report.written:
        click.echo(path)
    end(ctx, report.failures)
