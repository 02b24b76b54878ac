"""What is told of a training: --status and status.json."""

import json
import logging
import sys
import threading
from dataclasses import replace

import pytest

from glacier_inversion.locks import held_together, is_locked, locked
from glacier_inversion.sharing.attempts import Place, write_job
from glacier_inversion.training.engine import train_members
from glacier_inversion.training.member_tasks import member_task
from glacier_inversion.training.status import format_status, read_status
from glacier_inversion.workspace import Workspace
from tests.helpers import Run
from tests.training.helpers import Stopping, experiment, read_log, some_tiles


def test_status_tells_what_every_member_is_doing(tmp_path):
    "Finished, in training, failed, waiting; the best epoch is that of the log."
    place = Workspace(tmp_path)
    checked = experiment(epochs=4, seeds_number=4, criterion="val_nan_mae")
    train_members(checked, some_tiles(), place.model("small"), seeds=[0])
    with pytest.raises(KeyboardInterrupt):
        train_members(
            checked, some_tiles(), place.model("small"), seeds=[1], progress=Stopping(2)
        )
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


@pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")
def test_status_of_shards_is_told_by_what_they_hold(tmp_path):
    "Not by the file of one command, which was killed before."
    place = Workspace(tmp_path)
    folder = place.model("small")
    checked = experiment(epochs=4, seeds_number=3)
    for seed in (0, 1):
        stopping = Stopping(2)
        with pytest.raises(KeyboardInterrupt):
            train_members(
                checked, some_tiles(), folder, seeds=[seed], progress=stopping
            )
    path = folder / "status.json"
    content = json.loads(path.read_text()) | {"training": [1, 2], "jobs": 3}
    path.write_text(json.dumps(content))
    write_job(folder, {"key": "key", "token": "token", "finished": False})
    ledger = Place(folder, "token", logging.INFO).ledger(member_task(0))
    with held_together(folder, "training"), ledger.held():
        status = read_status(checked, place)
    assert [m.state for m in status.members] == ["training", "interrupted", "waiting"]
    known = [m.seconds for m in status.members if m.seconds is not None]
    # one at a time: two epochs of two members, and four of the last
    assert status.seconds_left == pytest.approx(8 * sum(known) / len(known))


def test_status_survives_what_is_broken(tmp_path):
    "It is for looking, whatever state things are in."
    place = Workspace(tmp_path)
    checked = experiment(epochs=1)
    train_members(checked, some_tiles(), place.model("small"))
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
