"""Jobs: each task is done once, whoever comes, goes or dies, and one command ends it."""

import logging
import os
import sys
import threading

import pytest

from glacier_inversion.errors import LeftToOthersError, StoppedError, WorkspaceError
from glacier_inversion.files import write_bytes
from glacier_inversion.locks import locked, shared_work_of, working_in
from glacier_inversion.progress import Silent
from glacier_inversion.sharing.attempts import attempt
from glacier_inversion.sharing.job import names_at_work, working_together
from glacier_inversion.sharing.lost_processes import ProcessLostError
from tests.helpers import read_all
from tests.sharing.helpers import Here, done, square

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")
TASKS = {f"task {n}": n for n in (3, 1, 2)}
RESULTS = {"task 3": {"square": 9}, "task 1": {"square": 1}, "task 2": {"square": 4}}


class Counting(Silent):
    """Counts what it hears of."""

    n_done = 0

    def advance(self, note=""):
        """Count."""
        self.n_done += 1


def work(folder, number, hands="one", key="key", prepare=lambda: None, do=square):
    """Take part in a job, and return the results."""
    (folder / "here").mkdir(exist_ok=True)
    tasks = dict(list(TASKS.items())[:number])
    hands = Here(hands) if isinstance(hands, str) else hands
    with working_together(folder / "here", "drawing into", hands, key, prepare) as job:
        return job.do(do, folder, tasks, Silent())


def work_but_not_end(folder, error, hands="one", do=square, prepare=lambda: None):
    """Take part in a job, whose end is an error."""
    with working_together(folder, "training", Here(hands), "key", prepare) as job:
        job.do(do, folder, TASKS, Silent())
        raise error


def test_one_command_does_all(tmp_path, caplog):
    "In order, and what is logged meanwhile is logged; a second run does all anew."
    begun = []
    assert work(tmp_path, 3, prepare=lambda: begun.append(1)) == RESULTS
    assert [r.message for r in caplog.records] == ["done: 3", "done: 1", "done: 2"]
    assert work(tmp_path, 3, prepare=lambda: begun.append(1)) == RESULTS
    assert done(tmp_path) == {1: 2, 2: 2, 3: 2}
    assert len(begun) == 2
    left = read_all(shared_work_of(tmp_path / "here"))
    assert left.keys() == {"job.json"}


def test_tasks_are_shared_and_the_last_one_finishes(tmp_path):
    "Who finds the others at work leaves it to them; who comes late has nothing to do."
    said = []

    def meet(folder, number):
        """Do a task, while another command comes and does what it can."""
        if number == 1:
            assert names_at_work(folder / "here", list(TASKS)) == {"task 1"}
            with pytest.raises(LeftToOthersError, match=r"two has .* at 1 of 3 tasks"):
                work(folder, 3, "two", prepare=lambda: said.append("again"))
            assert done(folder) == {3: 1, 2: 1}
            with (
                pytest.raises(WorkspaceError, match="here: another command is drawing"),
                locked(folder / "here", "drawing into"),
            ):
                pass
            with pytest.raises(WorkspaceError, match="by another experiment or"):
                work(folder, 3, "two", key="another")
        return square(folder, number)

    assert work(tmp_path, 3, do=meet) == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert not said
    for name in ("three", "four"):
        with pytest.raises(LeftToOthersError, match="nothing is left to do"):
            work(tmp_path, 3, name)
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert work(tmp_path, 3, "two") == RESULTS
    assert done(tmp_path) == {1: 2, 2: 2, 3: 2}


def test_another_version_takes_no_part(tmp_path, monkeypatch):
    "Its results may be others."

    def meet(folder, number):
        """Do a task, while a command of another version comes."""
        monkeypatch.setattr("glacier_inversion.sharing.job.__version__", "0.0.1")
        with pytest.raises(WorkspaceError, match="another experiment or version"):
            work(folder, 3, "two")
        return square(folder, number)

    assert work(tmp_path, 3, do=meet) == RESULTS


def test_who_finishes_anyway_waits_for_others(tmp_path):
    "And does what they leave: a worker that was lost, and stops or dies."
    stray = None

    class Patient(Here):
        def each(self, place, work, given, tasks):
            nonlocal stray
            if stray is None:
                stray = place.ledger("task 1").held()
                stray.__enter__()
                threading.Timer(0.5, stray.__exit__, (None, None, None)).start()
            yield from super().each(place, work, given, tasks)

    (tmp_path / "here").mkdir()
    hands = Patient("one")
    hands.waits = True
    with working_together(tmp_path / "here", "drawing into", hands, "key") as job:
        assert job.do(square, tmp_path, TASKS, Silent()) == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}


def test_what_is_stopped_goes_on(tmp_path):
    "By a command that comes later, with what is done; a stop counts as no try."

    def stop(folder, number):
        if number == 1:
            message = "stopped"
            raise StoppedError(message)
        return square(folder, number)

    for name in ("one", "two", "three"):
        with pytest.raises(StoppedError):
            work(tmp_path, 3, name, do=stop)
    write_bytes(tmp_path / "here" / ".tile.part.tif", b"")
    assert work(tmp_path, 3, "four") == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert not (tmp_path / "here" / ".tile.part.tif").exists()


def test_what_is_done_stays_done_until_the_end(tmp_path):
    "Though only those who took part are left: what was prepared is, too."
    begun = []

    def stop(folder, number):
        if number == 1:
            message = "stopped"
            raise StoppedError(message)
        return square(folder, number)

    for _ in range(2):
        with pytest.raises(StoppedError):
            work(tmp_path, 3, prepare=lambda: begun.append(1), do=stop)
    assert work(tmp_path, 3, prepare=lambda: begun.append(1)) == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert len(begun) == 1


def test_who_was_stopped_does_not_begin_anew_what_others_have_done(tmp_path):
    "As a shard that is killed, and that its cluster starts again; a third run does."
    begun = []

    def stop(folder, number):
        message = "stopped"
        raise StoppedError(message)

    with pytest.raises(StoppedError):
        work(tmp_path, 3, "one", do=stop)
    assert work(tmp_path, 3, "two") == RESULTS
    with pytest.raises(LeftToOthersError, match="nothing is left to do"):
        work(tmp_path, 3, "one", prepare=lambda: begun.append(1))
    assert not begun
    assert work(tmp_path, 3, "one", prepare=lambda: begun.append(1)) == RESULTS
    assert begun


def test_who_has_others_work_begins_anew(tmp_path):
    "A scheduler's command, though shards have done all: no other is started with it."
    assert work(tmp_path, 3, "shard") == RESULTS
    hands = Here("scheduler")
    hands.waits = True
    assert work(tmp_path, 3, hands) == RESULTS
    assert done(tmp_path) == {1: 2, 2: 2, 3: 2}


def test_what_a_dead_command_had_in_hand_is_taken_up(tmp_path):
    "By one that is still at work, and has passed it."
    held = []

    def meet(folder, number):
        """Do a task; another command holds the first one until the last is done."""
        if number == TASKS["task 2"]:
            held.pop().__exit__(None, None, None)
        return square(folder, number)

    class Passing(Here):
        def each(self, place, work, given, tasks):
            if not done(tmp_path):
                held.append(place.ledger("task 3").held())
                held[0].__enter__()
            yield from super().each(place, work, given, tasks)

    progress = Counting()
    with working_together(tmp_path, "drawing into", Passing("one"), "key") as job:
        assert job.do(meet, tmp_path, TASKS, progress) == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert progress.n_done == 3


def test_what_failed_is_tried_anew(tmp_path):
    "By a command that is run again; another one takes it as it is."

    def fail(folder, number):
        square(folder, number)
        return {"failure": "why"} if number == 1 else {}

    for hands, do in (("one", fail), ("two", square)):
        with pytest.raises(ZeroDivisionError):
            work_but_not_end(tmp_path, ZeroDivisionError(), hands, do)
        assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    with pytest.raises(ZeroDivisionError):
        work_but_not_end(tmp_path, ZeroDivisionError(), "one", square)
    assert done(tmp_path) == {1: 2, 2: 1, 3: 1}


@pytest.mark.parametrize("error", [WorkspaceError("why"), KeyboardInterrupt()])
@pytest.mark.parametrize("who", ["one", "two"])
def test_a_job_whose_end_fails_goes_on(tmp_path, error, who):
    "With all that is done, and what has to be there, by whoever comes next."
    said = []

    def begin(hands, error=None):
        with working_together(
            tmp_path,
            "training",
            Here(hands),
            "key",
            lambda: said.append("prepare"),
            lambda: said.append("resume"),
        ) as job:
            job.do(square, tmp_path, TASKS, Silent())
            if error is not None:
                raise error

    with pytest.raises(type(error)):
        begin("one", error)
    begin(who)
    assert said == ["prepare", "resume"]
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert read_all(shared_work_of(tmp_path)).keys() >= {"job.json"}
    assert not (shared_work_of(tmp_path) / "tasks").exists()


def test_who_ended_its_part_of_what_was_begun_again_does_not_begin_anew(tmp_path):
    "An array that is submitted again, as one of it was killed: what is done is kept."
    begun = []

    def prepare():
        begun.append(1)

    def meet(folder, number):
        """Do a task, while another command comes, and ends its part; then die."""
        with pytest.raises(LeftToOthersError, match="others are at 1 of 3"):
            work(folder, 3, "one")
        message = "dead"
        raise StoppedError(message)

    with pytest.raises(StoppedError):
        work(tmp_path, 3, "two", prepare=prepare, do=meet)
    assert work(tmp_path, 3, "two", prepare=prepare) == RESULTS
    with pytest.raises(LeftToOthersError, match="nothing is left to do"):
        work(tmp_path, 3, "one", prepare=prepare)
    assert len(begun) == 1
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}


def test_who_is_killed_at_the_very_end_does_not_begin_anew(tmp_path, monkeypatch):
    "It has noted that all is done."

    def stop(*paths):
        if any(path.name == "tasks" for path in paths):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("glacier_inversion.sharing.job.remove", stop)
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, 3)
    with pytest.raises(LeftToOthersError, match="nothing is left to do"):
        work(tmp_path, 3, prepare=lambda: 1 // 0)


def test_a_command_that_works_alone_ends_a_job(tmp_path):
    "Which is begun anew then."
    with pytest.raises(ZeroDivisionError):
        work(tmp_path, 3, do=lambda folder, number: {"x": 1 // (number - 1)})
    with working_in(tmp_path / "here", "drawing into"):
        pass
    assert work(tmp_path, 3) == RESULTS


def test_a_process_that_does_not_see_the_job_says_so(tmp_path):
    "By the name of its machine: the workspace lies on no disk that both see."

    class Elsewhere(Here):
        def each(self, place, work, given, tasks):
            shared_work_of(place.folder).rename(tmp_path / "gone")
            for task in tasks:
                yield task, attempt(place, work, given, task)

    (tmp_path / "here").mkdir()
    message = f"{os.uname().nodename}: does not see this job at .*/here/.shared/job.js"
    with (
        pytest.raises(WorkspaceError, match=message),
        working_together(
            tmp_path / "here", "drawing into", Elsewhere("one"), "key"
        ) as job,
    ):
        job.do(square, tmp_path, TASKS, Silent())
    assert done(tmp_path) == {}


def test_nobody_works_for_a_job_that_has_ended(tmp_path):
    "As a worker may that the scheduler has lost, and that goes on."
    places = []

    class Late(Here):
        def each(self, place, work, given, tasks):
            places.append(place)
            yield from super().each(place, work, given, tasks)

    (tmp_path / "here").mkdir()
    for _ in range(2):
        with working_together(
            tmp_path / "here", "drawing into", Late("one"), "key"
        ) as job:
            job.do(square, tmp_path, TASKS, Silent())
    for place in places:
        with pytest.raises(WorkspaceError, match="where another command has worked"):
            attempt(place, square, tmp_path, ("task 1", 1))
    assert done(tmp_path) == {1: 2, 2: 2, 3: 2}


def test_logs_are_kept_as_they_are_wanted(tmp_path, caplog):
    "Details only where they are asked for."

    def tell(folder, number):
        logging.getLogger("glacier_inversion.x").debug("detail %d", number)
        return {}

    caplog.set_level(logging.INFO, "glacier_inversion")
    work(tmp_path, 1, do=tell)
    assert not caplog.records
    caplog.set_level(logging.DEBUG, "glacier_inversion")
    work(tmp_path, 1, do=tell)
    assert [record.message for record in caplog.records] == ["detail 3"]


def test_who_dies_between_a_result_and_its_word_has_done_the_task(tmp_path, caplog):
    "What is on the disk counts: nobody begins it again."

    class Mute(Here):
        """Does tasks, and dies before it can say so."""

        def each(self, place, work, given, tasks):
            """Attempt each task."""
            for task, _ in super().each(place, work, given, tasks):
                yield task, ProcessLostError("signal 9")

    assert work(tmp_path, 3, hands=Mute("one")) == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    assert "its process was lost" not in caplog.text
