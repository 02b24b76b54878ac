"""The commands that need no experiment: what proposes it, its schema, the demo."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from glacier_inversion.commands.console import (
    QUIET,
    VERBOSE,
    WORKSPACE,
    FriendlyCommand,
    end,
    examples,
    note_workspace,
)
from glacier_inversion.commands.logs import configure_logging
from glacier_inversion.progress import working

logger = logging.getLogger(__name__)


@click.command(
    "new",
    cls=FriendlyCommand,
    epilog=examples("ginv new", "ginv new exp.json --model ../alps/models/alps"),
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@WORKSPACE
@click.option("--outlines", default=None, help="File of outlines in data/ to take.")
@click.option("--layer", default=None, help="Layer of the outlines to take.")
@click.option(
    "--model",
    "models",
    type=click.Path(file_okay=False, path_type=Path),
    multiple=True,
    help="Folder of a trained model to apply; may be repeated.",
)
@VERBOSE
@QUIET
def new_command(
    file: Path | None,
    workspace: Path,
    outlines: str | None,
    layer: str | None,
    models: tuple[Path, ...],
    verbose: bool,
    quiet: bool,
) -> None:
    """
    Propose an experiment for what lies in data/.

    Looks for outlines and rasters, and writes FILE (default: experiment.json in the
    workspace), which must not exist, in a folder that does. Its name ends in .json.
    Says what it chose, and why. Without a raster of ice thickness, trained models are
    applied: those in models/, or of --model.
    """
    configure_logging(verbose, quiet)
    from glacier_inversion.proposing.proposal import check_new, write_experiment
    from glacier_inversion.proposing.propose import propose_experiment
    from glacier_inversion.workspace import Workspace

    path = file or workspace / "experiment.json"
    check_new(path)
    proposal = propose_experiment(
        Workspace(workspace),
        outlines=outlines,
        layer=layer,
        models=[str(model.absolute()) for model in models],
    )
    write_experiment(proposal, path)
    for reason in proposal.reasons:
        logger.info("%s", reason)
    click.echo(path)


@click.command(
    "schema", cls=FriendlyCommand, epilog=examples("ginv schema > ginv.schema.json")
)
def schema_command() -> None:
    """Print the JSON Schema of the experiment file, for editors."""
    from glacier_inversion.experiment.experiment import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@click.command("demo", cls=FriendlyCommand, epilog=examples("ginv demo"))
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
