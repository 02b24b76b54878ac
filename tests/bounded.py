"""Commands run in a process beside, which is ended where one takes too long."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from glacier_inversion.sharing.processes import dismiss, how_it_ended, start_worker
from tests.helpers import read_all

LONGEST_S = 20  # of a case that takes a quarter of a second on an idle machine
MOST_MB = 1500  # of which the libraries take 440
# libtiff prints this itself, past GDAL's errors, where a block is said to lie beyond 2^63
_PAST_GDAL = {"_tiffSeekProc: Invalid argument."}


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, what it said, and what libraries printed."""

    exit_code: int
    output: str
    printed: str
    peak_mb: float


def serve(connection):
    """Run commands as they are asked for."""
    from glacier_inversion.cli import main  # noqa: PLC0415
    from glacier_inversion.sharing import side_by_side  # noqa: PLC0415

    # this process has none of its own, and is ended as they are
    side_by_side.each = lambda work, given, tasks, _: (
        (t, work(*given, t)) for t in tasks
    )
    with tempfile.TemporaryFile("w+") as spoken:
        for stream in (1, 2):
            os.dup2(spoken.fileno(), stream)
        while True:
            arguments = connection.recv()
            result = CliRunner().invoke(main, arguments)
            spoken.seek(0)
            printed = spoken.read()
            spoken.seek(0)
            spoken.truncate()
            connection.send(
                Outcome(result.exit_code, result.output, printed, peak_mb())
            )


def peak_mb() -> float:
    """
    Return the most memory that this process has held.

    Not as getrusage has it, which begins with what the process held that began this one.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) / 1024


class Bounded:
    """The command line, in a process of its own that is begun anew when it is lost."""

    def __init__(self):
        self._worker = None

    def __call__(self, *arguments) -> Outcome:
        """Run a command; a failed assertion where it hangs, crashes or needs much."""
        if self._worker is None:
            self._worker = start_worker(serve)
        connection = self._worker.connection
        connection.send([str(argument) for argument in arguments])
        if not connection.poll(LONGEST_S):
            self.close()
            message = f"{arguments} takes longer than {LONGEST_S} s"
            raise AssertionError(message)
        try:
            outcome = connection.recv()
        except EOFError as error:
            message = f"{arguments}: {how_it_ended(self._worker)}"
            self.close()
            raise AssertionError(message) from error
        if outcome.peak_mb > MOST_MB:
            self.close()  # the peak is that of the process
            message = f"{arguments} takes {outcome.peak_mb:.0f} MB"
            raise AssertionError(message)
        return outcome

    def close(self):
        """End the process."""
        if self._worker is not None:
            dismiss([self._worker])
            self._worker = None


def build(ginv: Bounded, file: Path, culprit: str) -> Outcome:
    """
    Check and build a dataset, of whose files one is odd; return what the build said.

    Either it is built, or a message names the culprit; nothing is half done.
    """
    root = file.parent
    data = read_all(root / "data")
    checked = ginv("check", file, "--workspace", root)
    outcome = ginv("build-dataset", file, "--workspace", root)
    _hold(checked)
    _hold(outcome)
    if outcome.exit_code:  # check has foretold what the build finds
        assert f"/data/{culprit}" in outcome.output, outcome
        assert f"/data/{culprit}" in checked.output, checked
    assert read_all(root / "data") == data  # byte for byte, and nothing beside
    written = [path for path in root.glob("datasets/**/*") if path.is_file()]
    assert {path.suffix for path in written} <= {".tif", ".json", ".gpkg", ".lock"}
    is_built = any(path.name == "summary.json" for path in written)
    assert is_built == (outcome.exit_code in (0, 3)), outcome
    return outcome


def _hold(outcome: Outcome) -> None:
    """Hold that a command succeeded, or said in words what it cannot use."""
    assert outcome.exit_code in (0, 1, 3), outcome
    assert {*outcome.printed.splitlines()} <= _PAST_GDAL
    assert "Traceback" not in outcome.output
    assert len(outcome.output) < 10_000
