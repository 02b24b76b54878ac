"""What is told of a training: --status, status.json, TensorBoard."""

import json
import sys
import threading
from dataclasses import replace

import pytest

from glacier_inversion.files import is_locked, locked
from glacier_inversion.training.model.model import finished_seeds
from glacier_inversion.training.status import format_status, read_status
from glacier_inversion.training.train import train
from glacier_inversion.workspace import Workspace
from tests.conftest import Run
from tests.test_training import experiment, read_log, some_tiles


class Stopping:
    """Raises at the n-th epoch, as a kill does."""

    def __init__(self, n):
        self.n = n

    def start(self, stage, total, unit):
        """Do nothing."""

    def advance(self, note=""):
        """Count down."""
        self.n -= 1
        if self.n == 0:
            raise KeyboardInterrupt


def test_status_tells_what_every_member_is_doing(tmp_path):
    "Finished, in training, failed, waiting; the best epoch is that of the log."
    place = Workspace(tmp_path)
    checked = experiment(epochs=4, seeds_number=4, criterion="val_nan_mae")
    train(checked, some_tiles(), place, seeds=[0])
    with pytest.raises(KeyboardInterrupt):
        train(checked, some_tiles(), place, seeds=[1], progress=Stopping(2))
    failed = place.member("small", 2)
    failed.mkdir()
    (failed / "failure.txt").write_text("it does not learn")
    status = read_status(checked, place)
    assert not status.is_running
    states = [member.state for member in status.members]
    assert states == ["finished", "interrupted", "failed", "waiting"]
    assert [member.n_epochs for member in status.members] == [4, 2, 0, 0]
    log = [row["val_thickness_nan_mae"] for row in read_log(place.member("small", 0))]
    first = status.members[0]
    assert first.criterion == min(log)
    assert first.best_epoch == log.index(min(log))
    # the two epochs of one member, and the four of another
    seconds = [status.members[i].seconds for i in (0, 1)]
    assert status.seconds_left == pytest.approx(6 * sum(seconds) / 2)
    path = place.model("small") / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"training": [1]}))
    with locked(place.model("small"), "training"):
        running = read_status(checked, place)
    assert running.is_running
    assert running.members[1].state == "training"
    text = format_status(checked, running)
    assert "1 of 4 members finished, a command is training" in text
    assert len(text.splitlines()) == 6


def test_status_survives_what_is_broken(tmp_path):
    "It is for looking, whatever state things are in."
    place = Workspace(tmp_path)
    checked = experiment(epochs=1)
    train(checked, some_tiles(), place)
    for content in ("", "{}", "[]", '{"seconds_per_epoch": {}, "jobs": Infinity}'):
        (place.model("small") / "status.json").write_text(content)
        status = read_status(checked, place)
        assert status.seconds_left is None
        assert [member.seconds for member in status.members] == [None, None]
        assert "2 of 2 members finished." in format_status(checked, status)


def test_the_command_says_how_far_it_is(finished: Run, tmp_path):
    "Without data or training; a model that is not there is named."
    result = finished("train", "--status")
    assert result.exit_code == 0
    assert "2 of 2 members finished." in result.stdout
    path = tmp_path / "other.json"
    path.write_text(json.dumps(finished.raw | {"model_name": "smal"}))
    result = replace(finished, file=path)("train", "--status")
    assert result.exit_code == 1
    assert "is no model. Did you mean 'small'?" in result.stderr


def test_status_of_another_experiment_is_refused(finished: Run, tmp_path):
    "Its epochs would mean nothing."
    path = tmp_path / "other.json"
    path.write_text(json.dumps(finished.raw | {"epochs": 5}))
    result = replace(finished, file=path)("train", "--status")
    assert result.exit_code == 1
    assert "was trained with other values of: epochs" in result.stderr


def test_looking_does_not_keep_a_command_from_starting(tmp_path):
    "Who looks holds the lock for a moment, which commands wait for."
    folder = tmp_path / "models" / "small"
    looking = True

    def look():
        while looking:
            assert is_locked(folder) in (True, False)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(30):
            with locked(folder, "training"):
                pass
    finally:
        looking = False
        thread.join()
    assert not is_locked(folder)


def test_tensorboard_shows_each_epoch_once(tmp_path):
    "Those before an interruption, too."
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    place = Workspace(tmp_path)
    checked = experiment(epochs=3, seeds_number=1)
    with pytest.raises(KeyboardInterrupt):
        train(checked, some_tiles(), place, progress=Stopping(2), tensorboard=True)
    train(checked, some_tiles(), place, tensorboard=True)
    events = EventAccumulator(str(place.model("small") / "tensorboard" / "seed_000"))
    events.Reload()
    log = read_log(place.member("small", 0))
    assert set(events.Tags()["scalars"]) == set(log[0]) - {"epoch"}
    shown = [(e.step, e.value) for e in events.Scalars("val_loss")]
    assert shown == [
        (i, pytest.approx(row["val_loss"], rel=1e-6)) for i, row in enumerate(log)
    ]


def test_tensorboard_that_cannot_be_written_is_warned_of(tmp_path, caplog):
    "Training goes on."
    pytest.importorskip("tensorboard")
    place = Workspace(tmp_path)
    place.model("small").mkdir(parents=True)
    (place.model("small") / "tensorboard").write_text("")
    train(experiment(epochs=2), some_tiles(), place, tensorboard=True)
    assert caplog.text.count("no more is written for TensorBoard") == 1
    assert finished_seeds(place, "small") == [0, 1]


def test_tensorboard_that_is_missing_is_named(finished: Run, monkeypatch):
    "Before anything is trained, with what to install."
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    before = finished_seeds(Workspace(finished.root), "small")
    result = finished("train", "--tensorboard", "--overwrite")
    assert result.exit_code == 2
    assert finished_seeds(Workspace(finished.root), "small") == before == [0, 1]
    assert "pip install 'glacier-inversion[tensorboard]'" in result.stderr
