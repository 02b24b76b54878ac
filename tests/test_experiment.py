"""The experiment file: what is wrong is said, all of it at once."""

import json
import re
import time

import jsonschema
import pytest

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.experiment.experiment import (
    Experiment,
    check_experiment,
    json_schema,
    load_experiment,
    parse_experiment,
)
from glacier_inversion.experiment.values import Section
from tests import synthetic


def problems(raw) -> list[str]:
    """Return the problems of an experiment, a line each."""
    with pytest.raises(ExperimentError) as caught:
        check_experiment(raw, "exp.json")
    return str(caught.value).splitlines()


def changed(path: str, value):
    """Return an experiment with one value changed; '!' removes the key."""
    raw = synthetic.experiment()
    *keys, last = [int(k) if k.isdecimal() else k for k in path.split("/")]
    place = raw
    for key in keys:
        place = place[key]
    if value == "!":
        del place[last]
    else:
        place[last] = value
    return raw


RASTER = {"name": "slope", "resolution": 50.0, "file": "s.tif"}
DENSE = {"name": "denses", "filters": [1]}
MAIN = "model_description/main/operations"

BAD_VALUES = [
    ("batch_size", "32", r'batch_size: "32" is not allowed\. Must be a valid integer'),
    (
        "batch_size",
        0,
        r"batch_size: 0 is not allowed\. Must be greater than or equal to 1",
    ),
    ("batch_size", 10**30, r"batch_size: 1000000.* is not allowed"),
    ("area_size", 10**400, r"area_size: 1000000.* is not allowed|area_size"),
    ("area_size", 4e6, r"area_size: 4e\+06 is more than 4096 pixels of 50 m"),
    (
        "losses_name/thickness",
        "nan_binary_crossentropy",
        r"last_activation: 'softplus' gives no prob",
    ),
    ("drawing_description/profiles", ["../x"], r"profiles\[0\]: .*holds '/'"),
    ("augmentation", {"vectors": [["slope", "speed"]]}, r"differ in resolution"),
    ("area_size", 2e9, r"area_size: 2000000000\.0 is not allowed"),
    ("dataset_description/buffer_distance", 1e308, r"buffer_distance: 1e\+308 is not"),
    (
        "dataset_description/rasters/2/resolution",
        33.333,
        r"rasters: the resolutions 33\.333, 50, 100 have",
    ),
    ("batch_size", True, r"batch_size: true is not allowed"),
    ("epochs", "!", r"epochs: is missing"),
    ("patience", 2.5, r"patience: 2\.5 is not allowed"),
    ("epoch", 3, r"epoch: unknown key\. Did you mean 'epochs'"),
    ("learning_rate", -1, r"learning_rate: -1 is not allowed"),
    ("optimizer_name", "adamm", r"optimizer_name: .*'adam', 'adamw'"),
    ("criterion", "val_los", r"criterion: 'val_los' .*Did you mean 'val_loss'"),
    ("criterion", "val_nan_mse", r"criterion: 'val_nan_mse' is neither"),
    ("model_architecture", "resnt", r"model_architecture: .*Did you mean 'resnet'"),
    (
        f"{MAIN}/1/kernel_size",
        4095,
        r"kernel_size: 4095 is not allowed\. Must be less than or equal to 63",
    ),
    ("model_name", "x" * 121, r"model_name: .*is longer than 120 bytes"),
    (
        "dataset_description/rasters/0/file",
        "x" * 300,
        r"rasters\[0\]\.file: .*a part that is longer than 255 bytes",
    ),
    (
        "dataset_description/rasters/0/file",
        "x\0",
        r"file: .*holds a control character",
    ),
    (
        "dataset_description/shapefile_file",
        "x/" * 1500,
        r"shapefile_file: .*is longer than 2000 bytes",
    ),
    ("dataset_description/shapefile_file", " ", r"shapefile_file: .*is empty"),
    ("dataset_description/rasters/0/resolution", 1e-300, r"1e-300 is not allowed"),
    ("area_size", 1e-9, r"area_size: 1e-09 is not allowed. Must be greater than"),
    (
        "losses_name",
        {"\x1b[2J": "mae"},
        r"losses_name: the output \'thickness\' has no",
    ),
    ("\udcff\n", 1, r'exp\.json: "\\udcff\\n" is not allowed'),
    ("model_name", "../x", r"model_name: .*holds '/'"),
    ("model_name", "", r"model_name: .*is empty"),
    (
        "area_size",
        410.0,
        r"area_size: 410 is no whole number of 50 m pixels.*400 or 500",
    ),
    ("area_size", 450.0, r"area_size: 450 is no whole number of 100 m pixels"),
    ("seeds_number", None, r"seeds_number: null is not allowed"),
    ("inputs", [], r"inputs: \[\] is not allowed"),
    (
        "inputs/0/name",
        "slop",
        r"inputs\[0\]\.name: 'slop' is not .*Did you mean 'slope'",
    ),
    ("inputs/0/resolution", 25.0, r"inputs\[0\]\.resolution: 25 is not the resolution"),
    (
        "inputs/1/name",
        "slope",
        r"inputs\[1\]\.name|inputs\[1\]: variable 'slope' is named",
    ),
    ("inputs/0/skalar", True, r"inputs\[0\]\.skalar: unknown key.*'scalar'"),
    ("outputs/0/scalar", False, r"outputs\[0\]\.scalar: false asks for an image"),
    ("losses_name", {}, r"losses_name: the output 'thickness' has no loss"),
    ("losses_name/thickness", "nan_mea", r"losses_name\.thickness: .*nan_mae"),
    ("metrics_name/thickness", ["foo"], r"metrics_name\.thickness\[0\]: .*nan_rmse"),
    ("loss_weights", {"thickness": -1}, r"loss_weights\.thickness: -1 is not allowed"),
    ("sampling/spacing", 20.0, r"sampling\.spacing: 20 is finer than the finest"),
    ("sampling/dense", 1, r"sampling\.dense: 1 is not allowed"),
    ("sampling/dense", 200, r"sampling\.dense: 200 cells of 100 m make crops of 400"),
    ("sampling/jiter", 1, r"sampling\.jiter: unknown key\. Did you mean 'jitter'"),
    ("min_valid", 1.5, r"min_valid: 1\.5 is not allowed"),
    ("normalization", "std", r"normalization: .*'standard' or 'none'"),
    (
        "augmentation",
        {"vectors": [["slope", "x"]]},
        r"augmentation\.vectors\[0\]: 'x' is no",
    ),
    (
        "augmentation",
        {"vectors": [["slope", "speed"]]},
        r"vectors\[0\]: .* differ in resol",
    ),
    ("augmentation", {"vectors": [["slope", "slope"]]}, r"'slope' is named twice"),
    ("dataset_description/epsg", 4326, r"epsg: 4326 \(WGS 84\) is in degree"),
    ("dataset_description/epsg", 2263, r"epsg: 2263 .*is in US survey foot"),
    ("dataset_description/epsg", 99, r"epsg: 99 is no EPSG code"),
    ("dataset_description/epsg", "2056", r'epsg: "2056" is not allowed'),
    ("dataset_description/buffer_distance", -1, r"buffer_distance: -1 is not allowed"),
    ("dataset_description/dataset_name", "a/b", r"dataset_name: .*holds '/'"),
    ("dataset_description/rasters/0/name", "a:b", r"rasters\[0\]\.name: .*holds ':'"),
    (
        "dataset_description/rasters/0/resampling",
        "cubik",
        r"rasters\[0\]\.resampling: ",
    ),
    ("dataset_description/rasters/0/band", 0, r"rasters\[0\]\.band: 0 is not allowed"),
    (
        "dataset_description/rasters/1",
        RASTER,
        r"rasters\[1\]: raster 'slope' is named twice",
    ),
    ("dataset_description/split", {}, r"split: .*either 'field' or 'fractions'"),
    ("dataset_description/split", {"fractions": [0.5, 0.2, 0.2]}, r"add up to 0\.9"),
    (
        f"{MAIN}/0/name",
        "concat",
        r"main\.operations\[0\]: the operation 'concat' does not",
    ),
    (
        f"{MAIN}/1/kernel",
        3,
        r"main\.operations\[1\]\.kernel: unknown key.*'kernel_size'",
    ),
    (f"{MAIN}/1/filters", [], r"main\.operations\[1\]\.filters: \[\] is not allowed"),
    (
        f"{MAIN}/1/padding",
        "full",
        r"main\.operations\[1\]\.padding: .*'same' or 'valid'",
    ),
    (
        f"{MAIN}/2/name",
        "upsample",
        r"operations\[2\]\.name: 'upsample' is an operation of v",
    ),
    (
        "model_description/main",
        {"main": {"operations": [{"name": "x"}]}},
        r"model_description\.main\.main\.operations\[0\]: the operation 'x'",
    ),
    (
        "model_description/inputs/slope",
        "!",
        r"model_description\.inputs: 'slope'.*no entry",
    ),
    (
        "model_description/outputs",
        {},
        r"model_description\.outputs: 'thickness'.*no entry",
    ),
    (
        "drawing_description/features",
        ["a", "b", "a"],
        r"features\[2\]: feature 'a' is named",
    ),
    (
        "drawing_description/features",
        "tests",
        r'features: "tests": Must be a list of ids, ',
    ),
    (
        "drawing_description/models",
        ["m", "m"],
        r"models\[1\]: model 'm' is named twice",
    ),
    ("drawing_description/statistics", ["q5"], r'statistics\[0\]: "q5" does not exist'),
    (
        "drawing_description/resolution",
        75.0,
        r"resolution: 75 is no whole multiple of 50",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD_VALUES, ids=str)
def test_bad_values_are_reported_with_their_path(path, value, message):
    "One message each: where, what is wrong, with the value."
    lines = problems(changed(path, value))
    assert all(line.startswith("exp.json: ") for line in lines)
    assert any(re.search(message, line) for line in lines), lines


def test_all_problems_are_reported_at_once():
    "Types, names, relations and sums, in one go."
    raw = changed("batch_size", "32")
    raw["inputs"][0]["name"] = "slop"
    raw["area_size"] = 410.0
    raw["criterion"] = "mae"
    raw["model_architecture"] = "vgg"
    raw["optimizer_name"] = "adama"
    raw["losses_name"]["thickness"] = "maee"
    raw["model_description"]["main"]["operations"][0]["name"] = "join"
    raw["drawing_description"]["features"] = ["a", "a"]
    text = "\n".join(problems(raw))
    for part in (
        "batch_size",
        "inputs[0].name",
        "area_size",
        "criterion",
        "model_architecture",
        "optimizer_name",
        "losses_name.thickness",
        "main.operations[0]",
        "features[1]",
    ):
        assert f"exp.json: {part}" in text or part in text


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
        ({"metrics_name": {"thickness": ["mae"] * 50_000}}, "Must have at most 14"),
        ({"losses_name": dict.fromkeys(map(str, range(5000)), "mae")}, "most 1,000"),
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
            "drawing_description.statistics: has 100,000 entries. Must have at most 105",
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


def test_an_experiment_as_it_was_resolved_is_one():
    "model.json holds it; an output need not say that it is scalar, but is."
    raw = synthetic.experiment()
    del raw["outputs"][0]["scalar"]
    checked = check_experiment(raw, "exp")
    dumped = checked.model_dump(mode="json", by_alias=True)
    assert dumped["outputs"][0]["scalar"]
    assert check_experiment(dumped, "model.json") == checked


@pytest.mark.parametrize(
    ("names", "metrics", "column"),
    [
        (["x", "val_x"], {}, "val_x_loss"),
        (["val"], {}, "val_loss"),
        (["x", "x_nan"], {"x": ["nan_mae"], "x_nan": ["mae"]}, "x_nan_mae"),
    ],
)
def test_outputs_whose_columns_collide_in_the_log_are_refused(names, metrics, column):
    "One would be read for the other."
    raw = synthetic.experiment()
    (output,) = raw["outputs"]
    described = raw["model_description"]["outputs"]["thickness"]
    raster = raw["dataset_description"]["rasters"][2]
    raw["outputs"] = [output | {"name": name} for name in names]
    raw["dataset_description"]["rasters"] += [raster | {"name": name} for name in names]
    raw["model_description"]["outputs"] = dict.fromkeys(names, described)
    raw["losses_name"] = dict.fromkeys(names, "nan_mae")
    raw["metrics_name"] = metrics
    with pytest.raises(ExperimentError, match=f"outputs: .*the column '{column}'"):
        check_experiment(raw, "exp")


def test_numeric_ids_are_text():
    "Features of a numeric column may be written as numbers."
    raw = changed("drawing_description/features", [12, "a"])
    assert check_experiment(raw, "exp").drawing_description.features == ["12", "a"]


@pytest.mark.parametrize(
    ("criterion", "metrics"),
    [
        ("loss", []),
        ("val_loss", []),
        ("val_nan_mae", ["nan_mae"]),
        ("nan_rmse", ["nan_rmse"]),
        ("val_thickness_nan_mae", ["nan_mae"]),
        ("thickness_loss", []),
    ],
)
def test_criteria_by_every_spelling(criterion, metrics):
    "With one output its name may be left out."
    raw = changed("criterion", criterion)
    raw["metrics_name"] = {"thickness": metrics}
    check_experiment(raw, "exp")


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
        Experiment.__name__
    }


def test_architectures_are_found_by_name():
    "Every public module of training/architectures."
    assert architectures() == ["resnet", "vggnet"]


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


def test_the_last_activation_is_looked_for_in_main_too():
    "Where the output's own branch has no operation."
    raw = changed("losses_name/thickness", "nan_binary_crossentropy")
    description = raw["model_description"]
    description["main"]["operations"] += description["outputs"]["thickness"][
        "operations"
    ]
    description["outputs"]["thickness"]["operations"] = []
    (line,) = problems(raw)
    assert "main.operations[3].last_activation: 'softplus' gives no probability" in line
