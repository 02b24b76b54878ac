"""The tiles that members are trained on, each read when it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from glacier_inversion.dataset.extra_training import open_extra, workspace_of
from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.state_files import digest_of
from glacier_inversion.workspace import SPLITS

logger = logging.getLogger(__name__)


def read_training_tiles(
    dataset: BuiltDataset,
    experiment: Experiment,
    progress: Progress | None = None,
    say: Callable[[str], object] = logger.info,
) -> dict[str, Iterator[Tiles]]:
    """
    Read the tiles of the training and validation features whole, by split.

    Those of 'extra' are of the dataset that extra_training names, if it does. Each is
    read when it is asked for, and kept by nobody here.

    Parameters
    ----------
    say : callable
        Hears of features that are not mixed in, as that of `open_extra` does.

    Raises
    ------
    DatasetError
        As from `open_extra`. When they are read: tiles are missing or broken, or not
        those that the summary tells of, all of them named.
    """
    progress = progress or Silent()
    features = {s: dataset.select(s) for s in SPLITS if s != "test"}
    every = [feature for ids in features.values() for feature in ids]
    extra = open_extra_of(dataset, experiment, say)
    mixed_in = extra.select("train") if extra else []
    progress.start("reading", len(every) + len(mixed_in), "feature")

    def read(
        dataset: BuiltDataset, ids: list[str], every: list[str]
    ) -> Iterator[Tiles]:
        truths = filter(dataset.has_truth, experiment.outputs)
        names = [variable.name for variable in (*experiment.inputs, *truths)]
        for feature in ids:
            try:
                tiles = dataset.read_tiles(experiment, feature)
            except DatasetError:
                dataset.check_features(every, names)  # this is one, of perhaps many
                raise
            yield tiles
            progress.advance(feature)

    tiles = {split: read(dataset, ids, every) for split, ids in features.items()}
    if extra:
        tiles["extra"] = read(extra, mixed_in, mixed_in)
    return tiles


def open_extra_of(
    dataset: BuiltDataset,
    experiment: Experiment,
    say: Callable[[str], object],
) -> BuiltDataset | None:
    """Open what is mixed into the training on a dataset, as `open_extra` does."""
    if experiment.extra_training is None:
        return None  # and outlines are not read
    workspace, ownership = workspace_of(dataset), dataset.ownership
    return open_extra(experiment, workspace, ownership, dataset.units, say)


def digest_of_training(dataset: BuiltDataset, experiment: Experiment) -> str:
    """Return what tells what is trained on from others: of both datasets."""
    extra = open_extra_of(dataset, experiment, lambda _: None)
    return digest_of([dataset.digest, extra.digest]) if extra else dataset.digest
