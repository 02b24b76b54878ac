"""What every member of an ensemble is trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import n_mixed_in, share_mixed_in
from glacier_inversion.files import replacing_all
from glacier_inversion.patches.array_store import ArrayStore, SampleFiles
from glacier_inversion.patches.collecting import SampleCollector, Stores
from glacier_inversion.patches.lattice import LatticeTiles, Layout, to_lattice
from glacier_inversion.patches.samples import Samples
from glacier_inversion.patches.sampling import check_targets, spacing_of
from glacier_inversion.patches.scale import Scales
from glacier_inversion.patches.tiles import Contents, Tiles
from glacier_inversion.training.model.model import Model
from glacier_inversion.training.model.normalization import (
    KnownTargets,
    Moments,
    fit_input_scales,
    fit_starts,
    fit_target_scales,
    mix,
)

logger = logging.getLogger(__name__)

_N_PATCHES = 256  # at once
_TRAINED = "train", "extra"  # what batches are made of, and their normalisation


@dataclass(frozen=True)
class TrainingData:
    """
    What every member of an ensemble is trained on.

    Attributes
    ----------
    train, validation : Samples
    extra : Samples, or None
        Those of another dataset that are mixed into the training samples.
    scales : Scales
    starts : mapping of float
        Where networks start, by output, before the last activation; else at 0.
    contents : mapping of str
        Digests of the dataset, as `tiles.Contents` returns them.
    splits : mapping of lists of str
        The features that train, validate and test.
    units : mapping of str or None
        Of inputs and outputs.
    extra_features : list of str
        The features of `extra`.
    """

    train: Samples
    validation: Samples
    extra: Samples | None
    scales: Scales
    starts: Mapping[str, float]
    contents: Mapping[str, str]
    splits: Mapping[str, list[str]]
    units: Mapping[str, str | None]
    extra_features: list[str]

    def model(self, experiment: Experiment) -> Model:
        """Return the model that members trained on this belong to."""
        return Model(
            experiment,
            self.scales,
            dict(self.contents),
            dict(self.splits),
            dict(self.units),
            self.extra_features,
        )

    def to(self, device: torch.device) -> TrainingData:
        """Return the same on a device."""
        return self.each(lambda samples, _: samples.to(device))

    def each(self, change: Callable[[Samples, str], Samples]) -> TrainingData:
        """Return the same with samples changed; of each its split is told, too."""
        return replace(
            self,
            train=change(self.train, "train"),
            validation=change(self.validation, "validation"),
            extra=change(self.extra, "extra") if self.extra is not None else None,
        )

    @property
    def nbytes(self) -> int:
        """Memory of the samples on their device."""
        of_extra = self.extra.nbytes if self.extra is not None else 0
        return self.train.nbytes + self.validation.nbytes + of_extra


def prepare(
    experiment: Experiment,
    tiles: Mapping[str, Iterable[Tiles]],
    test_features: Collection[str] = (),
    units: Mapping[str, str | None] | None = None,
    files: Mapping[str, SampleFiles] | None = None,
) -> TrainingData:
    """
    Make the samples and the normalisation that every member is trained with.

    Tiles are taken one after the other, each once: those that are read as they are
    asked for need not lie in memory together.

    Parameters
    ----------
    tiles : mapping of iterables of Tiles
        Of the splits 'train' and 'validation', and those of 'extra' where another
        dataset is mixed into training. The normalisation is that of both, which count
        by their shares of an epoch, however many samples or pixels they have.
    test_features : collection of str
        Those that are kept for the test, which the model remembers.
    units : mapping of str or None
        Of the rasters, likewise.
    files : mapping of SampleFiles, optional
        By split: what grows with the pixels is written there and mapped to memory.
        Default: it is kept in memory.

    Raises
    ------
    DatasetError
        There are no training samples, or none to mix in; no validation samples, with a
        criterion that needs them; or unknown targets, with a loss or metric that needs
        them all.
    WorkspaceError
        The files cannot be written.
    """
    layout, spacing = Layout.of(experiment), spacing_of(experiment)
    read, of_extra = Contents("dataset"), Contents("extra_training")
    inputs = [variable.name for variable in experiment.inputs]
    by_samples = experiment.normalization == "samples"
    of_samples = {split: {n: Moments() for n in inputs} for split in _TRAINED}
    of_tiles = {split: _TileMoments(inputs, layout) for split in _TRAINED}
    features: dict[str, list[str]] = {}
    collected: dict[str, SampleCollector] = {}
    with ExitStack() as stack:
        for split, parts in tiles.items():
            stores = Stores.in_memory()
            if files is not None:
                stores = stack.enter_context(_stores_in(files[split]))
            features[split] = []
            collected[split] = collector = SampleCollector(layout, spacing, stores)
            for part in parts:
                features[split].append(part.feature)
                (of_extra if split == "extra" else read).add(part)
                lattice = to_lattice(part, layout)
                collector.add(lattice)
                if split in _TRAINED and by_samples:
                    _add_patches(of_samples[split], lattice, layout, spacing)
                elif split in _TRAINED:
                    of_tiles[split].add(part, collector)
                del part, lattice  # before the next is read
        own, extra = (
            of_samples[split] if by_samples else of_tiles[split].fit()
            for split in _TRAINED
        )
        share = share_mixed_in(experiment, collected["train"].n_cells)
        mixed = {name: mix(own[name], extra[name], share) for name in inputs}
        of_inputs = fit_input_scales(experiment, mixed)
        for collector in collected.values():
            collector.normalise(of_inputs)
    # of files that have their names: not every system renames those that are mapped
    samples = {split: part.samples() for split, part in collected.items()}
    targets = {split: part.targets.numpy() for split, part in samples.items()}
    n_features = {split: len(ids) for split, ids in features.items()}
    check_targets(experiment, targets, n_features, logger.warning)
    known_targets = KnownTargets(
        targets["train"],
        targets.get("extra", targets["train"][:0]),
        _shares_mixed_in(experiment, samples["train"], samples.get("extra")),
    )
    scales = Scales(of_inputs, fit_target_scales(experiment, known_targets))
    known = units or {}
    extra_features = features.pop("extra", [])
    return TrainingData(
        samples["train"],
        samples["validation"],
        samples.get("extra"),
        scales,
        fit_starts(experiment, known_targets, scales.outputs),
        read.digests() | of_extra.digests(),
        {**features, "test": list(test_features)},
        {
            variable.name: known.get(variable.name)
            for variable in experiment.variables()
        },
        extra_features,
    )


@contextmanager
def _stores_in(files: SampleFiles) -> Iterator[Stores]:
    """Open files for samples; they are there when all is written."""
    paths = [files.images, files.places, files.targets]
    with replacing_all(paths) as scratches, ExitStack() as stack:
        opened = [stack.enter_context(path.open("wb+")) for path in scratches]
        yield Stores(*map(ArrayStore, ("f4", "i4", "f4"), opened, paths))


def _add_patches(
    moments: Mapping[str, Moments], part: LatticeTiles, layout: Layout, spacing: float
) -> None:
    """Take the patches of a feature's nominal samples, as they are in its tiles."""
    collector = SampleCollector(layout, spacing, Stores.in_memory())
    collector.add(part)
    samples = collector.samples()
    for _, patches, _ in samples.batches(samples.nominal(), _N_PATCHES):
        for name, of_input in moments.items():
            of_input.add_once(patches[name].numpy())


def _shares_mixed_in(
    experiment: Experiment, train: Samples, extra: Samples | None
) -> list[float]:
    """Return by output which share of an epoch's targets is of the extra dataset."""
    if extra is None:
        return [0.0] * len(experiment.outputs)
    rate = n_mixed_in(experiment, len(train)) / len(extra)
    return [
        rate * other / max(own + rate * other, 1)
        for own, other in zip(train.n_targets, extra.n_targets, strict=True)
    ]


class _TileMoments:
    """Moments of tiles, of which the store has what is met again."""

    def __init__(self, inputs: Iterable[str], layout: Layout) -> None:
        self._layout = layout
        self._moments = {name: Moments() for name in inputs}
        self._stored: dict[str, list[tuple[ArrayStore, int, int]]] = {}

    def add(self, tiles: Tiles, collector: SampleCollector) -> None:
        """Take the feature that was collected last."""
        for name, moments in self._moments.items():
            tile, store = tiles.inputs[name], collector.stores.images
            moments.add(tile)
            number, step = collector.images[name][-1], self._layout.images.get(name)
            # an image holds its tile's pixels, and what is interpolated between them
            if step is None or store.shapes[number] != tuple(
                (n - 1) * step + 1 for n in tile.shape
            ):
                number, step = store.append(tile), 1
            self._stored.setdefault(name, []).append((store, number, step))

    def fit(self) -> dict[str, Moments]:
        """Return the moments by input, when all tiles are taken."""
        for name, stored in self._stored.items():
            for store, number, step in stored:
                self._moments[name].add_squares(store[number][::step, ::step])
        return self._moments
