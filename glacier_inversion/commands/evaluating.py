"""The commands that say how good a model is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from glacier_inversion.choices import DeviceName, DrawingMethod, FeatureGroup
from glacier_inversion.commands.console import (
    DEVICE,
    JOBS,
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

if TYPE_CHECKING:  # imported when a command runs, as --help shows at once
    from glacier_inversion.experiment.experiment import Experiment
    from glacier_inversion.workspace import Workspace


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
@JOBS_OF_FEATURES
@with_sharing
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
    jobs: int | None,
    shard: str | None,
    scheduler: str | None,
) -> None:
    """
    Compare predictions with what is known.

    The trained networks predict at every pixel of the split's features where the output
    is known. Prints the errors of their mean, of single networks and of simpler
    methods, by class and by feature, and the paths of what was written: the same as
    JSON and CSV, and the pixels as points for QGIS.
    """
    check_sharing(shard, scheduler, jobs)
    loaded, place = _open(experiment, workspace, verbose, quiet)
    from glacier_inversion.evaluation.evaluate import evaluate

    with working() as progress:
        report = evaluate(
            loaded,
            place,
            split=split,
            method=method,
            device=device,
            jobs=jobs,
            shard=shard,
            scheduler=scheduler,
            progress=progress,
        )
    _print(ctx, report.metrics, report.written, report.failures)


@click.command(
    "crossval",
    cls=FriendlyCommand,
    epilog=examples(
        "ginv crossval exp.json",
        "ginv crossval exp.json --leave-one-out --scheme nested",
        "ginv crossval exp.json --json > score.json",
    ),
)
@with_common_options
@click.option(
    "--folds",
    "n_folds",
    type=click.IntRange(min=2),
    default=None,
    show_default="10",
    help="Number of folds at most; each feature alone where there are no more.",
)
@click.option("--leave-one-out", is_flag=True, help="Each feature, or group, alone.")
@click.option(
    "--group",
    metavar="COLUMN",
    default=None,
    help="Column of the outlines: features of one value there stay together.",
)
@click.option(
    "--scheme",
    type=click.Choice(["plain", "nested"]),
    default="plain",
    show_default=True,
    help="nested: validate each training on another fold. Always where the criterion "
    "begins with val_.",
)
@click.option(
    "--all", "with_test", is_flag=True, help="Hold out the test features, too."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the RMSE (Brier score) of each output, its interval over the features "
    "and that of each feature, as JSON for programs.",
)
@click.option("--overwrite", is_flag=True, help="Remove these members and begin again.")
@JOBS
@METHOD
@DEVICE
@with_sharing
@click.pass_context
def crossval_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    n_folds: int | None,
    leave_one_out: bool,
    group: str | None,
    scheme: str,
    with_test: bool,
    as_json: bool,
    overwrite: bool,
    jobs: int | None,
    method: DrawingMethod,
    device: DeviceName,
    shard: str | None,
    scheduler: str | None,
) -> None:
    """
    Predict every feature by networks that never saw it.

    Trains one network per seed without each fold of the training and validation
    features, and compares what they predict there with what is known. Finished networks
    are kept; what was stopped goes on. Prints the same table as evaluate.
    """
    if leave_one_out and n_folds is not None:
        message = (
            f"--folds {n_folds}: cannot stand beside --leave-one-out, which makes as "
            "many folds as there are features or groups. Leave one of them out."
        )
        raise click.UsageError(message)
    check_sharing(shard, scheduler, jobs)
    loaded, place = _open(experiment, workspace, verbose, quiet)
    from glacier_inversion.evaluation.crossval import crossval

    with working() as progress:
        report = crossval(
            loaded,
            place,
            n_folds=None if leave_one_out else n_folds or 10,
            group=group,
            nested=scheme == "nested",
            with_test=with_test,
            overwrite=overwrite,
            jobs=jobs,
            method=method,
            device=device,
            shard=shard,
            scheduler=scheduler,
            progress=progress,
        )
    if as_json:
        from glacier_inversion.evaluation.one_score import pick_scores

        click.echo(json.dumps(pick_scores(report.metrics), indent=2, allow_nan=False))
        end(ctx, report.failures)
    else:
        _print(ctx, report.metrics, report.written, report.failures)


@click.command(
    "calibrate", cls=FriendlyCommand, epilog=examples("ginv calibrate exp.json")
)
@with_common_options
@METHOD
@DEVICE
@click.pass_context
def calibrate_command(
    ctx: click.Context,
    experiment: Path,
    workspace: Path,
    verbose: bool,
    quiet: bool,
    method: DrawingMethod,
    device: DeviceName,
) -> None:
    """
    Calibrate the uncertainty by the validation features alone.

    crossval does so, too, by more features and better; this takes seconds. Prints the
    table of evaluate for the validation features, what calibrated intervals cover of
    each, fitted to the others, and the paths of what was written.
    """
    loaded, place = _open(experiment, workspace, verbose, quiet)
    from glacier_inversion.evaluation.calibrate import calibrate

    with working() as progress:
        report = calibrate(
            loaded,
            place,
            method=method,
            device=device,
            progress=progress,
        )
    _print(ctx, report.metrics, report.written, report.failures)


@click.command("report", cls=FriendlyCommand, epilog=examples("ginv report exp.json"))
@with_common_options
def report_command(
    experiment: Path, workspace: Path, verbose: bool, quiet: bool
) -> None:
    """
    Write what is known of the model and its maps as one HTML file.

    reports/MODEL.html opens in any browser, without a network, and can be printed. It
    tells what was run, how good and how sure the predictions are, what to be careful
    about, and shows maps and a table of all features, from what the other commands have
    written. Prints its path.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_application
    from glacier_inversion.workspace import Workspace

    loaded = load_application(experiment)
    from glacier_inversion.reporting.report import report

    with working() as progress:
        done = report(loaded, Workspace(workspace), progress=progress)
    for path in done.written:
        click.echo(path)


def _open(
    experiment: Path, workspace: Path, verbose: bool, quiet: bool
) -> tuple[Experiment, Workspace]:
    """Configure logging, and load what a command works on: mistakes show at once."""
    configure_logging(verbose, quiet)
    from glacier_inversion.experiment.experiment import load_experiment
    from glacier_inversion.workspace import Workspace

    return load_experiment(experiment), Workspace(workspace)


def _print(
    ctx: click.Context,
    metrics: Mapping[str, Any],
    written: Sequence[Path],
    failures: dict[str, str],
) -> None:
    """Print the table of an evaluation and what was written, and end."""
    from glacier_inversion.evaluation.score_table import format_metrics

    click.echo(format_metrics(metrics))
    click.echo()
    for path in written:
        click.echo(path)
    end(ctx, failures)
