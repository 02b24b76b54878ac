"""What networks are evaluated on: the processor's cores, or a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

from glacier_inversion.choices import DeviceName
from glacier_inversion.errors import DeviceError, GlacierInversionError, first_line
from glacier_inversion.training.threads import map_in_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

# Patches of a batch stay in a core's caches: 128 of them are faster than 32, and than
# 1,024. So do the fields of a dense pass; larger ones cost page faults each time.
_BATCH = 128
_CACHED = 32e6  # bytes
_BLOCK_PX = 512
# What a dense pass costs besides its arithmetic: some 50 calls, in multiply-adds.
_CALLS = 1e7
# A GPU wants much work at once.
_GPU_BATCH = 16_384
_GPU_BLOCK_PX = 1024
_GPU_CALLS = 5e9


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
    def n_threads(self) -> int:
        """Pieces of work that are done at the same time."""
        return 1 if self.torch_device.type == "cuda" else torch.get_num_threads()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> list[Result]:
        """
        Apply *function* to items, each on one core, or one by one on the GPU.

        Raises
        ------
        DeviceError
            The GPU's memory does not suffice, or it fails.
        """
        if self.torch_device.type != "cuda":
            return map_in_threads(function, items)
        with self.watching():
            return [function(item) for item in items]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn what a GPU raises within the block into a DeviceError."""
        try:
            yield
        except GlacierInversionError:
            raise
        except RuntimeError as error:  # out of memory is one, too
            if self.torch_device.type != "cuda":
                raise
            raise DeviceError(_failing(error)) from error

    def __str__(self) -> str:
        """Name it."""
        if self.torch_device.type != "cuda":
            return "cpu"
        return f"cuda ({torch.cuda.get_device_name(self.torch_device)})"


CPU = Device(torch.device("cpu"), _BLOCK_PX, _CACHED, _BATCH, _CALLS)


def open_device(name: DeviceName) -> Device:
    """
    Return the device of that name; 'auto' is the GPU if there is one.

    Its convolutions then compute in float32, not in TF32, which is shorter.

    Raises
    ------
    DeviceError
        There is no GPU that torch can use, or it fails.
    """
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
