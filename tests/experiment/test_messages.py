"""What pydantic refuses: one line for each value, at its place in the file."""

import json
from types import UnionType
from typing import Literal, Union, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.experiment import Experiment, parse_experiment
from glacier_inversion.experiment.messages import find_refusals
from glacier_inversion.experiment.values import Section
from tests import synthetic

LONG = "x" * 10_000


def find_unions(kind, place=()):
    """Yield the unions of lists and words in a section, and where they are in it."""
    is_class = get_origin(kind) is None and isinstance(kind, type)
    if is_class and issubclass(kind, Section):
        for name, field in kind.model_fields.items():
            key = field.alias or name
            yield from find_unions(field.annotation, (*place, key))
    elif get_origin(kind) in (Union, UnionType):
        members = {get_origin(member) for member in get_args(kind)}
        if {list, Literal} <= members:
            yield place
    elif get_origin(kind) is not Literal:
        for part in get_args(kind):
            yield from find_unions(part, place)


UNIONS = [*find_unions(Experiment)]


def test_the_schema_has_unions_of_a_list_and_words():
    "Else the next test would see nothing."
    assert ("drawing_description", "features") in UNIONS


@pytest.mark.parametrize("place", UNIONS, ids=".".join)
@pytest.mark.parametrize(
    ("value", "at"),
    [([LONG], "[0]"), (["a", LONG], "[1]"), ([["a"]], ""), (LONG, ""), (3, "")],
)
def test_a_list_or_a_word_is_refused_in_one_line(place, value, at):
    "With the path in the file, and none of what pydantic calls the members."
    raw = synthetic.experiment()
    section = raw
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = value
    with pytest.raises(ExperimentError) as refused:
        parse_experiment(json.dumps(raw), "exp.json")
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"exp.json: {'.'.join(place)}{at}: ")


@pytest.mark.parametrize(
    ("kind", "value", "paths"),
    [
        (list[int] | Literal["all"], [1, "a", "b"], ["x[1]", "x[2]"]),
        (dict[str, list[int] | Literal["all"]], {"a": ["b"]}, ["x.a[0]"]),
        (dict[str, dict[str, int] | list[int]], {"a": {"b": "c"}}, ["x.a.b"]),
    ],
)
def test_paths_are_those_of_the_file(kind, value, paths):
    "Of any union, though the experiment has few."
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(dict[str, kind]).validate_python({"x": value})
    found = find_refusals(refused.value, {"x": value})
    assert [refusal.path for refusal in found] == paths


def test_what_is_missing_is_named():
    "By the key that it is to have."
    raw = synthetic.experiment()
    del raw["dataset_description"]["rasters"][0]["name"]
    with pytest.raises(ExperimentError, match=r"rasters\[0\]\.name: is missing"):
        parse_experiment(json.dumps(raw), "exp.json")
