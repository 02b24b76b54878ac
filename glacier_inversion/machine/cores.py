"""The cores that this process may use."""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from glacier_inversion.machine.control_groups import (
    ALL_GROUPS,
    OWN_GROUPS,
    read_settings,
)


def available_cores(
    proc: Path = OWN_GROUPS,
    cgroups: Path = ALL_GROUPS,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """
    Return the number of cores that this process may use.

    The least of its affinity, of what its container and the groups around it may use,
    and of what SLURM has given its task.
    """
    limits: list[float] = [os.cpu_count() or 1]
    if sys.platform == "linux":
        limits.append(len(os.sched_getaffinity(0)))
        limits += [quota for _, quota in _quotas(proc, cgroups)]
    given = environment.get("SLURM_CPUS_PER_TASK", "")
    if given.isdecimal() and int(given) > 0:
        limits.append(int(given))
    return max(1, math.ceil(min(limits)))


def whose_cores(
    proc: Path = OWN_GROUPS,
    cgroups: Path = ALL_GROUPS,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """
    Return a name that processes of a machine have in common if they share their cores.

    It follows from what `available_cores` does: the same affinity, the same control
    group that sets the least limit, and the same task of SLURM.
    """
    names = "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID"
    parts = [environment.get(name, "") for name in names]
    if sys.platform == "linux":
        own = os.sched_getaffinity(0)
        parts.append(str(sorted(own)))
        limits = sorted((quota, str(group)) for group, quota in _quotas(proc, cgroups))
        parts += [group for quota, group in limits[:1] if quota < len(own)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _quotas(proc: Path, cgroups: Path) -> Iterator[tuple[Path, float]]:
    """Yield the control groups around this process, and the cores each may use."""
    files = ["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
    for group, words in read_settings("cpu", *files, proc, cgroups):
        if len(words) == 2 and words[0].isdecimal() and int(words[1]) > 0:
            yield group, int(words[0]) / int(words[1])
