"""What the machine refuses: a message and an exit code, and the same bytes after."""

import errno
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.helpers import ROOT, read_all
from tests.stages import COMMANDS, kept

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc"),
]
WITHOUT_PRIVILEGES = """
import ctypes, os
if os.getuid() == 0:  # who may write in any folder
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0
"""
FEW_FILES = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))"
CLOCK_SET_BACK = """
import time
moments = iter(range(2 * 10**9, 0, -60))
time.time = lambda: float(next(moments))
"""


def less_memory(n_mb):
    """Return code after which only so much memory is to be had."""
    return (
        "import resource\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        f"limit = pages * resource.getpagesize() + {n_mb} * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))"
    )


def not_replacing(number, which=None):
    """Return code after which no file takes another's place, or one does not."""
    return (
        "import os\n"
        "replace, calls = os.replace, []\n"
        "def fail(*arguments, **options):\n"
        "    calls.append(arguments)\n"
        f"    if {which} in (None, len(calls)):\n"
        f"        raise OSError({number}, os.strerror({number}), *arguments)\n"
        "    return replace(*arguments, **options)\n"
        "os.replace = fail"
    )


def check_refused(stage, root, before, ended, message):
    """Check that a command ended with a message, and that nothing is lost."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert message in ended.stderr
    assert not [name for name in read_all(root) if ".part" in name]
    stage.check_whole(root, before)


@pytest.fixture(params=COMMANDS)
def stage(stages, request):
    return stages[request.param]


@pytest.fixture
def root(stage, tmp_path):
    stage.restore(tmp_path / "here")
    return tmp_path / "here"


def test_folders_that_may_only_be_read(stage, root):
    "For somebody without privileges: nothing changes."
    before = kept(root)
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    ended = stage.run(root, WITHOUT_PRIVILEGES)
    for folder in folders:
        folder.chmod(0o755)
    assert kept(root) == before
    check_refused(stage, root, before, ended, ": cannot be written (Permission denied)")
    stage.check_done(root)


def test_a_file_system_where_no_file_takes_the_place_of_another(stage, root):
    "As some networks have them: nothing changes."
    before = kept(root)
    for number in (errno.EEXIST, errno.EXDEV, errno.ENOSYS):
        ended = stage.run(root, not_replacing(number))
        assert kept(root) == before
        message = f": cannot be written ({os.strerror(number)}). Must be on a disk"
        check_refused(stage, root, before, ended, message)


def test_a_file_system_that_is_busy_once(stage, root):
    "Wherever it is; the next run has the bytes of an undisturbed one."
    before = kept(root)
    codes = []
    for which in (1, 2, 4):
        ended = stage.run(root, not_replacing(errno.EBUSY, which))
        codes.append(ended.returncode)
        if codes[-1] != 0:  # else it writes fewer files
            message = f": cannot be written ({os.strerror(errno.EBUSY)})"
            check_refused(stage, root, before, ended, message)
    assert codes[0] == 1
    stage.check_done(root)


def test_few_files_may_be_open(stage, root):
    "Of 32, the fewest that are allowed, no command needs more."
    ended = stage.run(root, FEW_FILES)
    assert ended.returncode == 0, ended.stderr
    assert kept(root) == stage.after


def test_little_memory(stage, root):
    "It is enough, or that is said: 64 MiB are for linear algebra, which needs them."
    before = kept(root)
    for n_mb in (5, 60, 101):
        ended = stage.run(root, less_memory(n_mb))
        if ended.returncode != 0:
            message = "Error: the memory does not suffice ("
            check_refused(stage, root, before, ended, message)
    stage.check_done(root)


def test_two_processes_of_few_files_or_little_memory(stage, root):
    "Where a command has --jobs: it ends with a message, or as with one."
    if "--jobs" not in stage.words:
        pytest.skip("the command is one process")
    place = stage.words.index("--jobs") + 1
    words = [*stage.words[:place], "2", *stage.words[place + 1 :]]
    stage = replace(stage, words=words)  # the other is that of other tests, too
    before = kept(root)
    for machine in (less_memory(101), FEW_FILES):
        ended = stage.run(root, machine)
        if ended.returncode != 0:
            check_refused(stage, root, before, ended, "Error: ")
    stage.check_done(root)


def test_a_clock_that_is_set_back(stage, root):
    "While the command runs, a minute at each look; files are of all times."
    times = [0, 1, 4 * 10**9]  # before ZIP, and after 32 bits
    for n, path in enumerate(sorted(root.rglob("*"))):
        if path.is_file() and "data" not in path.relative_to(root).parts:
            os.utime(path, (times[n % 3],) * 2)
    ended = stage.run(root, CLOCK_SET_BACK)
    assert ended.returncode == 0, ended.stderr
    assert kept(root) == stage.after


def test_a_workspace_on_a_long_and_odd_path(stage, tmp_path):
    "Spaces, letters of several alphabets, and 200 characters more."
    root = (
        tmp_path / "my glaciers" / "Ötztal, Jökull, ледник, 氷河 🏔" / ("x " * 100 + "x")
    )
    stage.restore(root)
    stage.check_done(root)


def test_a_bare_environment(stage, root):
    "No home, no language, and an encoding of 128 characters."
    words = [
        sys.executable,
        "-m",
        "glacier_inversion",
        *map(str, stage.arguments(root)),
    ]
    environment = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ
    }
    done = subprocess.run(
        words,
        env=environment | {"LC_ALL": "C", "PYTHONUTF8": "0", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert kept(root) == stage.after
