"""Arrays one after the other, in a file or in memory, that become a flat tensor."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

Numbers = NDArray[Any]


class ArrayStore:
    """
    Arrays of one type, one after the other.

    Parameters
    ----------
    dtype : data type
    file : file of bytes, optional
        Empty, open for reading and writing; default: they are kept in memory.
    path : Path, optional
        What the file is called when it is closed.

    Attributes
    ----------
    starts : list of int
        Where each array begins in the flat tensor of all.
    shapes : list of tuples of int
    """

    def __init__(
        self,
        dtype: DTypeLike,
        file: io.BufferedRandom | None = None,
        path: Path | None = None,
    ) -> None:
        self.starts: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self._dtype = np.dtype(dtype)
        self._file = file or io.BytesIO()
        self._path = path
        self._end = 0

    def append(self, array: Numbers) -> int:
        """Add an array, and return its number."""
        self._write(self._end, array)
        self.starts.append(self._end)
        self.shapes.append(array.shape)
        self._end += array.size
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Numbers:
        """Return a copy of an array."""
        array = np.empty(self.shapes[number], dtype=self._dtype)
        self._file.seek(self.starts[number] * self._dtype.itemsize)
        self._file.readinto(array.data)
        return array

    def __setitem__(self, number: int, array: Numbers) -> None:
        """Put another array of its shape in an array's place."""
        self._write(self.starts[number], array)

    def _write(self, start: int, array: Numbers) -> None:
        self._file.seek(start * self._dtype.itemsize)
        self._file.write(np.ascontiguousarray(array, dtype=self._dtype).data)

    def flat(self) -> torch.Tensor:
        """
        Return all arrays as a flat tensor, which is not to be written to.

        Those in a file, which is closed before, are mapped to memory: the system reads
        what is used, and takes it back where memory is short.
        """
        if self._path is not None:
            return map_array(self._path, self._dtype)
        assert isinstance(self._file, io.BytesIO)
        content = self._file.getbuffer()
        return torch.from_numpy(np.frombuffer(content, self._dtype))


def map_array(path: Path, dtype: DTypeLike) -> torch.Tensor:
    """Map the file of a store to memory; processes that do so share it."""
    if path.stat().st_size == 0:
        return torch.from_numpy(np.zeros(0, dtype))
    # copy on write: torch warns of what cannot be written to
    return torch.from_numpy(np.memmap(path, dtype=dtype, mode="c"))


@dataclass(frozen=True)
class SampleFiles:
    """
    The files of a split's samples.

    Attributes
    ----------
    images : Path
        float32: what patches are read from.
    places : Path
        int32: of the points.
    targets : Path
        float32.
    """

    images: Path
    places: Path
    targets: Path

    @classmethod
    def of(cls, folder: Path) -> SampleFiles:
        """Return the paths of files in a folder."""
        return cls(folder / "images", folder / "places", folder / "targets")
