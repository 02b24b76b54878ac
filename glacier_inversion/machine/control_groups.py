"""Limits of the control groups around this process: containers and jobs on Linux."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

OWN_GROUPS = Path("/proc/self/cgroup")
ALL_GROUPS = Path("/sys/fs/cgroup")


def read_settings(
    controller: str,
    names: Sequence[str],
    names_1: Sequence[str],
    proc: Path = OWN_GROUPS,
    cgroups: Path = ALL_GROUPS,
) -> Iterator[tuple[Path, list[str]]]:
    """
    Yield each control group around this process, and what files say of it, as words.

    A group's path is that of the host; in a container the files of its own group may
    lie at the root. Of files that are not there nothing is said.

    Parameters
    ----------
    controller : str
        Such as 'cpu'.
    names, names_1 : sequence of str
        Of the files, in version 2 of control groups and in version 1.
    proc : Path
        Says which groups this process is in.
    cgroups : Path
        The folder in which all groups are.
    """
    for line in _read(proc).splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":  # version 2
            folders, files = [cgroups, cgroups / "unified"], names
        elif controller in controllers.split(","):
            folders = [cgroups / name for name in {controllers, controller}]
            files = names_1
        else:
            continue
        path = Path(group.lstrip("/"))
        for place in (
            folder / at for folder in folders for at in (path, *path.parents)
        ):
            yield place, " ".join(_read(place / name) for name in files).split()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # there is none
        return ""
