"""A blend: several models as one ensemble, in which each model weighs the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.errors import ModelError
from glacier_inversion.grid import lattice
from glacier_inversion.patches.lattice import Layout, target_values
from glacier_inversion.patches.scale import Scales
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import Model
from glacier_inversion.training.model.prediction import Floats, Prediction
from glacier_inversion.training.network.losses import predicts_logit, predicts_variance
from glacier_inversion.workspace import SPLITS


class Blend(Ensemble):
    """
    The members of several models, as many of each, taken for those of one ensemble.

    Its points are those of the largest patch, if all patches have an even number of
    finest pixels, or all an odd one; else they are the centres of the finest pixels,
    and of a model whose own points are their corners each member's value is the mean of
    the four around, of those that can be predicted, if two can.

    Parameters
    ----------
    folder : Path
        Of what is kept of the blend: its calibration. It need not be there.
    ensembles : sequence of Ensemble
        Two at least, on one device. The members' numbers alone depend on their order.

    Attributes
    ----------
    parts : list of Ensemble
        Each with as many of its first members as the smallest has.
    seeds : list of int
        The members' numbers: the first of each part, then the second of each.

    Raises
    ------
    ModelError
        The models do not go together, or two are copies of one.
    """

    def __init__(self, folder: Path, ensembles: Sequence[Ensemble]) -> None:
        self.folder, self.name = folder, folder.name
        self.model = blend_models(folder.name, [e.model for e in ensembles])
        n_each = min(len(part.seeds) for part in ensembles)
        for part in ensembles:
            part.seeds = part.seeds[:n_each]
        if n_each:  # of no members nothing differs
            digests = [(part.name, part.digest) for part in ensembles]
            check_distinct(folder.name, digests)
        self.parts = list(ensembles)
        self.seeds = [*range(n_each * len(self.parts))]
        self.method, self.device = ensembles[0].method, ensembles[0].device
        self.layout = Layout.of(self.model.experiment)
        self.align = math.lcm(*(part.align for part in self.parts))
        self.calibration = None
        self.applicability = None

    @cached_property
    def digest(self) -> str:
        """What its predictions follow from, as a digest: the models, in any order."""
        content = json.dumps(sorted(part.digest for part in self.parts))
        return hashlib.sha256(content.encode()).hexdigest()

    def predict_at(self, tiles: Tiles, wanted: NDArray[np.bool_]) -> Prediction:
        """
        Predict the outputs of every member at points of the tiles' lattice.

        Where one of the models cannot predict nothing is predicted. There is a noise
        where all models say one: the mean of theirs. Parameters and errors are those of
        `Ensemble.predict_at`.
        """
        found = [self._predict_part(part, tiles, wanted) for part in self.parts]
        predicted = np.logical_and.reduce([own.predicted for own in found])
        own_values, own_noise = [], []
        for own in found:
            kept = predicted[own.predicted]
            own_values.append({o: v[:, kept] for o, v in own.values.items()})
            own_noise.append({o: v[kept] for o, v in own.noise.items()})
        values = {
            output: np.stack([own[output] for own in own_values], axis=1).reshape(
                len(self.seeds), -1
            )
            for output in self.layout.outputs
        }
        noise = {
            output: np.mean([own[output] for own in own_noise], axis=0)
            for output in own_noise[0]
            if all(output in own for own in own_noise)
        }
        points = lattice(tiles.grid, self.layout.window_px)
        targets = {
            name: target_values(tile, self.layout.outputs[name], self.layout, points)[
                wanted
            ]
            for name, tile in tiles.targets.items()
        }
        lacking: dict[str, NDArray[np.bool_]] = {}
        for own in found:
            for name, is_lacking in own.lacking.items():
                lacking[name] = lacking.get(name, False) | is_lacking
        return Prediction(predicted, values, noise, targets, lacking)

    def _predict_part(
        self, part: Ensemble, tiles: Tiles, wanted: NDArray[np.bool_]
    ) -> Prediction:
        """Predict with one of the models at the blend's points."""
        names = [variable.name for variable in part.model.experiment.inputs]
        own_tiles = replace(
            tiles, inputs={name: tiles.inputs[name] for name in names}, targets={}
        )
        # twice the distance from a point of the blend to that of the part of its number
        doubled = self.layout.window_px - part.layout.window_px
        near = sorted({doubled // 2, -(-doubled // 2)})
        row, col = np.nonzero(wanted)
        around = [(row + down, col + along) for down in near for along in near]
        asked = np.zeros(
            lattice(tiles.grid, part.layout.window_px).shape, dtype=np.bool_
        )
        for place in around:
            asked[place] = True
        own = part.predict_at(own_tiles, asked)
        if len(around) == 1:
            predicted = wanted.copy()
            predicted[wanted] = own.predicted[around[0]]
            return replace(own, predicted=predicted)
        return _mean_around(own, around, asked, wanted)


def _mean_around(
    own: Prediction,
    around: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    asked: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
) -> Prediction:
    """
    Return the mean of the points around each wanted one, of those that are predicted.

    Half of them must be. An input that one of them lacks is lacking where they are not.
    """
    there = np.stack([own.predicted[place] for place in around])
    counts = there.sum(axis=0)
    is_enough = counts >= len(around) / 2
    number = np.cumsum(own.predicted).reshape(own.predicted.shape) - 1

    def mean(values: Floats) -> Floats:
        total = np.zeros((*values.shape[:-1], int(is_enough.sum())))
        for place, is_there in zip(around, there[:, is_enough], strict=True):
            taken = number[place][is_enough][is_there]
            total[..., is_there] += values[..., taken]
        return np.asarray(total / counts[is_enough], dtype=np.float32)

    predicted = wanted.copy()
    predicted[wanted] = is_enough
    number_asked = np.cumsum(asked).reshape(asked.shape) - 1
    lacking = {
        name: ~is_enough
        & np.logical_or.reduce([is_lacking[number_asked[place]] for place in around])
        for name, is_lacking in own.lacking.items()
    }
    return Prediction(
        predicted,
        {output: mean(values) for output, values in own.values.items()},
        {output: mean(values) for output, values in own.noise.items()},
        {},
        lacking,
    )


def parts_of(ensemble: Ensemble) -> list[Ensemble]:
    """Return the ensembles that a blend is made of; any other is one of its own."""
    return ensemble.parts if isinstance(ensemble, Blend) else [ensemble]


def check_distinct(name: str, digests: Sequence[tuple[str, str]]) -> None:
    """
    Refuse a model whose members are another's, which would weigh twice.

    Parameters
    ----------
    name : str
        Of the blend.
    digests : sequence of tuple
        Names of the models, and what `Ensemble.digest` says of as many members of each.

    Raises
    ------
    ModelError
        Two digests are the same.
    """
    first_of: dict[str, str] = {}
    for model, digest in digests:
        if digest in first_of:
            message = (
                f"drawing_description.blend: {name!r}: the models {first_of[digest]!r} "
                f"and {model!r} have the same weights. Must differ, as they would "
                "weigh twice. Leave one of them out."
            )
            raise ModelError(message)
        first_of[digest] = model


def blend_models(name: str, models: Sequence[Model]) -> Model:
    """
    Return what stands for several models: what they read, predict and were trained on.

    A feature that any of them was trained on is one of training, else one that any was
    validated on is one of validation.

    Parameters
    ----------
    name : str
        Of the blend, which messages name, too.
    models : sequence of Model
        In any order.

    Raises
    ------
    ModelError
        They do not predict the same, or have another finest resolution.
    """
    _check_alike(name, models)
    models = sorted(models, key=lambda model: model.identity)
    first = models[0].experiment
    inputs = {v.name: v for model in models for v in model.experiment.inputs}
    sizes = [model.experiment.window_px for model in models]
    if len({size % 2 for size in sizes}) == 2:
        sizes = [size + (size + 1) % 2 for size in sizes]  # the points are centres
    losses = {
        output.name: min(
            (model.experiment.losses_name[output.name] for model in models),
            key=predicts_variance,
        )
        for output in first.outputs
    }
    experiment = first.model_copy(
        update={
            "model_name": name,
            "inputs": [*inputs.values()],
            "area_size": max(sizes) * first.finest_resolution,
            "losses_name": losses,
        }
    )
    contents = {f"models.{i}": model.identity for i, model in enumerate(models)}
    units: dict[str, str | None] = {}
    for model in models:
        units |= {v: unit for v, unit in model.units.items() if unit or v not in units}
    return Model(experiment, Scales({}, {}), contents, _join_splits(models), units)


def _join_splits(models: Sequence[Model]) -> dict[str, list[str]] | None:
    """Return the features by the most that any model has seen of them."""
    split_of: dict[str, str] = {}
    for split in ("test", "validation", "train"):
        for model in models:
            if model.splits is None:
                return None
            split_of |= dict.fromkeys(model.splits[split], split)
    return {s: [f for f, own in split_of.items() if own == s] for s in SPLITS}


def _check_alike(name: str, models: Sequence[Model]) -> None:
    """Refuse models that do not predict the same, or at no common points."""
    said = [_say(model) for model in models]
    for model, own in zip(models, said, strict=True):
        for what, value in own.items():
            expected = said[0].get(what)
            if value != expected and None not in (value, expected):
                message = (
                    f"drawing_description.blend: {name!r}: {what} is {expected} of the "
                    f"model {models[0].experiment.model_name!r}, and {value} of "
                    f"{model.experiment.model_name!r}. Must be the same. Name other "
                    "models, or draw them without a blend."
                )
                raise ModelError(message)


def _say(model: Model) -> dict[str, str | None]:
    """Say what models of a blend must have in common, as far as it is known."""
    experiment = model.experiment
    names = sorted(output.name for output in experiment.outputs)
    said: dict[str, str | None] = {
        "the finest resolution": f"{experiment.finest_resolution:g}",
        "what is predicted": ", ".join(names),
    }
    for output in experiment.outputs:
        is_logit = predicts_logit(experiment.losses_name[output.name])
        is_nonnegative = experiment.is_nonnegative(output.name)
        kind = "0 and more" if is_nonnegative else "any number"
        said |= {
            f"the resolution of {output.name}": f"{output.resolution:g}",
            f"the unit of {output.name}": model.units.get(output.name),
            f"the range of {output.name}": "a probability" if is_logit else kind,
        }
    return said
