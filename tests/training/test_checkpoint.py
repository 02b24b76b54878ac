"""Checkpoints: broken ones and those of others are named, and not gone on with."""

import hashlib
import io
import os

import pytest
import torch

from glacier_inversion.training.checkpoint import read_checkpoint, write_checkpoint
from glacier_inversion.training.data import prepare
from tests.training.helpers import FailedError, experiment, some_tiles, train_member


@pytest.fixture
def stopped_member(tmp_path):
    """Return an experiment, its data, and a member that was stopped in epoch 1."""
    checked = experiment(epochs=3)
    data = prepare(checked, some_tiles())

    def stop(log, seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_member(checked, data, 0, tmp_path, stop)
    return checked, data, tmp_path


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_a_broken_checkpoint_is_named(stopped_member, content):
    "It is never executed, and the message says how to go on."
    checked, data, folder = stopped_member
    (folder / "checkpoint.pt").write_bytes(content)
    with pytest.raises(FailedError, match=r"checkpoint\.pt: cannot be us.*Remove it"):
        train_member(checked, data, 0, folder, lambda *_: None)


def test_a_checkpoint_of_which_a_bit_is_wrong_is_not_used(stopped_member):
    "Anywhere in the file: wrong weights are worse than none."
    checked, data, folder = stopped_member
    path = folder / "checkpoint.pt"
    whole = path.read_bytes()
    for place in range(7, len(whole), len(whole) // 20):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(FailedError, match="it is damaged"):
            train_member(checked, data, 0, folder, lambda *_: None)


def test_a_checkpoint_of_another_version_is_named(stopped_member):
    "What it lacks is not guessed."
    checked, data, folder = stopped_member
    state = read_checkpoint(folder / "checkpoint.pt")
    write_checkpoint(folder / "checkpoint.pt", state | {"plateau": {"a": 1}})
    with pytest.raises(FailedError, match="of another version"):
        train_member(checked, data, 0, folder, lambda *_: None)


class Malicious:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("wrapped", [lambda code: code, lambda code: {"logs": code}])
def test_code_in_a_checkpoint_does_not_run(stopped_member, wrapped):
    "Also where its digest is right: it may come from a stranger."
    checked, data, folder = stopped_member
    content = io.BytesIO()
    torch.save(wrapped(Malicious(str(folder / "made"))), content)
    digest = hashlib.sha256(content.getvalue()).digest()
    (folder / "checkpoint.pt").write_bytes(digest + content.getvalue())
    with pytest.raises(FailedError, match="it holds what training does not write"):
        train_member(checked, data, 0, folder, lambda *_: None)
    assert not (folder / "made").exists()
    content.seek(0)
    torch.load(content, weights_only=False)
    assert (folder / "made").exists()  # so it would have


def test_a_checkpoint_that_is_no_table_is_named(stopped_member):
    checked, data, folder = stopped_member
    write_checkpoint(folder / "checkpoint.pt", [1, 2])
    with pytest.raises(FailedError, match="it holds what training does not write"):
        train_member(checked, data, 0, folder, lambda *_: None)


def test_a_checkpoint_of_another_member_is_not_gone_on_with(tmp_path):
    "Seed 0 would become what seed 1 was."
    checked = experiment(epochs=3)
    data = prepare(checked, some_tiles())

    def stop(log, seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_member(checked, data, 1, tmp_path, stop)
    with pytest.raises(FailedError, match="it is another member's or model's"):
        train_member(checked, data, 0, tmp_path, lambda *_: None)
    train_member(checked, data, 1, tmp_path, lambda *_: None)
