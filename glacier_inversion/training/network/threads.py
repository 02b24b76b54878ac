"""
How networks use the processor's cores: each computation on one of them.

Networks and batches of this size gain little from more threads and lose much where
cores are shared; and their sums would depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], n_threads: int
) -> list[Result]:
    """
    Apply *function* to items, in so many threads at most, each on one core.

    Torch computes outside the interpreter lock. The results are in order and do not
    depend on the number of threads.
    """
    items = list(items)
    if min(len(items), n_threads) <= 1:
        with one_thread():
            return [function(item) for item in items]
    with one_thread(), ThreadPoolExecutor(n_threads, initializer=_use_one) as pool:
        return list(pool.map(function, items))


def _use_one() -> None:
    torch.set_num_threads(1)
