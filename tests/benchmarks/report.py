"""
The report of 1,000 features: time to write, size, and time until a browser shows it.

Maps and errors are made up; a model is trained for a moment. The browser is chromium
without a window; the time is that from the start of the navigation to the end of the
event `load`, the median of five.

    python -m tests.benchmarks.report
"""

import logging
import re
import statistics
import tempfile
import time
from pathlib import Path

from glacier_inversion import Workspace, load_experiment, report
from tests.browser import browse
from tests.helpers import new_run
from tests.reporting_region import write_region

SCRIPT = """
<script>
addEventListener("load", () => setTimeout(() => {
  const [entry] = performance.getEntriesByType("navigation");
  document.title = entry.loadEventEnd;
}, 0));
</script>
"""


def main() -> None:
    """Print a line for each size of region."""
    logging.disable()
    with tempfile.TemporaryDirectory() as name:
        run = new_run(Path(name) / "run")
        for command in ("build-dataset", "train"):
            run(command)
        for n_features in (100, 1000):
            page = write_region(run, Path(name) / f"of-{n_features}", n_features)
            root = page.parent.parent
            begun = time.perf_counter()
            report(load_experiment(root / "exp.json"), Workspace(root))
            written = time.perf_counter() - begun
            copy = page.with_name("timed.html")
            copy.write_text(
                page.read_text("utf-8").replace("</body>", f"{SCRIPT}</body>"), "utf-8"
            )
            loads = []
            for _ in range(5):
                dom, _ = browse(copy, "--dump-dom")
                loads.append(float(re.search(r"<title>(.*?)</title>", dom)[1]))
            print(
                f"{n_features:5} features: written in {written:.1f} s, "
                f"{page.stat().st_size / 1e6:.1f} MB, shown in "
                f"{statistics.median(loads) / 1000:.2f} s"
            )


if __name__ == "__main__":
    main()
