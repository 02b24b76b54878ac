"""Members trained side by side: the same bytes, whoever is killed and when."""

import logging
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from glacier_inversion.errors import (
    GlacierInversionError,
    TrainingError,
    WorkspaceError,
)
from glacier_inversion.sharing import processes
from glacier_inversion.training import workers
from glacier_inversion.training.engine import train_members
from glacier_inversion.training.samples_on_disk import map_samples
from glacier_inversion.training.workers import best_number
from glacier_inversion.workspace import Workspace
from tests.helpers import Run
from tests.processes import (
    refuse_processes,
    session_of,
    start,
    wait_until,
)
from tests.training.helpers import experiment, some_tiles

FILES = ("best.safetensors", "log.csv")


def read_members(folder: Path) -> dict[str, bytes]:
    """Return the bytes of what is kept of every member."""
    return {
        f"{member.name}/{file}": (member / file).read_bytes()
        for member in sorted(folder.glob("seed_*"))
        for file in FILES
    }


class Listening:
    """Counts the epochs, and does something at each."""

    def __init__(self, at_epoch=lambda note: None):
        self.n_epochs, self.at_epoch = 0, at_epoch

    def start(self, stage, total, unit):
        """Keep the total."""
        self.total = total

    def advance(self, note=""):
        """Count."""
        self.n_epochs += 1
        self.at_epoch(note)


def test_the_number_of_jobs_does_not_matter(tmp_path):
    "Weights and logs are the same bytes; nothing else is left behind."
    checked = experiment(epochs=3, seeds_number=3, augmentation={"flips": True})
    for jobs in (1, 2):
        heard = Listening()
        place = Workspace(tmp_path / str(jobs))
        train_members(
            checked, some_tiles(), place.model("small"), jobs=jobs, progress=heard
        )
        assert heard.n_epochs == heard.total == 9
    one, two = (read_members(tmp_path / f"{n}/models/small") for n in (1, 2))
    assert len(one) == 6
    assert one == two
    assert sorted(p.name for p in (tmp_path / "2/models/small").iterdir()) == [
        "applicability.safetensors", "model.json", "seed_000", "seed_001",
        "seed_002", "status.json", "training_curves.png",
    ]  # fmt: skip


def test_members_that_fail_are_named_and_the_others_trained(tmp_path, caplog):
    "A checkpoint that cannot be read, and what a process logs."
    checked = experiment(epochs=1, seeds_number=3)
    place = Workspace(tmp_path)
    broken = place.member("small", 1)
    train_members(checked, some_tiles(), place.model("small"), seeds=[0])
    broken.mkdir()
    (broken / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="1 of 3 members could not be trained"):
        train_members(checked, some_tiles(), place.model("small"), jobs=2)
    assert "checkpoint.pt: cannot be used" in caplog.text
    assert (place.member("small", 2) / FILES[0]).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("n_kills", [1, 2])
def test_a_member_whose_process_is_killed_goes_on_once(
    tmp_path, monkeypatch, caplog, n_kills
):
    "Out of memory, for one; then it is named, the others are trained, and a run goes on."
    checked = experiment(epochs=12, seeds_number=3)
    model, progress = Workspace(tmp_path).model("small"), Listening()
    checkpoint = model / "seed_000/checkpoint.pt"
    killed = []
    hand_on = workers._Crew._hand_on

    def hand_on_and_kill(crew, trainer):
        hand_on(crew, trainer)
        if trainer.seed == 0 and len(killed) < n_kills:
            wait_until(checkpoint.exists)
            killed.append(trainer.worker.process.pid)
            os.kill(killed[-1], signal.SIGKILL)

    monkeypatch.setattr(workers._Crew, "_hand_on", hand_on_and_kill)
    given = checked, some_tiles(), model
    if n_kills == 2:
        with pytest.raises(TrainingError, match="1 of 3 members could not"):
            train_members(*given, jobs=2, progress=progress)
        assert "seed 0: its process ended without a word (signal 9)" in caplog.text
        assert len(list(model.glob("*/best.safetensors"))) == 2
        train_members(checked, some_tiles(), model, jobs=2)
    else:
        train_members(*given, jobs=2, progress=progress)
    assert progress.n_epochs == progress.total
    assert caplog.text.count("seed 0: its process was lost (signal 9)") == 1
    whole = Workspace(tmp_path / "whole")
    train_members(checked, some_tiles(), whole.model("small"), jobs=1)
    assert read_members(model) == read_members(whole.model("small"))


@pytest.mark.parametrize("n_begun", [1, 0])
def test_processes_that_cannot_begin(tmp_path, monkeypatch, caplog, n_begun):
    "The others train all members; where there is none, a message says why."
    begun = refuse_processes(monkeypatch, lambda number: number > n_begun)
    members = experiment(epochs=1, seeds_number=3), some_tiles()
    model = Workspace(tmp_path).model("small")
    if n_begun:
        train_members(*members, model, jobs=3)
        assert caplog.text.count("a process could not begin (Resource") == 1
        assert "work goes on with 1" in caplog.text
        assert len(list(model.glob("*/best.safetensors"))) == 3
    else:
        with pytest.raises(GlacierInversionError, match=r"small: a process could not"):
            train_members(*members, model, jobs=2)
    assert len(begun) == n_begun


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("n_spared", [1, 0])
def test_processes_that_end_as_they_begin(tmp_path, monkeypatch, caplog, n_spared):
    "They cost no member: the others train all; where there is none, it is an error."
    begun = []

    def start_and_kill(*given):
        worker = processes.start_worker(*given)
        begun.append(worker)
        if len(begun) > n_spared:
            worker.process.kill()
        return worker

    monkeypatch.setattr(workers, "start_worker", start_and_kill)
    members = experiment(epochs=1, seeds_number=4), some_tiles()
    model = Workspace(tmp_path).model("small")
    if n_spared:
        train_members(*members, model, jobs=3)
        assert caplog.text.count("a process ended as it began (signal 9)") == 2
        assert len(list(model.glob("*/best.safetensors"))) == 4
    else:
        with pytest.raises(GlacierInversionError, match="small: a process ended as it"):
            train_members(*members, model, jobs=2)
    assert len(begun) == 2 + n_spared


def test_a_process_that_nobody_hears_any_more_ends_in_silence(capfd):
    "As where the command ends it in the midst of a message."

    class Broken:
        def send(self, what):
            raise BrokenPipeError

        def recv(self):
            raise ConnectionResetError

    signals = signal.getsignal(signal.SIGTERM)
    package = logging.getLogger("glacier_inversion")
    state = package.level, package.propagate, package.handlers[:]
    try:
        for map_samples in (package.warning, lambda folder: 1 // 0):
            with mock.patch.object(workers, "map_samples", map_samples):
                workers._work(Broken(), None, Path(), logging.INFO)
    finally:
        signal.signal(signal.SIGTERM, signals)
        package.level, package.propagate, package.handlers = state
    assert capfd.readouterr().err == ""


def command_of(root: Path, jobs: int) -> list[str]:
    """Return the arguments that train an experiment."""
    return ["train", str(root / "exp.json"), "--workspace", str(root), f"--jobs={jobs}"]


def copy_untrained(finished: Run, root: Path) -> Path:
    """Copy a workspace without its members; return the folder of its model."""
    shutil.copytree(finished.root, root, dirs_exist_ok=True)
    model = root / "models" / "small"
    for member in model.glob("seed_*"):
        shutil.rmtree(member)
    return model


def n_rows(model: Path) -> int:
    """Count the epochs in the logs."""
    logs = model.glob("seed_*/log.csv")
    return sum(len(log.read_text().splitlines()) - 1 for log in logs)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "jobs", [(1, 1, 1, 1), pytest.param((2, 1, 2, 2), marks=pytest.mark.slow)]
)
def test_the_command_may_be_killed_at_any_moment(finished, tmp_path, jobs):
    "Three times, then it runs to its end: the bytes of the run that was not killed."
    model = copy_untrained(finished, tmp_path)
    moments = random.Random(len(set(jobs)))
    n_killed = 0
    for number in jobs[:3]:
        before = n_rows(model)
        process = start(*command_of(tmp_path, number))

        lowest = [before]

        def goes_on(before=before, process=process, lowest=lowest):
            lowest.append(n_rows(model))
            return process.poll() is not None or lowest[-1] > before

        wait_until(goes_on)
        assert min(lowest) == before  # nothing is trained again
        time.sleep(moments.random() * 0.3)
        n_killed += process.poll() is None
        process.kill()
        process.communicate(timeout=30)
        wait_until(lambda process=process: not session_of(process.pid))
    assert n_killed > 0
    process = start(*command_of(tmp_path, jobs[3]))
    process.communicate()
    assert process.returncode == 0
    assert read_members(model) == read_members(finished.root / "models" / "small")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_may_be_stopped(finished, tmp_path, jobs, number):
    "Ctrl-C reaches the whole group: one message, nothing left over, nothing lost."
    model = copy_untrained(finished, tmp_path)
    command = command_of(tmp_path, jobs)
    process = start(*command)
    wait_until(lambda: process.poll() is not None or n_rows(model) > 0)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr
    assert "of 2 members finished. What was trained is kept." in stderr
    wait_until(lambda: not session_of(process.pid))
    assert not (model / "samples").exists()
    before = n_rows(model)
    assert before < 2 * 12
    process = start(*command)
    lowest = before
    while process.poll() is None:
        lowest = min(lowest, n_rows(model))
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == 0
    assert lowest == before
    assert read_members(model) == read_members(finished.root / "models" / "small")


def test_what_fails_in_a_process_is_raised_here(tmp_path, monkeypatch):
    "With its traceback, not as a process that was killed."
    checked = experiment(epochs=1, seeds_number=2)

    def map_and_break(folder):
        data = map_samples(folder)
        path = folder / "samples/data.pt"
        path.unlink()  # what is mapped stays
        path.write_bytes(b"no samples")
        return data

    module = "glacier_inversion.training.samples_on_disk"
    monkeypatch.setattr(f"{module}.map_samples", map_and_break)
    with pytest.raises(RuntimeError, match="Traceback"):
        train_members(checked, some_tiles(), Workspace(tmp_path).model("small"), jobs=2)
    assert not (tmp_path / "models/small/samples").exists()


def test_samples_that_cannot_be_shared_are_a_message(tmp_path, monkeypatch):
    "A full disk, of which torch speaks otherwise than Python."

    def fail(data, path):
        message = "[enforce fail at inline_container.cc:672] . unexpected pos 29888"
        raise RuntimeError(message)

    module = "glacier_inversion.training.samples_on_disk"
    monkeypatch.setattr(f"{module}.torch.save", fail)
    with pytest.raises(WorkspaceError, match=r"data\.pt: cannot be written"):
        train_members(
            experiment(epochs=1), some_tiles(), Workspace(tmp_path).model("small")
        )
    assert not (tmp_path / "models/small").exists()


def test_jobs_are_as_many_as_end_soonest():
    "Never more than members or cores; starting processes has its price."
    assert best_number(1, 16, 1e6) == 1
    assert best_number(30, 1, 1e6) == 1
    assert best_number(2, 16, 1e6) == 2
    assert best_number(2, 2, 1.0) == 1
    assert best_number(6, 4, 1e6) == 3  # two rounds, as with 4


def test_the_command_takes_a_number_of_jobs(finished: Run):
    "At least 1."
    result = finished("train", "--jobs", "0")
    assert result.exit_code == 2
    assert "--jobs" in result.stderr
    assert finished("train", "--jobs", "2").exit_code == 0
