"""A model that can be drawn densely."""

import pytest

from tests.helpers import copy_of


@pytest.fixture(scope="session")
def unpadded(finished, tmp_path_factory):
    """A workspace with a model that dense passes are exact for, after one epoch."""
    run = copy_of(finished, tmp_path_factory.mktemp("unpadded"))
    network = run.raw["model_description"]
    for branch in network["inputs"].values():
        branch["operations"][0]["padding"] = "valid"
    pointwise = {"name": "convolution_1", "filter": 6}
    network["main"]["operations"] = [{"name": "concatenation"}, pointwise]
    run.raw.update(model_name="unpadded", epochs=1)
    run.raw["drawing_description"] |= {"models": ["unpadded"], "profiles": []}
    run.write()
    assert run("train").exit_code == 0
    return run
