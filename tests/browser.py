"""A browser without a window, for pages that are written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not there")


def browse(page: Path, *options: str) -> tuple[str, list[str]]:
    """Open a page; return what the browser prints, and what its console says."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--enable-logging=stderr", *options, f"file://{page}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout, [x for x in done.stderr.splitlines() if ":CONSOLE" in x]
