"""Options by which several commands, or a cluster, share the work of one."""

from __future__ import annotations

from typing import Any

import click

from glacier_inversion.commands.console import Command
from glacier_inversion.sharing.shards import parse_shard


class ShardText(click.ParamType[str]):
    """A shard such as 1/4."""

    name = "I/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text, which is that of a shard."""
        try:
            parse_shard(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


_SHARD = click.option(
    "--shard",
    type=ShardText(),
    metavar="I/N",
    default=None,
    help="Share the work with commands that say the same with another I, from 1 to N, "
    "here or on machines that see the same files. The last one finishes.",
)
_SCHEDULER = click.option(
    "--scheduler",
    metavar="ADDRESS",
    default=None,
    help="Have the work done by the workers of a Dask scheduler, tcp://HOST:8786, that "
    "see the same files.",
)


def with_sharing(command: Command) -> Command:
    """Give a command the options by which its work is shared."""
    return _SHARD(_SCHEDULER(command))


def check_sharing(
    shard: str | None,
    scheduler: str | None,
    jobs: int | None = None,
    tensorboard: bool = False,
) -> None:
    """
    Refuse options that cannot stand beside one another.

    Raises
    ------
    UsageError
        They cannot.
    """
    if tensorboard and (shard or scheduler):
        message = (
            "--tensorboard: cannot stand beside --shard or --scheduler: of what is "
            "trained elsewhere log.csv and 'ginv train --status' tell. Leave it out."
        )
        raise click.UsageError(message)
    if scheduler is None:
        return
    for option, value in (("--shard", shard), ("--jobs", jobs)):
        if value is not None:
            message = (
                f"{option} {value}: cannot stand beside --scheduler, whose workers "
                "share the work among them. Leave one of them out."
            )
            raise click.UsageError(message)
