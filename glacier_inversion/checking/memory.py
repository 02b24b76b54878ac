"""Whether what is planned fits into the memory of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

from glacier_inversion.checking.report import DrawingCost, TrainingCost


def installed_bytes() -> int | None:
    """Return the memory that is built in, None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no such function
        return None


def find_lacking_memory(
    training: TrainingCost | None, drawing: DrawingCost, installed: int | None
) -> Iterator[str]:
    """
    Say what will take more memory than there is, by the estimates.

    It may be meant for another machine, so this is no problem of the experiment.

    >>> training = TrainingCost(seeds=5, epochs=10, least_memory_bytes=90 * 10**9)
    >>> drawing = DrawingCost(features=1, pixels=100, memory_bytes=10**9)
    >>> for warning in find_lacking_memory(training, drawing, 16 * 10**9):
    ...     print(warning)
    training takes some 90 GB of memory, and this machine has 16 GB. Use a smaller \
batch_size, fewer filters or coarser rasters, or train on another machine
    """
    if installed is None:
        return
    for work, needed, remedy in (
        (
            "training",
            None if training is None else training.least_memory_bytes,
            "a smaller batch_size, fewer filters or coarser rasters, or train",
        ),
        ("drawing", drawing.memory_bytes, "a smaller seeds_number, or draw"),
    ):
        if needed is not None and needed > installed:
            yield (
                f"{work} takes some {needed / 1e9:,.0f} GB of memory, and this machine "
                f"has {installed / 1e9:,.0f} GB. Use {remedy} on another machine"
            )
