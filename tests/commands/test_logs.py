"""What is logged by libraries, too: nothing that changes nothing."""

import os
import subprocess
import sys


def test_a_home_that_cannot_be_written_is_nothing_to_tell_of(tmp_path):
    "Not by matplotlib either, whose folder of its own is removed at the end."
    (tmp_path / "file").touch()
    (tmp_path / "scratch").mkdir()
    code = (
        "from glacier_inversion.commands.logs import configure_logging\n"
        "configure_logging(verbose=True, quiet=False)\n"
        "import matplotlib.figure"
    )
    places = {"MPLCONFIGDIR": tmp_path / "file/none", "TMPDIR": tmp_path / "scratch"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **{name: str(path) for name, path in places.items()}},
        check=True,
    )
    assert done.stderr == ""
    assert [*(tmp_path / "scratch").iterdir()] == []
