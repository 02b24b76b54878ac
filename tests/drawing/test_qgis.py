"""Maps and mosaics in QGIS itself, where it is installed."""

import functools
import json
import os
import subprocess

import matplotlib as mpl
import numpy as np
import pytest

from glacier_inversion.drawing.styles import colours_of
from tests.helpers import ROOT, copy_of

PYTHON = "/usr/bin/python3"  # that which Debian's QGIS is for
ENVIRONMENT = {"QT_QPA_PLATFORM": "offscreen", "PATH": os.defpath}


@functools.cache
def has_qgis() -> bool:
    """Tell whether the system's Python has QGIS."""
    try:
        command = [PYTHON, "-c", "import qgis.core"]
        run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)
    except OSError:
        return False
    return run.returncode == 0


def test_qgis_shows_the_mosaic_and_its_maps_alike(finished, tmp_path):
    "One CRS, one range, the colours of the style; and pixels of these colours."
    if not has_qgis():
        pytest.skip("no QGIS for the system's Python")
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = ["south", "east"]
    run.write()
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small"
    name = "thickness_mean"
    files = [folder / f"{name}.vrt"]
    files += [folder / feature / f"{name}.tif" for feature in ("south", "east")]
    script = ROOT / "tests/drawing/look_in_qgis.py"
    picture = tmp_path / "seen.png"
    command = [PYTHON, script, picture, *files]
    done = subprocess.run(
        command,
        env={**ENVIRONMENT, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        check=True,
    )
    mosaic, *maps = json.loads(done.stdout.splitlines()[-1])
    assert maps == [mosaic, mosaic]
    assert mosaic["valid"]
    assert mosaic["crs"] == "EPSG:32632"
    assert mosaic["colours"] == colours_of("mean")
    seen = mpl.image.imread(picture)[..., :3]
    coloured = seen[(seen < 0.99).any(axis=-1)]
    assert len(coloured) > 0.5 * seen[..., 0].size
    viridis = mpl.colormaps["viridis"](np.linspace(0, 1, 256))[:, :3]
    far = np.abs(coloured[::50, None] - viridis).max(axis=-1).min(axis=1)
    assert far.max() < 0.03  # colours between nine stops, in whole steps of 1/255
