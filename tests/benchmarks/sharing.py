"""
What it costs to share a task: its file, its locks, and the result that is read again.

CPU time for a task that does nothing, in one process, of 500 and of 8,000 tasks.
`python -m tests.benchmarks.sharing`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from glacier_inversion.progress import Silent
from glacier_inversion.sharing.job import working_together
from tests.sharing.helpers import Here


def do_nothing(given: None, number: int) -> dict[str, Any]:
    """Return a result of the size of that of a feature's tiles."""
    tile = {"valid": 1.0, "sha256": 64 * "a"}
    return {"row": {"feature": str(number), "rasters": dict.fromkeys("abcd", tile)}}


def main() -> None:
    """Print a line for each number of tasks."""
    for n_tasks in (500, 8000):
        with tempfile.TemporaryDirectory() as name:
            tasks = {f"feature {number}": number for number in range(n_tasks)}
            begun = time.process_time()
            with working_together(
                Path(name) / "dataset", "building", Here("one"), "key"
            ) as job:
                job.do(do_nothing, None, tasks, Silent())
            seconds = time.process_time() - begun
            print(f"{n_tasks} tasks: {seconds / n_tasks * 1e3:.2f} ms of CPU for each")


if __name__ == "__main__":
    main()
