"""What tests of several rooms use: workspaces, commands on them, and what is there."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from glacier_inversion.cli import main
from tests import synthetic

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WRITTEN = "\n".join(
    [README, *(p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("docs/*.md")))]
)
"""What users read: README and the pages, without what is generated."""
_COMMANDS = set(re.findall(r"`(ginv [^`]+)`", WRITTEN.replace("```", "")))
_COMMANDS |= set(re.findall(r"^ *(?:.*&& )?(ginv .+)$", WRITTEN, re.MULTILINE))
# words in capitals, and variables, stand for others; `ginv train` is but a name
COMMANDS = {
    " ".join(command.split())
    for command in _COMMANDS
    if len(command.split()) > 2 and not re.search(r"\b[A-Z]{4,}\b|\$", command)
}
"""Commands in it that can be run as they are written."""
# beside the checkout, where there are any
SHARED = ROOT.parent / "shared"
PUBLISHED = sorted((SHARED / "reference" / "experiments").glob("*.json"))


@dataclass(frozen=True)
class Run:
    """A workspace, its experiment file, and the command line on both."""

    root: Path
    file: Path
    raw: dict

    def __call__(self, command: str, *options: str) -> Result:
        """Run a command; whatever is no error of ours is raised."""
        arguments = [command, str(self.file), "--workspace", str(self.root), *options]
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    def write(self) -> None:
        """Write the experiment, after a change of `raw`."""
        synthetic.write_json(self.file, self.raw)


def new_run(root: Path) -> Run:
    """Write the region's data and experiment."""
    raw = synthetic.write_region(root)
    x, y = synthetic.LEFT + 600, synthetic.TOP - 2900
    line = [(x + 700, y + 350), (x + 1700, y + 500)]
    synthetic.write_lines(root / "data/profiles/along.shp", [line])
    return Run(root, synthetic.write_json(root / "exp.json", raw), raw)


def add_dataset(run: Run, name: str = "other", **description: Any) -> Run:
    """Build another dataset of the region, and let the run's training mix it in."""
    raw = json.loads(json.dumps(run.raw))
    raw["dataset_description"] |= {"dataset_name": name} | description
    other = Run(run.root, synthetic.write_json(run.root / f"{name}.json", raw), raw)
    result = other("build-dataset")
    assert result.exit_code == 0, result.output
    run.raw["extra_training"] = {"dataset": name, "share": 0.5}
    run.write()
    return other


def copy_of(finished, tmp_path) -> Run:
    """Return a copy of the finished workspace that a test may change."""
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    raw = json.loads(finished.file.read_text())
    return Run(tmp_path, tmp_path / "exp.json", raw)


def read_all(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder, locks left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def earlier_workspace(root: Path) -> Run:
    """Return a copy of the workspace that an earlier version wrote."""
    earlier = ROOT / "tests" / "data" / "earlier"
    shutil.copytree(earlier, root, dirs_exist_ok=True)
    file = root / "experiment.json"
    return Run(root, file, json.loads(file.read_text(encoding="utf-8")))


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file in place, without its digest, as earlier versions wrote it."""
    content = json.loads(path.read_text())
    content.pop("sha256", None)
    change(content)
    path.write_text(json.dumps(content))
