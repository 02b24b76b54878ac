"""Code and commands in processes of their own, and what they leave in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import Run

ROOT = Path(__file__).parent.parent


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in the root of the project."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )


def run_command(
    run: Run, command: str, *options: str, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command on a workspace, after the code *before*."""
    arguments = [command, str(run.file), "--workspace", str(run.root), *options]
    code = f"from glacier_inversion.cli import main\n{before}\nmain({arguments!r})"
    return run_code(code)


def read_all(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder, locks left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }
