"""A workspace whose model has been evaluated."""

import pytest

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
