"""A cluster: the workers of a Dask scheduler, wherever they run."""

from __future__ import annotations

import importlib
import logging
import secrets
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from glacier_inversion.errors import (
    GlacierInversionError,
    PackageError,
    WorkspaceError,
    first_line,
)
from glacier_inversion.locks import Lock, lock_of
from glacier_inversion.sharing.attempts import Place, Task, Work, attempt
from glacier_inversion.sharing.lost_processes import ProcessLostError

logger = logging.getLogger(__name__)

_LONGEST_ANSWER = 30  # seconds to wait for the scheduler
# GDAL and torch compute in one thread of a process at a time.
_alone = threading.Lock()


@dataclass(frozen=True)
class Cluster:
    """
    The workers of a Dask scheduler.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://HOST:8786``.

    Raises
    ------
    PackageError
        dask.distributed is not installed.
    """

    address: str
    name: str = "scheduler"
    array: str = "scheduler"
    waits: bool = True  # workers that the scheduler has lost may be at them

    def __post_init__(self) -> None:
        """Look whether dask.distributed is there."""
        try:
            _import_distributed()
        except ImportError as error:
            message = (
                "--scheduler: the package distributed is not installed. Must be, for "
                "this option. Say pip install 'glacier-inversion[distributed]'."
            )
            raise PackageError(message) from error

    def each(
        self, place: Place, work: Work, given: Any, tasks: Sequence[Task]
    ) -> Generator[tuple[Task, list[logging.LogRecord] | ProcessLostError], None, None]:
        """
        Yield each task once it was attempted, or how its process ended.

        What has not begun is given up when this is closed. Ends early where the
        scheduler goes away.

        Raises
        ------
        GlacierInversionError
            The scheduler does not answer, or a worker cannot do the work.
        """
        with _without_tracebacks():
            client = self._connect()
            futures: dict[Any, Task] = {}
            own = secrets.token_hex(4)  # another command may be at the same job
            try:
                self._check_workers(client, place)
                shared = self._give_to_all(client, (place, work, given))
                for task in tasks:
                    key = f"ginv-{own}-{task[0]}"
                    futures[client.submit(_attempt, shared, task, key=key)] = task
                done = _import_distributed().as_completed(futures, loop=client.loop)
                for future in done:
                    said = _outcome(future)
                    if isinstance(said, ProcessLostError) and not _is_there(client):
                        self._warn_that_it_is_gone()
                        return  # with all that is left, of which it need not be said
                    yield futures[future], said
            except _import_distributed().comm.CommClosedError:
                self._warn_that_it_is_gone()
            finally:
                client.cancel(list(futures), force=True)
                client.close(timeout=_LONGEST_ANSWER)

    def _warn_that_it_is_gone(self) -> None:
        logger.warning("%s: has gone away", self.address)

    def _give_to_all(self, client: Any, given: tuple[Place, Work, Any]) -> Any:
        """
        Let all workers have what is given for all tasks; return its future.

        As the result of a task, which the scheduler has made anew where all that have
        it have died: data that are scattered would be gone.
        """
        with warnings.catch_warnings():  # points and outlines may be many
            warnings.filterwarnings("ignore", "Sending large graph")
            shared = client.submit(partial(_give, given), pure=False)
        # Tasks go where it lies first. A worker that dies meanwhile may be known yet.
        gone = _import_distributed().CancelledError  # with its scheduler
        with suppress(KeyError, ValueError, gone):
            client.replicate([shared])
        return shared

    def _connect(self) -> Any:
        try:
            # no default of the process, which may be a notebook with a client
            return _import_distributed().Client(
                self.address, timeout=_LONGEST_ANSWER, set_as_default=False
            )
        except (OSError, ValueError) as error:
            cause = first_line(error) or type(error).__name__
            message = (
                f"--scheduler {self.address}: does not answer ({cause}). Must be the "
                "address of a Dask scheduler, such as tcp://HOST:8786. Start one with "
                "'dask scheduler', and workers with 'dask worker'."
            )
            raise GlacierInversionError(message) from error

    def _check_workers(self, client: Any, place: Place) -> None:
        """Wait for a worker, and check that those that are there can do the work."""
        if not client.scheduler_info()["workers"]:
            logger.info("%s: has no worker yet: waiting for one", self.address)
            # by a task: a cluster that adapts starts none before there is something
            said = _outcome(client.submit(int, pure=False))
            if isinstance(said, ProcessLostError):
                message = (
                    f"--scheduler {self.address}: has no worker that works ({said}). "
                    "Must have one at least. See what they and the scheduler print, "
                    "and start them again."
                )
                raise GlacierInversionError(message)
        seen = client.run(_look, place, on_error="return")
        for worker, said in list(seen.items()):
            if isinstance(said, GlacierInversionError):
                message = f"worker {worker}: {said}"
                raise GlacierInversionError(message)
            if isinstance(said, OSError):  # it may have died just now
                cause = first_line(seen.pop(worker))
                logger.warning("worker %s: does not answer (%s)", worker, cause)
            elif isinstance(said, Exception):
                cause = first_line(said) or type(said).__name__
                message = (
                    f"worker {worker}: cannot do the work ({cause}). Must have the "
                    "packages of this environment. Start it where glacier_inversion "
                    f"{place.version} is installed."
                )
                raise GlacierInversionError(message)
        n_with_threads = sum(n_threads > 1 for n_threads in seen.values())
        if n_with_threads:
            logger.warning(
                "%s: %d workers have several threads, of which one works. Start them "
                "with --nthreads 1, and more of them with --nworkers",
                self.address,
                n_with_threads,
            )


def _import_distributed() -> Any:
    return importlib.import_module("distributed")


def _is_there(client: Any) -> bool:
    """Tell whether a client is connected to its scheduler."""
    return bool(client.status == "running")


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Let dask.distributed not log what is told otherwise: that a scheduler is gone."""
    loggers = [logging.getLogger(f"distributed{of}") for of in ("", ".client")]
    before = [own.level for own in loggers]
    for own in loggers:
        own.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for own, level in zip(loggers, before, strict=True):
            own.setLevel(level)


def _look(place: Place, dask_worker: Any) -> int:
    """
    Check that a worker can take part in a job; return how many threads it has.

    Raises
    ------
    PackageError, WorkspaceError
        It has another version, does not see the job, or locks that it sees are none.
    """
    place.check()
    lock = Lock(lock_of(place.folder))
    if lock.try_alone():  # which the command holds
        lock.release()
        message = (
            f"holds {lock.path}, though this command holds it. Locks must hold across "
            "machines. Have the disk mounted with them (flock), or use --jobs."
        )
        raise WorkspaceError(message)
    return int(dask_worker.state.nthreads)


def _give(shared: tuple[Place, Work, Any]) -> tuple[Place, Work, Any]:
    """Return what it is given: the task whose result all others take."""
    return shared


def _attempt(shared: tuple[Place, Work, Any], task: Task) -> list[logging.LogRecord]:
    with _alone:
        return attempt(*shared, task)


def _outcome(future: Any) -> Any:
    """Return a result, or a ProcessLostError that tells how the worker ended."""
    distributed = _import_distributed()
    # a worker that dies takes along what lies in its memory, also now
    try:
        return future.result()
    except distributed.CancelledError:
        return ProcessLostError("the scheduler lost it")
    except distributed.KilledWorker as error:
        return ProcessLostError(first_line(error))
