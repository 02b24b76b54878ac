"""
Samples on disk, mapped to memory, for as long as members are trained.

The system reads what is used, and takes it back where memory is short; processes that
train members of one model share it. The files are scratch: what a killed run left is
made anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch

from glacier_inversion.errors import WorkspaceError, first_line
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove, remove_if_empty, replacing
from glacier_inversion.patches.array_store import SampleFiles
from glacier_inversion.patches.gathering import PatchSource
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.patches.lattice_points import LatticePoints
from glacier_inversion.patches.samples import KnownPoints, Samples
from glacier_inversion.patches.scale import Scale, Scales
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.data import TrainingData, prepare

SAMPLES = "samples"
"""The folder of these files, in a model's."""

_EARLIER = "samples.pt"  # what earlier versions called theirs
_DATA = "data.pt"
_SHARED: list[Any] = [
    TrainingData,
    Samples,
    LatticePoints,
    KnownPoints,
    PatchSource,
    Layout,
    Scale,
    Scales,
]


@contextmanager
def samples_on_disk(
    experiment: Experiment,
    tiles: Mapping[str, Iterable[Tiles]],
    folder: Path,
    test_features: Collection[str] = (),
    units: Mapping[str, str | None] | None = None,
) -> Iterator[TrainingData]:
    """
    Write what members are trained on into a model's folder, for a block alone.

    At its end nothing should hold what is yielded: not every system removes files that
    are mapped. What cannot be removed after an error is left for the next run.

    Parameters
    ----------
    folder : Path
        The model's; removed if nothing else is in it.
    tiles, test_features, units
        As `prepare` takes them.

    Raises
    ------
    DatasetError
        As from `prepare`.
    WorkspaceError
        The files cannot be written or removed.
    """
    has_failed = True
    try:
        write_samples(experiment, tiles, folder, test_features, units)
        yield map_samples(folder)
        has_failed = False
    finally:
        # an error holds what is mapped where it came through, and comes first
        with suppress(WorkspaceError) if has_failed else nullcontext():
            remove_samples(folder)
            remove_if_empty(folder)


def write_samples(
    experiment: Experiment,
    tiles: Mapping[str, Iterable[Tiles]],
    folder: Path,
    test_features: Collection[str] = (),
    units: Mapping[str, str | None] | None = None,
) -> None:
    """Write what members are trained on, as `samples_on_disk` does, to stay there."""
    remove_samples(folder)  # of a killed run
    files = _files(folder)
    data = prepare(experiment, tiles, test_features, units, files)
    with replacing(folder / SAMPLES / _DATA) as part:
        _save(data, part)


def remove_samples(folder: Path) -> None:
    """Remove what members were trained on from a model's folder."""
    remove(folder / SAMPLES, folder / _EARLIER)


def has_samples(folder: Path) -> bool:
    """Tell whether samples lie whole in a model's folder."""
    return (folder / SAMPLES / _DATA).exists()


def map_samples(folder: Path) -> TrainingData:
    """Map what lies in a model's folder to memory; it is not to be written to."""
    place = folder / SAMPLES
    with torch.serialization.safe_globals(_SHARED):
        data: TrainingData = torch.load(place / _DATA, mmap=True, weights_only=True)
    files = _files(folder)
    return data.each(lambda own, split: own.with_files(files[split]))


def _files(folder: Path) -> dict[str, SampleFiles]:
    """Return the files of samples in a model's folder, by split."""
    place = folder / SAMPLES
    return {
        "train": SampleFiles.of(place / "train"),
        "validation": SampleFiles.of(place / "validation"),
        "extra": SampleFiles.of(place / "extra"),
    }


def _save(data: TrainingData, path: Path) -> None:
    rest = data.each(lambda samples, _: samples.without_files())
    try:
        torch.save(rest, path)
    except RuntimeError as error:  # torch's word for a full disk, among others
        raise OSError(first_line(error)) from error
