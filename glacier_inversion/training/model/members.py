"""Members of a model on disk: their files, how far they are, and their weights."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from glacier_inversion.errors import MemberError, ModelError, first_line
from glacier_inversion.files import remove, write_bytes
from glacier_inversion.workspace import member_path

WEIGHTS, LOG, CHECKPOINT = "best.safetensors", "log.csv", "checkpoint.pt"
FAILURE = "failure.txt"
"""Why a member is no part of its ensemble, and is not trained again."""

MemberState = Literal["finished", "failed", "interrupted", "waiting"]

_NAME = re.compile(r"seed_([0-9]{3}|[1-9][0-9]{3,})")  # as Workspace.member has it
_ORIGIN = "glacier_inversion"  # key of the weights' metadata


def member_state(folder: Path) -> MemberState:
    """Tell how far a member is; one that has failed is no part of the ensemble."""
    if (folder / FAILURE).exists():
        return "failed"
    if (folder / CHECKPOINT).exists():
        return "interrupted"
    return "finished" if (folder / WEIGHTS).exists() else "waiting"


def member_folders(model: Path) -> dict[int, Path]:
    """Return the folders of a model's members by seed, in order; copies are none."""
    folders = {
        int(name[1]): path
        for path in model.glob("seed_*/")
        if (name := _NAME.fullmatch(path.name))
    }
    return dict(sorted(folders.items()))


def write_weights(
    path: Path, weights: Mapping[str, Tensor], seed: int, identity: str
) -> None:
    """
    Write a member's weights, with a digest of them and whose they are.

    Parameters
    ----------
    seed : int
    identity : str
        Of the model, as `Model.identity` has it.

    Raises
    ------
    WorkspaceError
        They cannot be written.
    """
    contiguous = {name: w.cpu().contiguous() for name, w in weights.items()}
    origin = {"seed": seed, "model": identity, "sha256": digest_weights(contiguous)}
    # one key, as safetensors writes several in an order of chance
    metadata = {_ORIGIN: json.dumps(origin)}
    write_bytes(path, safetensors.torch.save(contiguous, metadata))


def read_weights(path: Path, seed: int, identity: str) -> dict[str, Tensor]:
    """
    Read a member's weights, and check that they are the ones that were written.

    Those of versions that wrote neither digest nor origin are not checked.

    Parameters
    ----------
    seed : int
        The member's, whose folder *path* is in.
    identity : str
        Of the model.

    Raises
    ------
    ModelError
        They cannot be read, are damaged, or another member's or model's.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
        if _ORIGIN not in metadata:
            return weights
        origin = json.loads(metadata[_ORIGIN])
        if origin["sha256"] != digest_weights(weights):
            raise _unusable(path, "it is damaged")
        if origin["model"] != identity:
            raise _unusable(path, "it is of another model, or model.json was changed")
        if origin["seed"] != seed:
            raise _unusable(path, f"it is of seed {origin['seed']}")
    except ModelError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, first_line(error)) from error
    return weights


def digest_members(folder: Path, seeds: Iterable[int], identity: str) -> str:
    """
    Return what members of a model predict follows from, as a digest.

    Parameters
    ----------
    folder : Path
        The model's.
    seeds : iterable of int
        Of finished members.
    identity : str
        `Model.identity`: network and normalisation.

    Raises
    ------
    ModelError
        Weights are not those that were written.
    """
    paths = {seed: member_path(folder, seed) / WEIGHTS for seed in seeds}
    members = [
        digest_weights(read_weights(path, seed, identity))
        for seed, path in paths.items()
    ]
    return hashlib.sha256(json.dumps([identity, members]).encode()).hexdigest()


def digest_weights(weights: Mapping[str, Tensor]) -> str:
    """Identify weights: names, types, shapes and bytes."""
    hashed = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        hashed.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        hashed.update(weight.numpy().data)
    return hashed.hexdigest()


def _unusable(path: Path, problem: str) -> ModelError:
    message = (
        f"{path}: cannot be loaded ({problem}). Must be the weights that 'ginv train' "
        "wrote there. Restore it, or remove it and train the seed again."
    )
    return ModelError(message)


def write_failure(folder: Path, error: MemberError) -> str:
    """Write why a member is no part of its ensemble, which is returned."""
    message = (
        f"{error} It is no part of the ensemble. To try again, remove "
        f"{folder / FAILURE}."
    )
    write_bytes(folder / FAILURE, f"{message}\n".encode())
    remove(folder / CHECKPOINT)
    return message


def read_failure(folder: Path) -> str:
    """Return why a member is no part of its ensemble, as far as the file tells."""
    path = folder / FAILURE
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
