"""The tiles that members are trained on, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.workspace import SPLITS


def read_training_tiles(
    dataset: BuiltDataset, experiment: Experiment, progress: Progress | None = None
) -> dict[str, Iterator[Tiles]]:
    """
    Read the tiles of the training and validation features whole, by split.

    Each is read when it is asked for, and kept by nobody here.

    Raises
    ------
    DatasetError
        When they are read: tiles are missing or broken, or not those that the summary
        tells of, all of them named.
    """
    progress = progress or Silent()
    features = {s: dataset.select(s) for s in SPLITS if s != "test"}
    progress.start("reading", sum(map(len, features.values())), "feature")

    every = [feature for ids in features.values() for feature in ids]
    truths = filter(dataset.has_truth, experiment.outputs)
    names = [variable.name for variable in (*experiment.inputs, *truths)]

    def read(ids: list[str]) -> Iterator[Tiles]:
        for feature in ids:
            try:
                tiles = dataset.read_tiles(experiment, feature)
            except DatasetError:
                dataset.check_features(every, names)  # this is one, of perhaps many
                raise
            yield tiles
            progress.advance(feature)

    return {split: read(ids) for split, ids in features.items()}
