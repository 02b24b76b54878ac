"""
The command line: the group of all commands.

Each command is a thin one over the library, in a module of `commands/`. Heavy modules
are imported inside the commands, so that help stays instant.
"""

from __future__ import annotations

import click

from glacier_inversion import __version__
from glacier_inversion.commands.console import WAY_AND_EXIT_CODES, FriendlyGroup
from glacier_inversion.commands.drawing import draw_command
from glacier_inversion.commands.evaluating import (
    calibrate_command,
    crossval_command,
    evaluate_command,
    report_command,
)
from glacier_inversion.commands.preparing import build_dataset_command, check_command
from glacier_inversion.commands.starting import (
    demo_command,
    new_command,
    schema_command,
)
from glacier_inversion.commands.training import train_command


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


for command in (
    new_command,
    check_command,
    build_dataset_command,
    train_command,
    draw_command,
    evaluate_command,
    crossval_command,
    calibrate_command,
    report_command,
    demo_command,
    schema_command,
):
    main.add_command(command)
