"""Tasks that processes do: each once, by as many as may run, whoever is lost."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from glacier_inversion.errors import RasterError
from glacier_inversion.sharing import executors, task_shares
from glacier_inversion.sharing.executors import each
from glacier_inversion.sharing.lost_processes import ProcessLostError
from glacier_inversion.sharing.processes import start_worker
from tests.processes import (
    children_of,
    refuse_processes,
    run_code,
    slow,
    square,
    wait_until,
)
from tests.sharing.helpers import square_of_opened, square_of_opened_once, stopped


def test_each_task_is_done_once():
    "In whatever order, and by no more processes than there are tasks."
    done = dict(each(square, (100,), range(5), 9))
    assert done == {n: 100 + n**2 for n in range(5)}
    assert list(each(square, (0,), [], 2)) == []


def test_processes_begin_where_they_are_worth_it(monkeypatch):
    "None beside the first for what is done at once, and all for what takes long."
    begun = []

    def note(*given):
        begun.append(given)
        return start_worker(*given)

    monkeypatch.setattr(executors, "start_worker", note)
    for work in (square, square_of_opened):
        assert len(dict(each(work, (0,), range(16, 216), 3))) == 200
        assert len(begun) == 1
        begun.clear()
    monkeypatch.setattr(task_shares, "_WORTHWHILE", 1e-6)
    assert len(dict(each(square, (0,), range(16, 400), 3))) == 384
    assert len(begun) == 3


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (13, RasterError, "13: is unlucky"),
        (14, RuntimeError, r"KeyError: 'a slip'\nTraceback(.|\n)*KeyError: 'a slip'"),
    ],
)
def test_what_goes_wrong_in_a_process_is_raised_here(number, error, words):
    "As it was, where the user can mend it; the processes have ended then."
    with pytest.raises(error, match=words):
        list(each(square, (0,), [number, 1, 2], 2))
    if sys.platform == "linux":
        assert not _workers_of(os.getpid())


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_task_whose_process_is_lost_says_how():
    "Others go on, in a process that takes its place."
    done = dict(each(square, (0,), [1, 15, 2, 3], 1))
    lost = done.pop(15)
    assert isinstance(lost, ProcessLostError)
    assert str(lost) == "signal 9"
    assert done == {1: 1, 2: 4, 3: 9}


def test_a_process_that_is_stopped_is_missed():
    "It alone was asked to end: those who do the other tasks, and this one, go on."
    done = dict(each(stopped, (0,), [1, 16, 2], 1))
    assert str(done.pop(16)) == "exit code 1"
    assert done == {1: {"square": 1}, 2: {"square": 4}}


def test_processes_that_cannot_begin_are_an_error():
    "Each would be lost in its turn: it is not what the tasks hold."
    with pytest.raises(ProcessLostError, match=r"ended as it began \(exit code 1\)"):
        list(each(square, (Unsendable(),), [1, 2], 2))


def test_a_system_that_lets_no_process_begin_is_an_error(monkeypatch):
    "As one that has as many as it may have: no file is to blame."
    refuse_processes(monkeypatch, lambda number: True)
    with pytest.raises(ProcessLostError, match=r"could not begin \(Resource temp"):
        list(each(square, (0,), [1, 2], 2))


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_task_is_told_of_before_another_process_takes_its_place(monkeypatch):
    "Which may not begin: then the rest is left, and it is said why."
    refuse_processes(monkeypatch, lambda number: number == 2)
    doing, done = each(square, (0,), [1, 15, 2], 1), []
    with pytest.raises(ProcessLostError, match="could not begin"):
        done.extend((task, str(answer)) for task, answer in doing)
    assert done == [(1, "1"), (15, "signal 9")]


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("is_begun", [True, False])
def test_one_that_cannot_begin_is_no_harm_where_others_have_begun(
    monkeypatch, caplog, is_begun
):
    "Killed as it begins, or not begun at all: the others do its task, too."
    monkeypatch.setattr(task_shares, "_WORTHWHILE", 1e-6)
    begun = refuse_processes(monkeypatch, lambda number: number == 2 and not is_begun)

    def start_and_kill(*given):
        worker = start_worker(*given)
        if len(begun) == 2:
            worker.process.kill()
        return worker

    if is_begun:
        monkeypatch.setattr(executors, "start_worker", start_and_kill)
    assert len(dict(each(square, (0,), range(16, 400), 3))) == 384
    assert len(begun) == 1 + 2 * is_begun  # the third began before one was missed
    how = "ended as it began (signal 9), perhaps for want of memory"
    if not is_begun:
        how = "could not begin (Resource temporarily unavailable)"
    assert f"a process {how}: work goes on with {1 + is_begun}" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_one_that_dies_as_it_opens_costs_no_task(tmp_path, monkeypatch, caplog):
    "As where memory holds what one opens, and not two: the first does all."
    monkeypatch.setattr(task_shares, "_WORTHWHILE", 1e-6)
    done = dict(each(square_of_opened_once, (tmp_path,), range(16, 36), 3))
    assert done == {n: n**2 for n in range(16, 36)}
    assert caplog.text.count("ended as it began (signal 9)") >= 1
    assert "its process was lost" not in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_what_none_can_open_is_an_error(tmp_path):
    "Once, and not for each task."
    (tmp_path / "opened").touch()
    with pytest.raises(ProcessLostError, match="ended as it began"):
        list(each(square_of_opened_once, (tmp_path,), range(16, 36), 2))


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of a user")
def test_a_process_without_a_thread_of_its_own_ends_in_silence():
    "Who started it says that it ended as it began."
    code = """
import threading
from glacier_inversion.sharing import processes
def refuse(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
processes._begin(None)
"""
    done = run_code(code)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize("way", ["close", "terminate"])
def test_a_process_that_ends_is_let_end(way):
    "SIGTERM in the midst of what libraries do at the end is no error of theirs."
    code = f"""
import time
from glacier_inversion.sharing.executors import _serve
from glacier_inversion.sharing.processes import start_worker
from tests.processes import end_slowly
worker = start_worker(_serve, end_slowly, ())
ready = worker.connection.recv()
worker.connection.send((1, 3))
assert worker.connection.recv() == 3
worker.connection.close() if {way!r} == "close" else worker.process.terminate()
time.sleep(0.5)
worker.process.terminate()
worker.process.join(30)
print(worker.process.exitcode)
"""
    done = run_code(code)
    assert done.stderr == "ended\n"
    assert done.stdout == ("0\n" if way == "close" else "1\n")


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_process_ends_though_a_library_swallows_that_it_was_asked():
    "Without a traceback, and without going on to other tasks."
    code = """
from glacier_inversion.sharing.executors import _serve
from glacier_inversion.sharing.processes import start_worker
from tests.processes import asked_where_nothing_can_be_raised
worker = start_worker(_serve, asked_where_nothing_can_be_raised, ())
ready = worker.connection.recv()
worker.connection.send((1, 3))
assert worker.connection.poll(30)
try:
    print(worker.connection.recv())
except EOFError:
    worker.process.join(30)
    print(worker.process.exitcode)
"""
    done = run_code(code)
    assert (done.stdout, done.stderr) == ("1\n", "")


class Unsendable:
    """What no other process can make again."""

    def __reduce__(self):
        return sys.exit, (1,)


def _workers_of(pid: int) -> list[int]:
    return [
        child
        for child in children_of(pid)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_half_done_is_put_away(tmp_path):
    "When nobody wants the rest: its processes end in order, and at once."
    results = each(slow, (tmp_path,), [1, 2], 2)

    begun = threading.Event()

    def interrupt():
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        begun.set()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert begun.is_set()
    assert list(tmp_path.iterdir()) == []
    assert not _workers_of(os.getpid())
