"""The memory that this process may use, and what needs more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from glacier_inversion.machine.control_groups import (
    ALL_GROUPS,
    OWN_GROUPS,
    read_settings,
)


def available_bytes(
    proc: Path = OWN_GROUPS,
    cgroups: Path = ALL_GROUPS,
    environment: Mapping[str, str] = os.environ,
) -> int | None:
    """
    Return the memory that this process may use, None where the system does not say.

    The least of what is built in, of what its container and the groups around it may
    use, and of what SLURM has given its job on this machine. What others use of it is
    not known.
    """
    limits = [*_built_in(), *_limits(proc, cgroups), *_given(environment)]
    return min(limits, default=None)


def _built_in() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no such function
        return


def _limits(proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield the bytes that each control group around this process may use."""
    files = ["memory.max"], ["memory.limit_in_bytes"]
    for _, words in read_settings("memory", *files, proc, cgroups):
        if len(words) == 1 and words[0].isdecimal():
            yield int(words[0])


def _given(environment: Mapping[str, str]) -> Iterator[int]:
    """Yield the bytes that SLURM has given: of the machine, or of each of its cores."""
    n_mib = _number(environment, "SLURM_MEM_PER_NODE")
    if n_mib == 0:  # 0 is all of the machine
        n_mib = _number(environment, "SLURM_MEM_PER_CPU") * _number(
            environment, "SLURM_CPUS_ON_NODE"
        )
    if n_mib > 0:
        yield n_mib * 2**20


def _number(environment: Mapping[str, str], name: str) -> int:
    given = environment.get(name, "")
    return int(given) if given.isdecimal() else 0


def find_lack(
    work: str, needed: int | None, available: int | None, remedy: str
) -> Iterator[str]:
    """
    Say it where work takes more memory than may be used, if both are known.

    >>> (warning,) = find_lack("drawing", 9 * 10**9, 4 * 10**9, "less, or draw")
    >>> warning.partition(". ")[0]
    'drawing takes some 9 GB of memory, and this process may use 4 GB'
    """
    if needed is not None and available is not None and needed > available:
        yield (
            f"{work} takes some {needed / 1e9:,.0f} GB of memory, and this process may "
            f"use {available / 1e9:,.0f} GB. Use {remedy} where there is more"
        )
