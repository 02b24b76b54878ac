"""Two commands at once: one waits or says so, nothing is lost, the bytes are the same."""

import itertools
import json
import shutil
import sys
import time

import pytest

from tests import synthetic
from tests.stages import COMMANDS, Stage, chance, kept

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc"),
]
ORDER = [
    *("build-dataset", "train", "crossval", "calibrate", "evaluate", "draw", "report")
]
PAIRS = list(itertools.combinations_with_replacement(ORDER, 2))


@pytest.fixture(scope="module")
def every(stages, tmp_path_factory):
    """All commands on one model, in a workspace in which all are done."""
    root = tmp_path_factory.mktemp("every")
    first = stages["calibrate"]
    first.restore(root)
    for name in ("region", "small"):
        for folder in ("datasets", "models", "evaluations", "drawings", "reports"):
            shutil.rmtree(root / folder / name, ignore_errors=True)
    file = root / "wide.json"
    raw = json.loads(file.read_text())
    raw["drawing_description"] |= {
        "features": ["north-1", "south"],
        "statistics": ["mean", "uncertainty"],
    }
    synthetic.write_json(file, raw)
    options = COMMANDS | {"evaluate": ["--split", "validation"]}
    made = {
        name: Stage(first.warm, [name, "wide.json", *options[name]], root, {}, 0.0)
        for name in ORDER
    }
    for stage in (*made.values(), *made.values()):  # the folds are trained, then kept
        begun = time.monotonic()
        done = stage.run(root)
        assert done.returncode == 0, done.stderr
        stage.seconds = time.monotonic() - begun
    for stage in made.values():
        stage.after = kept(root)
    return made


def unfinish(root, command):
    """Give a command something to do."""
    if command == "build-dataset":
        for path in (root / "datasets/wide/west").glob("*.tif"):
            path.unlink()
    elif command == "train":
        shutil.rmtree(root / "models/wide/seed_001")
    elif command == "crossval":
        shutil.rmtree(next((root / "models/wide/folds").glob("*/seed_001")))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_commands_on_one_model(every, tmp_path, one, other):
    "At a random distance; both end by themselves, and both again make it whole."
    root = tmp_path / "here"
    every[one].restore(root)
    for command in {one, other}:
        unfinish(root, command)
    data = {
        k: v for k, v in kept(root).items() if k.startswith("data/") or "/" not in k
    }
    names = [one, other]
    random = chance(f"{one} and {other}")
    random.shuffle(names)
    first, second = (every[name] for name in names)
    pid = first.start(root)
    time.sleep(random.uniform(0, first.seconds))
    late = second.run(root)
    for name, ended in zip(names, (first.warm.wait(pid), late), strict=True):
        assert "Traceback" not in ended.stderr
        assert ended.returncode in (0, 1, 3), (name, ended.stderr)
        assert (ended.returncode == 0) == ("Error: " not in ended.stderr), ended.stderr
    now = kept(root)
    assert {name: now.get(name) for name in data} == data
    assert not [name for name in now if ".part" in name]
    again = {one, other} | ({"calibrate"} if "crossval" in names else set())
    for command in sorted(again, key=ORDER.index):
        done = every[command].run(root)
        assert done.returncode == 0, done.stderr
    assert kept(root) == every[one].after
