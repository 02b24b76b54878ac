"""Disks that fill at random places: a message, nothing half, the same bytes after."""

import shutil
import sys
from contextlib import suppress

import pytest

from tests.helpers import read_all
from tests.stages import COMMANDS, chance, kept

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc"),
]
N_LIMITS, N_DISKS, N_IN_A_ROW = 36, 14, 12
PAGE = 4096


def sizes(stage):
    """Return how large the files are that a command writes."""
    before = kept(stage.before)
    return [len(x) for name, x in stage.after.items() if x != before.get(name)]


def check_end(stage, root, before, ended):
    """Check what a command says and leaves; tell whether the disk was too small."""
    assert ended.returncode in (0, 1), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "_tiff" not in ended.stderr
    if ended.returncode != 0:
        assert "cannot be written (" in ended.stderr
        remedies = "Free space, or choose another workspace.", "'ulimit -f unlimited'"
        assert any(remedy in ended.stderr for remedy in remedies), ended.stderr
        assert ".part" not in ended.stderr
        assert ended.stdout == ""
    assert not [name for name in read_all(root) if ".part" in name]
    stage.check_whole(root, before)
    return ended.returncode != 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_whose_files_cannot_grow(stages, tmp_path, command):
    "As where a quota ends, at a random size within one of what it writes."
    stage, root = stages[command], tmp_path / "here"
    stage.restore(root)
    before = kept(root)
    random = chance(f"limits of {command}")
    n_failed = 0
    for n in range(1, N_LIMITS + 1):
        n_bytes = int(random.uniform(0.3, 1.1) * random.choice(sizes(stage)))
        ended = stage.run(
            root,
            "import resource\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({n_bytes}, {n_bytes}))",
        )
        n_failed += check_end(stage, root, before, ended)
        if n % N_IN_A_ROW == 0:
            stage.check_done(root)
            stage.restore(root)
    assert n_failed > N_LIMITS / 3


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_disk_that_fills(stages, small_disk, command):
    "With as many bytes free as it may need, or fewer."
    stage, disk = stages[command], small_disk(16 * 1024)
    shutil.copytree(stage.before, disk, dirs_exist_ok=True)
    before = kept(disk)
    random = chance(f"disks of {command}")
    needed = sum(-(-size // PAGE) * PAGE for size in sizes(stage))
    filler = disk / "filler"
    n_failed = 0
    for n in range(1, N_DISKS + 1):
        n_free = int(random.uniform(0, needed))
        with suppress(OSError):
            filler.write_bytes(b"x" * (shutil.disk_usage(disk).free - n_free))
        ended = stage.run(disk)
        filler.unlink()
        n_failed += check_end(stage, disk, before, ended)
        if n % (N_DISKS // 2) == 0:
            stage.check_done(disk)
            for path in disk.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copytree(stage.before, disk, dirs_exist_ok=True)
    assert n_failed > N_DISKS / 5  # fewer than of the limits: what is done is kept
