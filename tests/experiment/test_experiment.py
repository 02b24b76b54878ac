"""The experiment file: what is wrong is said, all of it at once."""

import json
import time

import jsonschema
import pytest

from glacier_inversion.choices import Metric
from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.derivation import Derivation
from glacier_inversion.experiment.experiment import (
    Experiment,
    check_experiment,
    json_schema,
    load_experiment,
    parse_experiment,
)
from glacier_inversion.experiment.operation import Operation
from glacier_inversion.experiment.sections import STATISTIC
from glacier_inversion.experiment.values import Section
from tests import synthetic
from tests.experiment.helpers import changed

DENSE = {"name": "denses", "filters": [1]}
STATISTICS = [
    f"q{i:02d}" if "[" in name else name
    for name in STATISTIC.split("|")
    for i in range(100 if "[" in name else 1)
]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b" 2}', r"exp: line 2, column 6: no JSON"),
        ('{"a": 1} // comment', r"exp: line 1, column 10: no JSON"),
        ("", r"exp: line 1, column 1: no JSON"),
        ("[1, 2]", r"exp: holds a list"),
        ('{"a": 1, "a": 2}', r"exp: a: line 1: the key stands twice in one"),
        ("[" * 100_000, r"exp: \[0\].*: line 1: is nested deeper than 100 levels\."),
        ('{"a": NaN}', r"exp: a: line 1: NaN is no number of JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(text, message):
    "A syntax error names its line and column."
    with pytest.raises(ExperimentError, match=message):
        parse_experiment(text, "exp")


def test_slips_of_the_text_are_reported_with_all_the_rest():
    "Each once, with path and line: what stands twice, no numbers, half characters."
    raw = synthetic.experiment() | {"patience": 0}
    text = json.dumps(raw, indent=1)
    text = text.replace('"epochs": 12', '"epochs": 12,\n "batch_size": Infinity', 1)
    text = text.replace('"file": "slope.tif"', '"file": "\\ud800"')
    line = text[: text.index("ud800")].count("\n") + 1
    with pytest.raises(ExperimentError) as caught:
        parse_experiment(text, "exp")
    lines = str(caught.value).splitlines()
    assert [line.split(". ")[0] for line in lines] == [
        "exp: batch_size: line 4: the key stands twice in one object, also in line 2",
        "exp: batch_size: line 4: Infinity is no number of JSON",
        f'exp: dataset_description.rasters[0].file: line {line}: "\\ud800" is half a '
        "character",
        "exp: patience: 0 is not allowed",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"k{i}": 1 for i in range(20_000)}, "its object has more than 10,000 keys"),
        ({f"k{i}": 1 for i in range(9000)}, "exp: and 8,950 more problems"),
        ({"inputs": [{"name": f"n{i}"} for i in range(50_000)]}, "at most 100"),
        ({"outputs": [[]] * 50_000}, "outputs: has 50,000 entries"),
        (
            {"metrics_name": {"thickness": ["mae"] * 50_000}},
            f"Must have at most {len(Metric.__args__)}",
        ),
        ({"losses_name": dict.fromkeys(map(str, range(5000)), "mae")}, "most 1,000"),
        (
            {"augmentation": {"vectors": [["a", f"b{i}"] for i in range(300_000)]}},
            "augmentation.vectors: has 300,000 entries. Must have at most 100",
        ),
        ({"criterion": "x" * 1_000_000}, "criterion: has 1,000,000 characters"),
        (
            {"drawing_description": {"features": ["a"] * 100_000, "models": []}},
            "exp: and 99,949 more problems",
        ),
        (
            {
                "drawing_description": {
                    "features": "all",
                    "models": [],
                    "statistics": ["mean"] * 100_000,
                }
            },
            "drawing_description.statistics: has 100,000 entries. Must have at most "
            f"{len(STATISTICS)}",
        ),
        (
            {
                "dataset_description": synthetic.experiment()["dataset_description"]
                | {
                    "rasters": [
                        {"name": f"r{i}", "resolution": 1 + i / 1e7, "file": "x"}
                        for i in range(30_000)
                    ]
                }
            },
            "dataset_description.rasters: has 30,000 entries. Must have at most 1,000",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_far_too_much_is_refused_soon_and_in_few_words(change, message):
    "What is too long, or wrong a thousand times; limits are said."
    text = json.dumps(synthetic.experiment() | change)
    begin = time.process_time()
    with pytest.raises(ExperimentError) as caught:
        parse_experiment(text, "exp")
    assert time.process_time() - begin < 10
    assert message in str(caught.value)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 51
    assert max(map(len, lines)) < 1100


def test_a_file_without_end_is_not_read_to_it(tmp_path):
    "No experiment is as large."
    path = tmp_path / "exp.json"
    with path.open("wb") as file:
        file.truncate(10**10)  # a hole: it takes no space
    with pytest.raises(ExperimentError, match=r"exp\.json: .*larger than 10 MB"):
        load_experiment(path)


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    "One message with the file's name."
    with pytest.raises(ExperimentError, match=r"x\.json: cannot be read"):
        load_experiment(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExperimentError, match=r"x\.json: cannot be read"):
        load_experiment(tmp_path / "x.json")


def test_published_spellings_are_understood(caplog):
    "main.main, any case, losses of outputs that are not there, unused variables."
    raw = synthetic.experiment()
    raw["model_description"]["main"] = {"main": raw["model_description"]["main"]}
    raw["model_description"]["inputs"]["elevation"] = {"operations": [DENSE]}
    raw["optimizer_name"] = "ADAM"
    raw["losses_name"]["classification"] = "nan_binary_crossentropy"
    raw["$schema"] = "schema.json"
    checked = parse_experiment(json.dumps(raw), "exp")
    assert checked.optimizer_name == "adam"
    assert checked.model_description.main.operations[0].name == "concatenation"
    assert (
        "losses_name.classification: 'classification' is no output: ignored"
        in caplog.text
    )


def test_defaults_are_those_of_the_original():
    "What a published file does not say."
    checked = check_experiment(synthetic.experiment(), "exp")
    assert checked.learning_rate_factor == 0.1
    assert checked.early_stopping is None
    assert checked.weight_decay == 0
    assert checked.min_valid == 0.5
    assert checked.sampling.jitter
    assert checked.augmentation is None
    assert checked.normalization == "standard"
    assert checked.drawing_description.statistics == ["mean", "std"]
    assert checked.drawing_description.clip_to_outline


def test_every_statistic_may_be_drawn_at_once():
    "Each of them is accepted beside all the others."
    raw = synthetic.experiment()
    raw["drawing_description"]["statistics"] = STATISTICS
    checked = check_experiment(raw, "exp")
    assert checked.drawing_description.statistics == STATISTICS


def test_an_experiment_as_it_was_resolved_is_one():
    "model.json holds it; an output need not say that it is scalar, but is."
    raw = synthetic.experiment()
    del raw["outputs"][0]["scalar"]
    checked = check_experiment(raw, "exp")
    dumped = checked.model_dump(mode="json", by_alias=True)
    assert dumped["outputs"][0]["scalar"]
    assert check_experiment(dumped, "model.json") == checked


@pytest.mark.parametrize(
    ("activation", "transform", "is_nonnegative"),
    [
        ("relu", None, True),
        ("softplus", None, True),
        ("linear", None, False),
        ("linear", {"name": "log", "floor": 1.0}, True),
        ("linear", {"name": "sqrt"}, True),
    ],
)
def test_outputs_cannot_be_negative_by_activation_or_transform(
    activation, transform, is_nonnegative
):
    "Of another output nothing follows."
    raw = synthetic.experiment()
    raw["outputs"].append({"name": "slope", "resolution": 50.0})
    raw["losses_name"]["slope"] = "mae"
    tail = {"name": "denses", "filters": [1]}
    raw["model_description"]["outputs"] = {
        "thickness": {"operations": [tail | {"last_activation": activation}]},
        "slope": {"operations": [tail]},
    }
    raw["outputs"][0]["transform"] = transform
    checked = check_experiment(raw, "exp")
    assert checked.is_nonnegative("thickness") == is_nonnegative
    assert not checked.is_nonnegative("slope")


def test_numeric_ids_are_text():
    "Features of a numeric column may be written as numbers."
    raw = changed("drawing_description/features", [12, "a"])
    assert check_experiment(raw, "exp").drawing_description.features == ["12", "a"]


def test_a_dumped_experiment_is_an_experiment():
    "model.json holds one."
    checked = check_experiment(synthetic.experiment(), "exp")
    dumped = json.loads(json.dumps(checked.model_dump(mode="json", by_alias=True)))
    assert check_experiment(dumped, "again") == checked


def test_the_schema_describes_every_key():
    "Each with a description; the section classes refuse others."
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    described = 0
    for section in sections:
        assert section["additionalProperties"] is False
        for name, key in section["properties"].items():
            assert "description" in key or name in ("name", "padding"), name
            described += "description" in key
    assert described > 60
    assert {c.__name__ for c in Section.__subclasses__()} - set(schema["$defs"]) == {
        Application.__name__,
        Experiment.__name__,
        Operation.__name__,
        Derivation.__name__,
    }


def test_the_schema_accepts_what_is_accepted():
    "Any case, ids of numeric columns, main.main."
    raw = synthetic.experiment()
    raw["optimizer_name"] = "NAdam"
    raw["drawing_description"]["features"] = [12, "a"]
    raw["model_description"]["main"] = {"main": raw["model_description"]["main"]}
    check_experiment(raw, "exp")
    jsonschema.validate(raw, json_schema())
    raw["optimizer_name"] = "nada"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(raw, json_schema())
