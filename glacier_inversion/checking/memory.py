"""Whether what is planned fits into the memory that may be used."""

from __future__ import annotations

from collections.abc import Iterator

from glacier_inversion.checking.report import DrawingCost, TrainingCost
from glacier_inversion.machine.available_memory import find_lack
from glacier_inversion.training.needed_memory import find_lack_in_training


def find_lacking_memory(
    training: TrainingCost | None, drawing: DrawingCost, available: int | None
) -> Iterator[str]:
    """
    Say what will take more memory than may be used, by the estimates.

    It may be meant for another machine, so this is no problem of the experiment.

    >>> training = TrainingCost(seeds=5, epochs=10, least_memory_bytes=90 * 10**9)
    >>> drawing = DrawingCost(features=1, pixels=100, memory_bytes=10**9)
    >>> for warning in find_lacking_memory(training, drawing, 16 * 10**9):
    ...     print(warning)
    training takes some 90 GB of memory, and this process may use 16 GB. Use a smaller \
batch_size, fewer filters or coarser rasters, or train where there is more
    """
    if training is not None:
        yield from find_lack_in_training(training.least_memory_bytes, available)
    remedy = "a smaller seeds_number, or draw"
    yield from find_lack("drawing", drawing.memory_bytes, available, remedy)
