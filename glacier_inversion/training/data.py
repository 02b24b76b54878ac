"""What every member of an ensemble is trained on."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.samples import Samples
from glacier_inversion.patches.sampling import check_targets, spacing_of
from glacier_inversion.patches.scale import Scales
from glacier_inversion.patches.tiles import Tiles, contents
from glacier_inversion.training.model.model import Model
from glacier_inversion.training.model.normalization import (
    fit_input_scales,
    fit_target_scales,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """
    What every member of an ensemble is trained on.

    Attributes
    ----------
    train, validation : Samples
    scales : Scales
    contents : mapping of str
        Digests of the dataset, as `tiles.contents` returns them.
    splits : mapping of lists of str
        The features that train, validate and test.
    units : mapping of str or None
        Of inputs and outputs.
    """

    train: Samples
    validation: Samples
    scales: Scales
    contents: Mapping[str, str]
    splits: Mapping[str, list[str]]
    units: Mapping[str, str | None]

    def model(self, experiment: Experiment) -> Model:
        """Return the model that members trained on this belong to."""
        return Model(
            experiment,
            self.scales,
            dict(self.contents),
            dict(self.splits),
            dict(self.units),
        )

    def to(self, device: torch.device) -> TrainingData:
        """Return the same on a device."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device)
        )


def prepare(
    experiment: Experiment,
    tiles: Mapping[str, list[Tiles]],
    test_features: Collection[str] = (),
    units: Mapping[str, str | None] | None = None,
) -> TrainingData:
    """
    Make the samples and the normalisation that every member is trained with.

    Parameters
    ----------
    tiles : mapping of lists of Tiles
        Of the splits 'train' and 'validation'.
    test_features : collection of str
        Those that are kept for the test, which the model remembers.
    units : mapping of str or None
        Of the rasters, likewise.

    Raises
    ------
    DatasetError
        There are no training samples; no validation samples, with a criterion that
        needs them; or unknown targets, with a loss or metric that needs them all.
    """
    layout = Layout.of(experiment)
    spacing = spacing_of(experiment)
    of_inputs = fit_input_scales(experiment, tiles["train"])
    samples = {
        split: Samples(
            [to_lattice(t, layout) for t in part], layout, of_inputs, spacing
        )
        for split, part in tiles.items()
    }
    scales = Scales(of_inputs, fit_target_scales(experiment, samples["train"]))
    check_targets(
        experiment,
        {split: part.targets.numpy() for split, part in samples.items()},
        {split: len(part) for split, part in tiles.items()},
        logger.warning,
    )
    read = contents(part for parts in tiles.values() for part in parts)
    splits = {split: [part.feature for part in parts] for split, parts in tiles.items()}
    splits["test"] = list(test_features)
    known = units or {}
    return TrainingData(
        samples["train"],
        samples["validation"],
        scales,
        read,
        splits,
        {
            variable.name: known.get(variable.name)
            for variable in experiment.variables()
        },
    )
