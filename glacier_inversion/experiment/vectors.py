"""Which variables are the components of vectors: all of them there, and alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.raw import (
    MOST_VARIABLES,
    RawExperiment,
    find_repeated,
)
from glacier_inversion.json_files import Problem

_DATASET, _TRAINING = "dataset_description", "augmentation"


def with_vectors(raw: Any) -> Any:
    """
    Let the augmentation of a raw experiment turn the vectors that its dataset names.

    Those that the network reads; unless the augmentation names vectors itself.
    """
    if not isinstance(raw, dict):
        return raw
    view = RawExperiment(raw)
    augmentation, pairs = view.value(_TRAINING), _read_inputs(view)
    if not isinstance(augmentation, dict) or "vectors" in augmentation or not pairs:
        return raw
    return {**raw, _TRAINING: {**augmentation, "vectors": pairs}}


def _read_inputs(view: RawExperiment) -> list[list[str]]:
    """Return the dataset's vectors of which both components are inputs."""
    inputs = view.names("inputs")
    return [p for _, p in _find_pairs(view, _DATASET) if all(n in inputs for n in p)]


def _find_pairs(view: RawExperiment, section: str) -> list[tuple[str, list[str]]]:
    """Return what are pairs of names in a section's vectors, with their paths."""
    pairs = view.value(section, "vectors")
    return [
        (f"{section}.vectors[{i}]", pair)
        for i, pair in enumerate(
            pairs[:MOST_VARIABLES] if isinstance(pairs, list) else []
        )
        if isinstance(pair, list) and [type(name) for name in pair] == [str, str]
    ]


def find_wrong_vectors(view: RawExperiment) -> Iterator[Problem]:
    """Yield what keeps rasters and inputs from being components of vectors."""
    of_dataset = _find_pairs(view, _DATASET)
    of_training = _find_pairs(view, _TRAINING)
    for pairs in (of_dataset, of_training):
        flat = ((path, name) for path, pair in pairs for name in pair)
        yield from find_repeated(flat, "component")
    for path, pair in of_dataset:
        yield from _of_rasters(view, path, pair)
    for path, pair in of_training:
        yield from _of_inputs(view, path, pair)
    if any(view.value(_TRAINING, key) is True for key in ("flips", "rotations")):
        yield from _of_turned(view, of_dataset, of_training)


def _of_turned(
    view: RawExperiment,
    of_dataset: list[tuple[str, list[str]]],
    of_training: list[tuple[str, list[str]]],
) -> Iterator[Problem]:
    """Look at the vectors of a dataset whose patches are turned."""
    inputs, read = view.names("inputs"), _read_inputs(view)
    for path, pair in of_dataset:
        there = [name for name in pair if name in inputs]
        if len(there) == 1:
            yield (
                _TRAINING,
                f"turns patches of {there[0]!r}, a component of the vector {pair} "
                f"({path}), and the other is no input. Must have both, or neither. "
                "Read both, or leave augmentation out",
            )
    if not isinstance(view.value(_TRAINING, "vectors"), list):
        for path, pair in of_dataset:
            if pair in read:
                yield from _of_inputs(view, path, pair)
    elif of_dataset and sorted(pair for _, pair in of_training) != sorted(read):
        yield (
            f"{_TRAINING}.vectors",
            f"{[pair for _, pair in of_training]} are not the vectors among the inputs "
            f"by dataset_description.vectors, {read}. Must be the same. Leave them out "
            "here",
        )


def _of_rasters(view: RawExperiment, path: str, pair: list[str]) -> Iterator[Problem]:
    """Look for the rasters of a vector."""
    for name in pair:
        if name not in view.rasters and view.has_all_rasters:
            yield (
                path,
                f"{name!r} is not described. Must be among "
                f"dataset_description.rasters. {nearest(name, view.rasters)}",
            )
        if view.is_of_points(name):
            yield (
                path,
                f"{name!r} is gridded from points. The components of a vector must be "
                "read from rasters. Leave the vector out",
            )
    rasters = [view.rasters[name] for name in pair if name in view.rasters]
    if len({(str(r.get("resolution")), "derive" in r) for r in rasters}) > 1:
        yield (
            path,
            f"{pair} differ in resolution, or one is derived. Must be alike, as the "
            "components of one vector. Make them so",
        )


def _of_inputs(view: RawExperiment, path: str, pair: list[str]) -> Iterator[Problem]:
    """Look for the inputs of a vector that is turned with its patches."""
    inputs = {item["name"]: item for _, item in view.items("inputs")}
    for name in pair:
        if name not in inputs:
            yield (
                path,
                f"{name!r} is no input. {nearest(name, inputs)} Name two inputs",
            )
    read = [inputs[name] for name in pair if name in inputs]
    if len({(str(i.get("resolution")), i.get("scalar") is True) for i in read}) > 1:
        yield (
            path,
            f"{pair} differ in resolution or scalar. Must be alike, as the "
            "components of one vector. Make them so",
        )
