"""Jobs: each task is done once, whoever comes, goes or dies, and one command ends it."""

import logging
import os
import threading

import pytest

from glacier_inversion.errors import (
    LeftToOthersError,
    ModelError,
    StoppedError,
    WorkspaceError,
)
from glacier_inversion.files import write_bytes
from glacier_inversion.locks import (
    Lock,
    lock_of,
    locked,
    shared_work_of,
    working_in,
)
from glacier_inversion.progress import Silent
from glacier_inversion.sharing.attempts import Place, attempt, names_at_work
from glacier_inversion.sharing.job import Job, working_together
from glacier_inversion.sharing.lost_processes import ProcessLostError
from glacier_inversion.sharing.shards import Shard
from glacier_inversion.sharing.steps import Steps
from glacier_inversion.workspace import shared_file
from tests.helpers import read_all
from tests.sharing.helpers import Here, asked_to_end, done, square, stopped

fcntl = pytest.importorskip("fcntl", reason="flock is Unix's")
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
    steps = Steps(prepare=prepare)
    with working_together(folder / "here", "drawing into", hands, key, steps) as job:
        return job.do(do, folder, tasks, Silent())


def work_but_not_end(folder, error, hands="one", do=square, prepare=lambda: None):
    """Take part in a job, whose end is an error."""
    hands = Here(hands) if isinstance(hands, str) else hands
    steps = Steps(prepare=prepare)
    with working_together(folder, "training", hands, "key", steps) as job:
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
    assert left.keys() == {"job.json", "parts/one.txt"}


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


def fail_at_one(folder, number):
    """Do a task; one of them has no result."""
    square(folder, number)
    return {"failure": "why"} if number == 1 else {}


def test_another_array_tries_anew_what_has_failed(tmp_path):
    "Though the job came to its end; who is late of the same array does not, and is told."
    with working_together(tmp_path, "drawing into", Shard(1, 4, 1), "key") as job:
        job.do(fail_at_one, tmp_path, TASKS, Silent())
    late = (
        r"nothing is left to do, others have done it all but 1 that failed\. Run it ag"
    )
    with (
        pytest.raises(LeftToOthersError, match=late),
        working_together(tmp_path, "drawing into", Shard(2, 4, 1), "key"),
    ):
        pass
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}
    with working_together(tmp_path, "drawing into", Shard(1, 2, 1), "key") as job:
        assert job.do(square, tmp_path, TASKS, Silent()) == RESULTS
    assert done(tmp_path) == {1: 2, 2: 2, 3: 2}


def test_another_array_tries_anew_what_failed_in_a_job_that_is_open(tmp_path):
    "And nothing else; one of the same array that comes first takes it as it is."
    for shard, n_tries in ((1, 4), 1), ((2, 4), 1), ((1, 2), 2):
        hands = Shard(*shard, 1)
        with pytest.raises(ZeroDivisionError):
            work_but_not_end(tmp_path, ZeroDivisionError(), hands, fail_at_one)
        assert done(tmp_path) == {1: n_tries, 2: 1, 3: 1}


def test_who_is_run_again_while_the_last_one_finishes_has_nothing_to_do(tmp_path):
    "It waits to see whether that comes to its end, and begins nothing anew."
    said = []

    def run_again():
        try:
            work(tmp_path, 3, "one", prepare=lambda: said.append("prepared"))
        except LeftToOthersError as error:
            said.append(str(error))

    def meet(folder, number):
        """Do a task, while another command comes to the end of its part."""
        if number == 1:
            with pytest.raises(LeftToOthersError, match="others are at 1 of 3"):
                work(folder, 3, "one")
        return square(folder, number)

    (tmp_path / "here").mkdir()
    hands = Here("two")
    with working_together(tmp_path / "here", "drawing into", hands, "key") as job:
        job.do(meet, tmp_path, TASKS, Silent())
        again = threading.Thread(target=run_again)
        again.start()
        again.join(0.5)
        assert again.is_alive()
        assert not said
    again.join(20)
    assert len(said) == 1
    assert "nothing is left to do" in said[0]
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}


def test_what_may_not_begin_leaves_what_others_have_done(tmp_path):
    "A command with another key that is refused, as it would mix two models."

    def refuse():
        message = "must not be mixed"
        raise ModelError(message)

    with pytest.raises(ZeroDivisionError):
        work_but_not_end(tmp_path, ZeroDivisionError())
    with (
        pytest.raises(ModelError),
        working_together(
            tmp_path,
            "training",
            Here("one"),
            "another",
            Steps(check=refuse, prepare=lambda: 1 // 0),
        ),
    ):
        pass
    with working_together(
        tmp_path, "training", Here("one"), "key", Steps(prepare=lambda: 1 // 0)
    ) as job:
        assert job.do(square, tmp_path, TASKS, Silent()) == RESULTS
    assert done(tmp_path) == {1: 1, 2: 1, 3: 1}


def test_who_only_looks_keeps_no_task_from_being_taken_up(tmp_path):
    "`ginv train --status` may look at the moment at which a shard looks, too."
    with working_together(tmp_path, "training", Here("one"), "key") as job:
        ledger = Place(tmp_path, job.token, logging.INFO).ledger("task 1")
        with ledger.held():
            assert names_at_work(tmp_path, list(TASKS)) == {"task 1"}
        path = shared_file(shared_work_of(tmp_path) / "tasks", "task 1")
        with path.open() as looked_at:
            fcntl.flock(looked_at, fcntl.LOCK_SH)
            assert not names_at_work(tmp_path, list(TASKS))
        job.do(square, tmp_path, TASKS, Silent())


def test_who_waits_says_so(tmp_path, caplog):
    "For commands that hold the folder together without a job that it can read, too."
    caplog.set_level(logging.INFO, "glacier_inversion")
    others = Lock(lock_of(tmp_path / "here"))
    assert others.try_shared()
    threading.Timer(0.5, others.release).start()
    assert work(tmp_path, 3) == RESULTS
    said = [r.message for r in caplog.records if "waiting" in r.message]
    assert said == [f"{tmp_path / 'here'}: another command is drawing into it: waiting"]


def test_what_counts_is_what_lies_there_at_the_end(tmp_path, monkeypatch):
    "A shard that comes back before the last one is alone tries anew what has failed."
    take = Job._take

    def take_later(job, hold):
        monkeypatch.setattr(Job, "_take", take)
        job.leave()
        with (
            pytest.raises(StoppedError),
            working_together(tmp_path, "drawing into", Here("one"), "key") as other,
        ):
            other.do(stop, tmp_path, TASKS, Silent())
        take(job, hold)

    def stop(folder, number):
        assert number == 1  # the others are done
        message = "stopped"
        raise StoppedError(message)

    def fail_once(folder, number):
        n_done = done(folder).get(number, 0)
        return fail_at_one(folder, number) if not n_done else square(folder, number)

    monkeypatch.setattr(Job, "_take", take_later)
    resumed = []
    steps = Steps(resume=lambda: resumed.append(1))
    with working_together(tmp_path, "drawing into", Here("one"), "key", steps) as job:
        results = job.do(fail_once, tmp_path, TASKS, Silent())
    assert resumed  # what a task needs may be gone
    assert results["task 1"] == {"square": 1}
    assert done(tmp_path) == {1: 2, 2: 1, 3: 1}


def test_what_a_step_has_made_is_undone_while_nobody_else_is_there(tmp_path):
    "Another command would make the same, and find it removed."
    held = []

    def fail():
        message = "the disk is full"
        raise WorkspaceError(message)

    def undo():
        held.append(not Lock(lock_of(tmp_path)).try_shared())

    def stop(folder, number):
        message = "stopped"
        raise StoppedError(message)

    def begin(**steps):
        own = Steps(**steps, undo=undo)
        with working_together(tmp_path, "training", Here("one"), "key", own) as job:
            job.do(stop, tmp_path, TASKS, Silent())

    for step in "check", "prepare":
        with pytest.raises(WorkspaceError, match="full"):
            begin(**{step: fail})
    assert held == [True, True]
    with pytest.raises(StoppedError):
        begin()  # what tasks need stays: others may be at some
    assert held == [True, True]
    with pytest.raises(WorkspaceError, match="full"):
        begin(resume=fail)
    assert held == [True, True, True]


@pytest.mark.parametrize("do", [stopped, asked_to_end])
def test_a_process_that_is_stopped_again_and_again_is_given_up(tmp_path, do):
    "One that is asked to end, where its command is not, counts as one that dies."
    (tmp_path / "here").mkdir()
    with working_together(tmp_path / "here", "training", Shard(1, 1, 1), "key") as job:
        results = job.do(do, 0, {"a": 16, "b": 2}, Silent())
    assert "each of the 2 processes" in results["a"]["failure"]
    assert results["b"] == {"square": 4}


def test_who_cannot_begin_leaves_no_folder(tmp_path):
    "None that it has made, and that is empty."

    def refuse():
        message = "there is no more space"
        raise WorkspaceError(message)

    folder = tmp_path / "here"
    with (
        pytest.raises(WorkspaceError),
        working_together(folder, "training", Here("one"), "key", Steps(check=refuse)),
    ):
        pass
    assert not folder.exists()


def test_who_only_looks_refuses_nobody(tmp_path, monkeypatch):
    "It may look at the moment at which a command wants the folder alone."
    with pytest.raises(ZeroDivisionError):
        work_but_not_end(tmp_path, ZeroDivisionError())
    try_alone, n_tried = Lock.try_alone, 0

    def try_later(lock):
        nonlocal n_tried
        n_tried += 1
        return n_tried > 1 and try_alone(lock)

    monkeypatch.setattr(Lock, "try_alone", try_later)
    with working_together(tmp_path, "training", Here("one"), "another") as job:
        assert job.do(square, tmp_path, TASKS, Silent())


def test_another_command_that_comes_before_the_end_is_told_of(tmp_path, monkeypatch):
    "It takes the folder in the moment in which that changes hands."
    take = Job._take

    def take_later(job, hold):
        job.leave()
        with working_in(tmp_path / "here", "drawing into"):
            pass
        take(job, hold)

    monkeypatch.setattr(Job, "_take", take_later)
    with pytest.raises(WorkspaceError, match="here: another command came between"):
        work(tmp_path, 3)


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
            Steps(
                prepare=lambda: said.append("prepare"),
                resume=lambda: said.append("resume"),
            ),
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
