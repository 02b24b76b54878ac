"""How many layers a network may have."""

import pytest

from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.experiment.helpers import problems

# padded, so that any number of them fits the patch
DEEP = {"name": "convolutions", "filters": [1] * 99, "padding": "same"}


def with_operations(where: str, n: int) -> dict:
    """Return an experiment with *n* times 99 layers, and its own few, in a branch."""
    raw = synthetic.experiment()
    description = raw["model_description"]
    if where == "main":
        description["main"]["operations"] += [DEEP] * n
    elif where == "main.main":
        operations = description["main"]["operations"] + [DEEP] * n
        description["main"] = {"main": {"operations": operations}}
    else:
        section, name = where.split(".")
        branch = description[section].setdefault(name, {"operations": []})
        branch["operations"] = [DEEP] * n + branch["operations"]
    return raw


@pytest.mark.parametrize(
    "where", ["main", "main.main", "inputs.slope", "outputs.thickness"]
)
def test_a_network_of_too_many_layers_is_refused(where):
    "Wherever they are, with their number and the limit."
    check_experiment(with_operations(where, 9), "exp.json")
    (line,) = problems(with_operations(where, 11))
    assert line.startswith("exp.json: model_description: has 1,")
    assert line.endswith(
        " layers. Must have at most 1,000, those of all operations and their filters "
        "together. Use fewer."
    )


def test_layers_of_variables_that_are_not_used_count_nothing():
    "Published files have them."
    check_experiment(with_operations("inputs.unused", 11), "exp.json")
