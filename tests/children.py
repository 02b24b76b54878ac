"""Code and commands in processes of their own, and what they leave in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import Run

ROOT = Path(__file__).parent.parent


AS_NOBODY = """
import os
if os.getuid() == 0:  # who may do everything
    os.setgid(65534)
    os.setuid(65534)
"""


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


def hand_over(folder: Path) -> None:
    """Give a folder to who runs AS_NOBODY."""
    for path in (folder, *folder.rglob("*")) if os.getuid() == 0 else ():
        os.chown(path, 65534, 65534)
