"""Workspaces whose model has been evaluated, and cross-validated."""

import pytest

from tests.evaluation.helpers import small
from tests.helpers import copy_of

BASELINES = [
    {"name": "plasticity", "slope": "slope"},
    {"name": "velocity_slope", "speed": "speed", "slope": "slope"},
    {"name": "published", "raster": "speed"},
]


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
