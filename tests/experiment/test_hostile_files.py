"""Experiment files that nobody would write: each is accepted, or refused in words."""

import json
import time
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.experiment import json_schema, load_application
from tests.helpers import ROOT
from tests.hostile import VALUES, mutated

SCHEMA = json_schema()
ACCEPTS = jsonschema.Draft202012Validator(SCHEMA).is_valid
FILES = [
    *sorted((ROOT / "experiments").rglob("*.json")),
    ROOT / "glacier_inversion" / "demo" / "demo.json",
]
VALID = [json.loads(path.read_text("utf-8")) for path in FILES]
LONGEST_S = 2
SETTINGS = settings(suppress_health_check=HealthCheck)

NAMES = st.sampled_from(
    ["slope", "speed", "thickness", "dem", "main", "train", "x.tif"]
)


def from_schema(schema):
    """Return what a schema allows, as far as this one's words go, few names in it."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return st.deferred(lambda: from_schema(SCHEMA["$defs"][name]))
    for several in ("anyOf", "oneOf"):
        if several in schema and "properties" not in schema:
            return st.one_of(*map(from_schema, schema[several]))
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        parts = {name: from_schema(of) for name, of in schema["properties"].items()}
        needed = schema.get("required", schema.get("anyOf", [{}])[0].get("required"))
        must = {name: parts.pop(name) for name in needed or ()}
        return st.fixed_dictionaries(must, optional=parts)
    if kind == "object":
        inner = schema["additionalProperties"]
        values = from_schema(inner) if isinstance(inner, dict) else VALUES
        least = schema.get("minProperties", 0)
        return st.dictionaries(NAMES, values, min_size=least, max_size=least + 2)
    if kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", 9)
        inner = from_schema(schema["items"]) if "items" in schema else VALUES
        return st.lists(inner, min_size=least, max_size=min(most, least + 2))
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if kind == "integer":
        return st.integers(low, high)
    if kind == "number":
        return st.floats(
            low,
            high,
            exclude_min="exclusiveMinimum" in schema,
            exclude_max="exclusiveMaximum" in schema,
            allow_nan=False,
            allow_infinity=False,
        )
    if kind == "string" and "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    simple = {"null": st.none(), "boolean": st.booleans()}
    return simple.get(kind, NAMES | st.text(max_size=schema.get("maxLength", 9)))


@st.composite
def written(draw):
    """A text that JSON, or nearly JSON, is written in."""
    text = json.dumps(draw(mutated(VALID, SCHEMA["properties"])), allow_nan=True)
    what = draw(st.sampled_from(["as it is", "twice", "cut", "put in", "code"]))
    if what == "twice":  # a key stands twice
        text = text.replace('"name":', '"name": 1, "name":', 1)
    elif what == "cut":
        text = text[: draw(st.integers(0, len(text)))]
    elif what == "put in":
        place = draw(st.integers(0, len(text)))
        long = ["9" * 5000, "[" * 9**5]
        extra = draw(st.text(max_size=3) | st.sampled_from(["//", "\0", *long]))
        text = text[:place] + extra + text[place:]
    code = "utf-8"
    if what == "code":
        code = draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32", "latin-1"]))
    return text.encode(code, "surrogatepass" if code != "latin-1" else "replace")


def check(path: Path, content: bytes) -> bool:
    """Load a file; return whether it is accepted, and hold what is said else."""
    path.write_bytes(content)
    begun = time.process_time()
    try:
        load_application(path, lambda _: None)
    except ExperimentError as error:
        message = str(error)
        assert all(line.startswith(f"{path}: ") for line in message.splitlines())
        assert len(message) < 40_000
        accepted = False
    else:
        accepted = True
    assert time.process_time() - begun < LONGEST_S
    return accepted


@pytest.mark.parametrize(
    "n_cases", [300, pytest.param(5000, marks=pytest.mark.slow)], ids=str
)
def test_changed_files_are_accepted_or_refused_with_the_place(tmp_path, n_cases):
    "Nothing takes long, and what is accepted, the schema accepts."
    path = tmp_path / "exp.json"

    @settings(SETTINGS, max_examples=n_cases)
    @given(written())
    def hold(content):
        if check(path, content):
            assert ACCEPTS(json.loads(content.decode("utf-8-sig")))

    hold()


@pytest.mark.parametrize(
    "n_cases", [100, pytest.param(2000, marks=pytest.mark.slow)], ids=str
)
def test_files_from_the_schema_are_accepted_or_refused_with_the_place(
    tmp_path, n_cases
):
    "They hold what the schema alone does not refuse."
    path = tmp_path / "exp.json"

    @settings(SETTINGS, max_examples=n_cases)
    @given(from_schema(SCHEMA))
    def hold(content):
        assert ACCEPTS(content)
        check(path, json.dumps(content).encode())

    hold()
