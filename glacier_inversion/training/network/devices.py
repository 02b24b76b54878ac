"""What networks are evaluated on: the processor's cores, or a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

import torch

from glacier_inversion.choices import DeviceName
from glacier_inversion.errors import (
    DeviceError,
    DeviceMemoryError,
    GlacierInversionError,
    first_line,
)
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.training.network.kept_memory import can_keep
from glacier_inversion.training.network.threads import map_in_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

# Patches of a batch stay in a core's caches: 128 of them are faster than 32, and than
# 1,024.
_BATCH = 128
# Larger parts of a block have less margin in all. Where memory is not kept, fields that
# leave the caches cost page faults each time, which are more than that.
_PASS_BYTES = 64e6 if can_keep() else 32e6
_BLOCK_PX = 512
# What a dense pass costs besides its arithmetic: some 50 calls, in multiply-adds.
_CALLS = 1e7
# A GPU wants much work at once.
_GPU_BATCH = 16_384
_GPU_BLOCK_PX = 1024
_GPU_CALLS = 5e9
# Where memory does not suffice, blocks are made smaller, but not than this.
_LEAST_BLOCK_PX = 32

# What is the GPU's own, or its libraries'; torch has a class for some of it alone, and
# only from 2.8 on.
_NO_MEMORY_ERROR = torch.cuda.OutOfMemoryError
_CLASSES = _NO_MEMORY_ERROR, getattr(torch, "AcceleratorError", _NO_MEMORY_ERROR)
_WORDS = (
    "CUDA error",
    "CUDA driver",
    "CUDA out of memory",
    "No CUDA GPUs",
    "NVIDIA driver",
    "cuDNN error",
    "CUDNN_STATUS",
    "CUBLAS_STATUS",
)
_WORDS_OF_NO_MEMORY = (
    "out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
# An index that we computed wrongly: a bug like any other.
_OURS = "device-side assert"


@dataclass(frozen=True)
class Device:
    """
    A device, and how much work it is given at once.

    Attributes
    ----------
    torch_device : torch.device
    block_px : int
        Points per side of the blocks that maps are drawn in.
    most_bytes : float
        Memory of a dense pass.
    most_patches : int
        Patches of a batch.
    calls : float
        Multiply-adds that take as long as the calls of a dense pass.
    """

    torch_device: torch.device
    block_px: int
    most_bytes: float
    most_patches: int
    calls: float

    def batch(self, bytes_per_patch: int) -> int:
        """Return how many patches are evaluated at once."""
        return max(1, min(self.most_patches, int(self.most_bytes // bytes_per_patch)))

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU, which works at one piece at a time."""
        return self.torch_device.type == "cuda"

    @property
    def n_threads(self) -> int:
        """Pieces of work that are done at the same time."""
        return 1 if self.is_gpu else torch.get_num_threads()

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        n_threads: int,
    ) -> list[Result]:
        """Apply *function* to items in threads, each a core; one by one on the GPU."""
        if self.is_gpu:
            return [function(item) for item in items]
        return map_in_threads(function, items, n_threads)

    def jobs(self, jobs: int | None) -> int:
        """Return how many processes draw or predict: one on the GPU, and for None."""
        return 1 if self.is_gpu else jobs or 1

    def trainers(self, jobs: int | None) -> int:
        """Return how many members a shard trains at once, by default one on a core."""
        return jobs or (1 if self.is_gpu else available_cores())

    @property
    def elsewhere(self) -> Device | DeviceName:
        """
        What another process opens in its place, which may be on another machine.

        Of a GPU no more than that: which, and how much it is given at once, is found
        out there.
        """
        return "cuda" if self.is_gpu else self

    def smaller(self) -> Device | None:
        """Return the same, given a quarter at once; None where that is too little."""
        if self.block_px <= _LEAST_BLOCK_PX:
            return None
        return replace(
            self,
            block_px=self.block_px // 2,
            most_bytes=self.most_bytes / 4,
            most_patches=max(1, self.most_patches // 4),
        )

    def __str__(self) -> str:
        """Name it."""
        if not self.is_gpu:
            return "cpu"
        return f"cuda ({torch.cuda.get_device_name(self.torch_device)})"


@contextmanager
def watching_gpu(need: str) -> Iterator[None]:
    """
    Turn what a GPU raises within the block into errors of ours, and nothing else.

    Parameters
    ----------
    need : str
        What its memory must hold, and what to do where it does not: two sentences.

    Raises
    ------
    DeviceMemoryError
        The GPU's memory does not suffice.
    DeviceError
        It fails.
    """
    try:
        yield
    except RuntimeError as error:  # out of memory is one, too
        if not is_of_the_gpu(error):
            raise
        if any(words in str(error) for words in _WORDS_OF_NO_MEMORY):
            # torch goes on with what else takes memory, and how it is configured
            said = ". ".join(first_line(error).split(". ")[:2]).rstrip(".")
            message = f"--device: the GPU's memory does not suffice ({said}). {need}"
            raise DeviceMemoryError(message) from error
        raise DeviceError(_failing(error)) from error


def is_of_the_gpu(error: RuntimeError) -> bool:
    """
    Tell whether the GPU failed or has no memory, not the program that uses it.

    >>> is_of_the_gpu(RuntimeError("CUDA error: an ECC error was encountered"))
    True
    >>> is_of_the_gpu(RuntimeError("Expected all tensors to be on the same device"))
    False
    """
    if isinstance(error, GlacierInversionError) or _OURS in str(error):
        return False
    return isinstance(error, _CLASSES) or any(w in str(error) for w in _WORDS)


CPU = Device(torch.device("cpu"), _BLOCK_PX, _PASS_BYTES, _BATCH, _CALLS)


def open_device(name: DeviceName | Device) -> Device:
    """
    Return the device of that name, or one as it is; 'auto' is the GPU if there is one.

    Its convolutions then compute in float32, not in TF32, which is shorter.

    Raises
    ------
    DeviceError
        There is no GPU that torch can use, or it fails.
    ValueError
        There is no such name.
    """
    if isinstance(name, Device):
        return name
    if name not in get_args(DeviceName):
        message = f"Invalid device {name!r}. Must be one of {get_args(DeviceName)}."
        raise ValueError(message)
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        message = (
            f"--device: torch {torch.__version__} finds no GPU for 'cuda'. Must be cpu "
            "or auto here. Install torch for your GPU's driver, or leave it out."
        )
        raise DeviceError(message)
    if name == "cpu" or not found:
        return CPU
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        free, _ = torch.cuda.mem_get_info()
    except RuntimeError as error:
        raise DeviceError(_failing(error)) from error
    return Device(torch.device("cuda"), _GPU_BLOCK_PX, free / 2, _GPU_BATCH, _GPU_CALLS)


def _failing(error: RuntimeError) -> str:
    return (
        f"--device: the GPU cannot be used ({first_line(error)}). Must be free and in "
        "order. Stop what else it computes, or say --device cpu."
    )
