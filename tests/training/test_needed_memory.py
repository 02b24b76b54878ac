"""The memory that training is said to need, against what it writes and measures."""

import re
import subprocess
import sys

import pytest

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training import train
from glacier_inversion.training.needed_memory import estimate_memory
from glacier_inversion.training.samples_on_disk import samples_on_disk
from tests import synthetic
from tests.helpers import copy_of
from tests.training.helpers import made_up_tiles


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("scalar", [True, False])
def test_files_are_as_large_as_was_said(tmp_path, scalar, mixed):
    "Of two resolutions, interpolated, and of points that are known at every pixel."
    raw = synthetic.experiment()
    if scalar:  # its tiles are written, too
        raw["inputs"][1]["scalar"] = True
        raw["model_description"]["inputs"]["speed"]["operations"] = []
        raw["model_description"]["main"]["operations"] = [{"name": "concatenation"}]
        slope = raw["model_description"]["inputs"]["slope"]["operations"]
        slope.append({"name": "denses", "filters": [4], "last_activation": "relu"})
    checked = check_experiment(raw, "exp")
    tiles = {
        "train": [made_up_tiles(n, "train", 60 + 10 * n) for n in range(3)],
        "validation": [made_up_tiles(9, "validation", 60)],
    }
    if mixed:  # with another dataset
        tiles["extra"] = [made_up_tiles(8, "train", 70)]
    bounds = [part.grid.bounds for parts in tiles.values() for part in parts]
    with samples_on_disk(checked, tiles, tmp_path) as data:
        n_points = len(data.train.points) + len(data.validation.points)
        n_points += len(data.extra.points) if data.extra is not None else 0
        files = (tmp_path / "samples").glob("*/*")
        written = sum(path.stat().st_size for path in files)
    needed = estimate_memory(checked, bounds, n_points, 0, 0)
    # images that are interpolated lack the last pixels, which lie beyond all centres
    assert needed.in_files == pytest.approx(written, rel=0.03)


def test_a_large_feature_takes_most_while_it_is_prepared():
    "Many small ones take most while members are trained; what they share is the same."
    checked = check_experiment(synthetic.experiment(), "exp")
    large = (0.0, 0.0, 200_000.0, 200_000.0)
    small = [(0.0, 0.0, 4_000.0, 4_000.0)] * 2500
    one = estimate_memory(checked, [large], 10_000, 1_000, 10**6)
    many = estimate_memory(checked, small, 10_000, 1_000, 10**6)
    assert one.in_files == many.in_files
    assert one.peak == one.preparing > many.peak == many.own + many.in_files
    assert many.least == many.own < many.peak


def test_train_warns_in_a_line_before_it_begins(finished, tmp_path, monkeypatch):
    "As check does, and goes on: what others use, and what is swapped, is not known."
    ours = copy_of(finished, tmp_path)
    monkeypatch.setattr(train, "available_bytes", lambda: 2 * 10**9)
    assert "of memory" not in ours("train").stderr
    monkeypatch.setattr(train, "available_bytes", lambda: 10**6)
    result = ours("train")
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "WARNING: small: training takes some 0 GB of memory, and this process may use "
        "0 GB. Use a smaller batch_size, fewer filters or coarser rasters, or train "
        "where there is more\n"
    )
    # a batch holds no more than there may be samples
    ours.raw["batch_size"] = 10_000_000
    ours.write()
    monkeypatch.setattr(train, "available_bytes", lambda: 2 * 10**9)
    assert "of memory" not in ours("train", "--overwrite").stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_estimate_is_within_a_fifth_of_what_is_measured():
    "Trained in a process of its own, on three million pixels."
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--features", "60"]
    command += ["--members", "1", "--epochs", "1", "--known", "tracks"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shares = re.findall(r"check: \d+ MB, (\d\.\d+) of it", done.stdout)
    assert len(shares) == 2
    for share in shares:
        assert float(share) == pytest.approx(1, abs=0.2)
