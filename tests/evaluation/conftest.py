"""Pixels, and workspaces whose model has been evaluated, and cross-validated."""

import numpy as np
import pytest

from tests.evaluation.helpers import small
from tests.helpers import copy_of

BASELINES = [
    {"name": "plasticity", "slope": "slope"},
    {"name": "velocity_slope", "speed": "speed", "slope": "slope"},
    {"name": "published", "raster": "speed"},
]


@pytest.fixture
def pixels():
    """Observed and predicted thickness of 300 pixels, and the number of a feature."""
    rng = np.random.default_rng(7)
    observed = rng.gamma(2.0, 80.0, 300)
    feature = rng.integers(0, 6, 300) * 3  # features need not all have pixels
    predicted = 0.7 * observed + 20 + 5 * feature + rng.normal(0, 25, 300)
    return observed, predicted, feature


@pytest.fixture
def classes():
    """Observed 0 and 1, predicted probabilities, and the number of a feature."""
    rng = np.random.default_rng(8)
    predicted = rng.uniform(0, 1, 400)
    observed = (rng.uniform(0, 1, 400) < predicted**2).astype(float)
    return observed, predicted, rng.integers(0, 9, 400)


@pytest.fixture(scope="session")
def evaluated(finished, tmp_path_factory):
    """All features evaluated beside every method, the maps drawn whole; only read."""
    run = copy_of(finished, tmp_path_factory.mktemp("evaluated"))
    run.raw["evaluation_description"] = {"baselines": {"thickness": BASELINES}}
    run.raw["drawing_description"] |= {"features": "all", "clip_to_outline": False}
    run.write()
    for command, *options in (("draw",), ("evaluate", "--split", "all")):
        result = run(command, *options)
        assert result.exit_code == 0, result.output
    (run.root / "printed.txt").write_text(result.stdout)
    return run


@pytest.fixture(scope="session")
def crossed(finished, tmp_path_factory):
    """A workspace that was cross-validated; only read it."""
    run = small(copy_of(finished, tmp_path_factory.mktemp("crossed")))
    baselines = [{"name": "plasticity", "slope": "slope"}]
    run.raw["evaluation_description"] = {"baselines": {"thickness": baselines}}
    run.write()
    result = run("crossval")
    assert result.exit_code == 0, result.output
    (run.root / "printed.txt").write_text(result.stdout)
    return run
