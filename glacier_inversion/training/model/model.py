"""A model on disk: what its members have in common, and their weights."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import glacier_inversion
from glacier_inversion.errors import (
    GlacierInversionError,
    ModelError,
    first_line,
    nearest,
)
from glacier_inversion.experiment.experiment import Experiment, check_experiment
from glacier_inversion.experiment.sections import Variable
from glacier_inversion.patches.scale import Scale, Scales
from glacier_inversion.state_files import NewerFileError, read_state, write_state
from glacier_inversion.training.model.members import (
    WEIGHTS,
    member_folders,
    member_state,
    read_weights,
)
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import FOLDS, SPLITS, member_path

_FORMAT = 1  # of model.json; its first files had no number
_TRAINED = "train", "validation"  # the splits that training reads
_LARGEST = float(np.finfo(np.float32).max)  # of a normalisation
# What may change while an ensemble grows: how many members, what is drawn and compared,
# and the dataset's description, whose effect on the tiles is compared instead.
_MAY_CHANGE = (
    "seeds_number",
    "drawing_description",
    "evaluation_description",
    "dataset_description",
    "$schema",
)


@dataclass(frozen=True)
class Model:
    """
    What the members of an ensemble have in common.

    Attributes
    ----------
    experiment : Experiment
        As it was trained.
    scales : Scales
        Normalisation of inputs and outputs.
    contents : dict of str
        Digests of the dataset that it was trained on.
    splits : dict of lists of str, None where an earlier version did not keep them
        The features that it was trained on, validated on and kept apart from: the
        values of 'train', 'validation' and 'test'.
    units : dict of str or None
        Of inputs and outputs, by name, as far as they are known.
    extra_features : list of str
        Those of the dataset of extra_training that were mixed in.
    """

    experiment: Experiment
    scales: Scales
    contents: dict[str, str]
    splits: dict[str, list[str]] | None = None
    units: dict[str, str | None] = field(default_factory=dict)
    extra_features: list[str] = field(default_factory=list)

    def differing(self, other: Model) -> list[str]:
        """Name the keys of experiment and dataset in which another model differs."""
        mine, others = (
            {**_flat(training_part(model.experiment)), **model._fitted()}
            for model in (self, other)
        )
        if self.splits is not None and other.splits is not None:
            moved = [s for s in _TRAINED if set(self.splits[s]) != set(other.splits[s])]
            if moved:  # all that is fitted differs then, and says nothing more
                mine = _flat(training_part(self.experiment))
                others = _flat(training_part(other.experiment))
                mine[f"dataset_description.split ({' and '.join(moved)})"] = True
        return sorted(
            key
            for key in mine.keys() | others.keys()
            if mine.get(key) != others.get(key)
        )

    @cached_property
    def identity(self) -> str:
        """
        What its members follow from, besides their seeds, as a digest.

        Values that are the defaults, and the name, are left out: keys that are added
        later, with a default that changes nothing, do not change it.
        """
        part = training_part(self.experiment, exclude_defaults=True)
        del part["model_name"]
        content = json.dumps({**_flat(part), **self._fitted()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _fitted(self) -> dict[str, Any]:
        """Return what follows from the dataset, as JSON has it."""
        scales = {
            f"normalization.{side}.{name}": [float(scale.mean), float(scale.std)]
            for side, scales in vars(self.scales).items()
            for name, scale in scales.items()
        }
        return {**self.contents, **scales}


def _dump(experiment: Experiment, **options: Any) -> dict[str, Any]:
    return experiment.model_dump(mode="json", by_alias=True, **options)


def training_part(experiment: Experiment, **options: Any) -> dict[str, Any]:
    """Return what training depends on, as JSON has it, without what has no effect."""
    whole = _dump(experiment, **options)
    part = {k: v for k, v in whole.items() if k not in _MAY_CHANGE}
    inputs = {variable["name"] for variable in part["inputs"]}
    outputs = {variable["name"] for variable in part["outputs"]}
    for key in ("losses_name", "metrics_name", "loss_weights"):
        if key in part:
            part[key] = {k: v for k, v in part[key].items() if k in outputs}
    network = part["model_description"]
    network["inputs"] = {k: v for k, v in network["inputs"].items() if k in inputs}
    network["outputs"] = {k: v for k, v in network["outputs"].items() if k in outputs}
    return part


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """
    Flatten nested JSON objects into paths and values; a list is one value.

    >>> _flat({"a": {"b": 1}, "c": [2, {"d": 3}]})
    {'a.b': 1, 'c': [2, {'d': 3}]}
    """
    if not isinstance(value, dict) or not value:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{path}.{key}".lstrip("."))
    return flat


def write_model(model: Model, folder: Path) -> None:
    """Write model.json."""
    write_state(
        folder / "model.json",
        {
            "experiment": _dump(model.experiment),
            "normalization": {
                side: {name: vars(scale) for name, scale in scales.items()}
                for side, scales in vars(model.scales).items()
            },
            "dataset": model.contents,
            "splits": model.splits,
            "units": model.units,
            "extra_features": model.extra_features,
            "versions": {
                "glacier_inversion": glacier_inversion.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "torch": torch.__version__,
            },
        },
        _FORMAT,
    )


def read_model(folder: Path) -> Model:
    """
    Read model.json.

    Raises
    ------
    ModelError
        It is missing or broken, or a newer version wrote it.
    """
    path = folder / "model.json"
    if not path.is_file():
        files = folder.parent.glob("*/model.json")
        known = [file.parent.name for file in files if file.is_file()]
        of_fold = folder.parent.name == FOLDS
        remedy = "Run 'ginv crossval' again." if of_fold else "Train it first."
        message = (
            f"{folder}: is no model. {nearest(folder.name, known)} Must hold a file "
            f"model.json. {remedy}"
        )
        raise ModelError(message)
    try:
        content = read_state(path, _FORMAT)
        experiment = check_experiment(content["experiment"], "experiment")
        scales = _read_scales(content["normalization"], experiment)
        contents = dict(content["dataset"])
        if not all(isinstance(digest, str) for digest in contents.values()):
            message = "no digests of the dataset"
            raise ValueError(message)
        splits, units = _read_splits(content), _read_units(content)
        extra_features = [str(f) for f in content.get("extra_features", [])]
        return Model(experiment, scales, contents, splits, units, extra_features)
    except NewerFileError as error:
        raise ModelError(str(error)) from error
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        GlacierInversionError,
    ) as error:
        message = (
            f"{path}: cannot be used ({str(error).rstrip('.')}). Must be as 'ginv "
            "train' wrote it. Restore it, or train anew with --overwrite."
        )
        raise ModelError(message) from error


def read_versions(folder: Path) -> dict[str, str]:
    """Return the versions of what trained a model, as far as its model.json tells."""
    content = read_state(folder / "model.json", _FORMAT)
    versions = content.get("versions")
    if not isinstance(versions, dict):
        return {}
    return {str(name): str(version) for name, version in versions.items()}


def _read_splits(content: dict[str, Any]) -> dict[str, list[str]] | None:
    """Return the features of each split, None where there is no word of them."""
    splits = content.get("splits")
    if splits is None:
        return None
    features = {split: list(splits[split]) for split in SPLITS}
    if not all(isinstance(f, str) for ids in features.values() for f in ids):
        message = "the features of the splits are no ids"
        raise ValueError(message)
    return features


def _read_units(content: dict[str, Any]) -> dict[str, str | None]:
    """Return the units of the variables, none where there is no word of them."""
    units = dict(content.get("units", {}))
    if not all(unit is None or isinstance(unit, str) for unit in units.values()):
        message = "the units are no texts"
        raise ValueError(message)
    return units


def _read_scales(content: dict[str, Any], experiment: Experiment) -> Scales:
    """
    Return the normalisation that model.json holds.

    Earlier versions kept one for each name: a variable that was both input and output
    lost that of the input.
    """
    sides: dict[str, Sequence[Variable]] = {
        "inputs": experiment.inputs,
        "outputs": experiment.outputs,
    }
    if not all(isinstance(part, dict) for part in (content, *content.values())):
        message = "the normalization is no object of objects"
        raise ValueError(message)
    if content.keys() != sides.keys():
        names = [variable.name for variable in experiment.variables()]
        if twice := {name for name in names if names.count(name) > 1}:
            message = (
                f"an earlier version lost how the input {min(twice)!r} is normalised, "
                "as it is an output, too"
            )
            raise ValueError(message)
        content = dict.fromkeys(sides, content)
    scales: dict[str, dict[str, Scale]] = {}
    for side, variables in sides.items():
        if missing := {v.name for v in variables} - content[side].keys():
            message = f"no normalization of {', '.join(sorted(missing))}"
            raise ValueError(message)
        scales[side] = {
            v.name: _read_scale(v.name, content[side][v.name]) for v in variables
        }
    return Scales(**scales)


def _read_scale(name: str, scale: dict[str, Any]) -> Scale:
    numbers = scale["mean"], scale["std"]
    for number in numbers:
        if not isinstance(number, (int, float)) or not abs(number) <= _LARGEST:
            message = f"the normalization of {name} is no number: {number!r}"
            raise ValueError(message)
    if numbers[1] <= 0:
        message = f"the normalization of {name} divides by {numbers[1]!r}"
        raise ValueError(message)
    return Scale(*map(float, numbers))


def finished_seeds(folder: Path) -> list[int]:
    """Return the seeds of a model's members that are trained, in order."""
    folders = member_folders(folder)
    return [seed for seed, f in folders.items() if member_state(f) == "finished"]


def find_unusable_members(folder: Path, model: Model) -> list[str]:
    """Say which of the finished members of a model are not as they were written."""
    problems = []
    for seed in finished_seeds(folder):
        try:
            read_weights(member_path(folder, seed) / WEIGHTS, seed, model.identity)
        except ModelError as error:
            problems.append(str(error))
    return problems


def read_member(network: Network, folder: Path, seed: int, identity: str) -> Network:
    """
    Load the weights of a member into *network*, and return it ready to predict.

    Parameters
    ----------
    folder : Path
        The model's.
    identity : str
        Of the model, as `Model.identity` has it.

    Raises
    ------
    ModelError
        The weights are missing, broken, another member's or of another network.
    """
    path = member_path(folder, seed) / WEIGHTS
    weights = read_weights(path, seed, identity)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        message = (
            f"{path}: cannot be loaded ({first_line(error)}). Must be the weights of "
            "the network in model.json. Remove it and train the seed again."
        )
        raise ModelError(message) from error
    return network.eval()
