"""
A job: tasks of one folder that several commands share, with nothing but its files.

Each command that takes part holds the folder's lock with the others, so that no command
that works alone comes between. The first of them, while it is alone, begins the job:
it puts away what an earlier one left, does what has to be done once, and writes
job.json. Then each task is done by whoever holds its ledger first, and its result is
written there. Who finds all tasks done, once it is alone again, brings the job to an
end; the others leave it to that one.

A process that dies holds nothing any more. Its task is tried once more, by whoever is
left, and after that its failure is the task's result.

Commands that a user starts together are an array. One that finds a job that did not
come to its end, and nobody at work, goes on with what is done; where it took part
before, or is of another array, it tries anew what has failed. One that comes when all
is done, late or because it was stopped or killed, has nothing to do, and says so. But a
user may run it all again, to have all looked at anew: so a command that had come to the
end of its part begins a new job, and so does one of another array, and one that has
others work for it, which is started alone.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from glacier_inversion import __version__
from glacier_inversion.errors import LeftToOthersError, WorkspaceError
from glacier_inversion.files import (
    make_folder,
    refuse_links,
    remove,
    remove_if_empty,
    remove_scratches,
)
from glacier_inversion.locks import POLL_SECONDS, Lock, lock_of, shared_work_of
from glacier_inversion.progress import Progress
from glacier_inversion.sharing.attempts import (
    PACKAGE,
    Hands,
    Place,
    Result,
    Task,
    Work,
    pass_on,
    read_job,
    write_job,
)
from glacier_inversion.sharing.ledger import Ledger
from glacier_inversion.sharing.lost_processes import (
    ProcessLostError,
    needing_processes,
    warn_of_lost,
)
from glacier_inversion.sharing.parts import Parts
from glacier_inversion.sharing.steps import Steps

logger = logging.getLogger(__name__)


@contextmanager
def working_together(
    folder: Path,
    doing: str,
    hands: Hands,
    key: str,
    steps: Steps | None = None,
) -> Iterator[Job]:
    """
    Take part in the job of a folder, for a block that calls `Job.do`.

    What stands behind that in the block brings the job to its end: it is done by the
    last command alone, which holds the folder. In all others `Job.do` raises.

    Parameters
    ----------
    doing : str
        What is done to the folder, as `locks.locked` takes it.
    key : str
        All that the results follow from, but for the version of the package: commands
        that differ in it, or in that, do not take part in one job.
    steps : Steps, optional
        What is done beside the tasks, by a command that is alone.

    Raises
    ------
    LeftToOthersError
        There is nothing to do, as others have done it all.
    WorkspaceError
        Commands with another key are at work, or files cannot be written.
    """
    job = Job(folder, doing, hands, f"{__version__} {key}", steps or Steps())
    try:
        job.join()
        yield job
        job.finish()
    finally:
        job.leave()


class Job:
    """The part of a command in a job."""

    def __init__(
        self, folder: Path, doing: str, hands: Hands, key: str, steps: Steps
    ) -> None:
        self._folder, self._doing = folder, doing
        self._hands, self._key, self._steps = hands, key, steps
        self._parts = Parts(folder, hands)
        self._lock = Lock(lock_of(folder))
        self._place = Place(folder, "", PACKAGE.getEffectiveLevel())
        self._n_failed = 0  # tasks whose result is a failure
        self._has_made_folder = False

    @property
    def token(self) -> str:
        """What tells this job from others."""
        return self._place.token

    def join(self) -> None:
        """Begin a job, or take part in one, as `working_together` says."""
        refuse_links(self._folder)
        self._has_made_folder = not self._folder.exists()
        make_folder(self._folder)
        awaited, is_told, is_refused = "", False, False
        while True:
            if self._lock.try_alone():
                # once it is finished, by whomever, nothing is left to do
                awaited = self._go_on_or_begin(awaited)
            is_held = self._lock.try_shared()
            job = read_job(self._folder)
            is_open = job is not None and not job["finished"]
            is_ours = job is not None and job["key"] == self._key
            if job is not None and is_held and is_open and is_ours:
                break
            if job is not None and is_held and job["token"] == awaited:
                raise self._done(job)
            if is_held and is_open:
                if is_refused:  # once more, as who only looks may hold it for a moment
                    raise self._refuse()
                is_refused = True
            elif job is not None and is_open and is_ours:
                awaited = job["token"]  # somebody brings it to its end
            if not is_told and not is_refused:
                is_told = True
                logger.info(
                    "%s: another command is %s it: waiting", self._folder, self._doing
                )
            self._lock.release()
            time.sleep(POLL_SECONDS)
        self._place = Place(self._folder, job["token"], self._place.level)
        self._parts.note_at_work()

    def _refuse(self) -> WorkspaceError:
        message = (
            f"{self._folder}: other commands are {self._doing} it, by another "
            "experiment or version, other files or options. Must be the same for all "
            "that work together. Wait until they have ended, or stop them."
        )
        return WorkspaceError(message)

    def _go_on_or_begin(self, awaited: str) -> str:
        """
        Go on with a job that others left, or begin one, alone; return its token.

        Nothing is left to do if the job *awaited* is finished.
        """
        make_folder(self._folder)  # another command may have left it empty, and removed
        job = read_job(self._folder)
        if job is not None and job["key"] == self._key and job["finished"]:
            is_done = job["token"] == awaited or not self._parts.is_run_again()
            if is_done:
                raise self._done(job)
        with self._steps.undoing():
            if job is None or job["key"] != self._key or job["finished"]:
                return self._begin()
            if self._parts.is_back():
                self._forget_failures()
            self._parts.reopen()
            remove_scratches(self._folder)  # those who left them are no more
            self._steps.resume()
            return str(job["token"])

    def _begin(self) -> str:
        self._steps.check()
        remove(shared_work_of(self._folder))
        remove_scratches(self._folder)
        self._steps.prepare()
        token = secrets.token_hex(8)
        write_job(self._folder, {"key": self._key, "token": token, "finished": False})
        return token

    def _forget_failures(self) -> None:
        """Let all tasks be tried anew that have no result, or one that says why."""
        for path in (shared_work_of(self._folder) / "tasks").glob("*"):
            result = Ledger(path).read().result
            if result is None or "failure" in result:
                remove(path)

    def _done(self, job: Mapping[str, Any]) -> LeftToOthersError:
        """Note that this command has ended its part, and say that nothing is left."""
        self._parts.note_end()
        failed = f" but {n} that failed" if (n := job.get("n_failed", 0)) else ""
        message = (
            f"{self._folder}: nothing is left to do, others have done it all{failed}. "
            "Run it again to have all looked at anew."
        )
        return LeftToOthersError(message)

    def do(
        self, work: Work, given: Any, tasks: Mapping[str, Any], progress: Progress
    ) -> dict[str, Result]:
        """
        Do the tasks that are left, and return the results of all, by name, in order.

        Once it returns, this command holds the folder alone.

        Parameters
        ----------
        work : callable
            A function of a module, which other processes import.
        progress : Progress
            Hears of the end of each task.

        Raises
        ------
        LeftToOthersError
            Others are still at tasks: the last of them brings the job to an end.
        GlacierInversionError
            No process is left that could begin. What *work* raises is raised, too.
        """
        ledgers = {name: self._place.ledger(name) for name in tasks}
        left: list[Task] = []
        untold = set(tasks)

        def tell(name: str) -> None:
            if name in untold:  # it may be looked at again
                untold.remove(name)
                progress.advance(name)

        for name, what in tasks.items():
            if ledgers[name].read().result is None:
                left.append((name, what))
            else:
                tell(name)
        while True:
            while left:
                lost: list[Task] = []
                doing = closing(self._hands.each(self._place, work, given, left))
                with needing_processes(self._folder), doing as answers:
                    for task, answer in answers:
                        if not isinstance(answer, ProcessLostError):
                            pass_on(answer)
                        elif ledgers[task[0]].read().result is None:
                            warn_of_lost(task[0], answer)
                            lost.append(task)
                            continue
                        tell(task[0])
                left = lost or self._left_by_others(tasks, ledgers)
            if n_left := sum(own.read().result is None for own in ledgers.values()):
                raise self._leave_to_others(n_left, len(tasks))
            self._take(self._lock.try_alone)
            # only now: others that came back may have tried anew what had failed
            results = {name: ledger.read().result for name, ledger in ledgers.items()}
            known = {name: r for name, r in results.items() if r is not None}
            left = [task for task in tasks.items() if task[0] not in known]
            if not left:
                self._n_failed = sum("failure" in result for result in known.values())
                return known
            with self._steps.undoing():
                self._steps.resume()
            self._take(self._lock.try_shared)  # and have died at it

    def _left_by_others(
        self, tasks: Mapping[str, Any], ledgers: Mapping[str, Ledger]
    ) -> list[Task]:
        """
        Return the tasks that are not done, and that nobody is at any more.

        A command that finishes anyway waits until nobody is at any.
        """
        if self._hands.waits:
            for ledger in ledgers.values():
                while ledger.is_held():
                    time.sleep(POLL_SECONDS)
        return [
            (name, what)
            for name, what in tasks.items()
            if ledgers[name].read().result is None and not ledgers[name].is_held()
        ]

    def _leave_to_others(self, n_left: int, n_tasks: int) -> LeftToOthersError:
        """Note that this command has ended its part, and say how far others are."""
        self._parts.note_end()
        message = (
            f"{self._folder}: {self._hands.name} has nothing left to do, others are at "
            f"{n_left} of {n_tasks} tasks. The last of them finishes; if it dies, run "
            "one of them again."
        )
        return LeftToOthersError(message)

    def _take(self, hold: Callable[[], bool]) -> None:
        """Let go of the folder, and hold it in another way if the job is still open."""
        self._lock.release()
        if not hold():
            logger.info("%s: another command finishes it: waiting", self._folder)
            while not hold():
                time.sleep(POLL_SECONDS)
        job = read_job(self._folder)
        is_ours = job is not None and job["key"] == self._key
        if job is not None and is_ours and job["finished"]:
            raise self._done(job)
        if job is None or job["token"] != self.token:
            message = (
                f"{self._folder}: another command came between, before this one could "
                "finish. Must be one at a time, or the same command. Run it again."
            )
            raise WorkspaceError(message)

    def forget(self, names: Iterable[str]) -> None:
        """Let tasks be done anew by who comes next, as what they made is gone."""
        remove(*(self._place.ledger(name).path for name in names))

    def finish(self) -> None:
        """Note that all is done: results have served."""
        job = read_job(self._folder)
        assert job is not None  # this command holds the folder alone
        shared = shared_work_of(self._folder)
        write_job(self._folder, {**job, "finished": True, "n_failed": self._n_failed})
        remove(shared / "tasks", shared / "processes")
        remove_scratches(self._folder)
        self._parts.note_end()

    def leave(self) -> None:
        """Let go of the folder, and remove it if this command made it for nothing."""
        with suppress(OSError, WorkspaceError):  # it may be gone, or not ours
            if self._has_made_folder and self._lock.try_alone():
                remove_if_empty(self._folder)
        self._lock.release()
