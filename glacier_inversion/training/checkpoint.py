"""Checkpoints: all that training needs to go on, whole and as they were written."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from glacier_inversion.errors import TrainingError
from glacier_inversion.files import write_bytes

_N_DIGEST = hashlib.sha256().digest_size


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """
    Write tensors, numbers, texts, lists and dicts, behind a digest of them.

    Raises
    ------
    WorkspaceError
        The file cannot be written; what was there before is still there.
    """
    content = io.BytesIO()
    torch.save(_on_cpu(state), content)
    digest = hashlib.sha256(content.getbuffer()).digest()
    write_bytes(path, digest + content.getvalue())


def _on_cpu(value: Any) -> Any:
    """Take tensors off the GPU, which the next run may not have."""
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    return [_on_cpu(item) for item in value] if isinstance(value, list) else value


def read_checkpoint(path: Path) -> dict[str, Any]:
    """
    Read a checkpoint, of which no code is run.

    Raises
    ------
    TrainingError
        It is not as it was written, down to the last bit, or cannot be read.
    """
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise broken(path, error.strerror or "unreadable") from error
    digest, content = stored[:_N_DIGEST], stored[_N_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise broken(path, "it is damaged")
    foreign = "it holds what training does not write"
    try:
        state = torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # whatever others have put into it
        raise broken(path, foreign) from error
    if not isinstance(state, dict):
        raise broken(path, foreign)
    return state


def broken(path: Path, problem: str) -> TrainingError:
    """Return the error for a checkpoint that cannot be used."""
    message = (
        f"{path}: cannot be used ({problem}). Must be as 'ginv train' wrote it. Remove "
        "it: the member then starts anew."
    )
    return TrainingError(message)
