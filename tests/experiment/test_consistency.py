"""Values that are refused, alone or together, with their paths."""

import pkgutil
import re

import pytest

import glacier_inversion.training.architectures
from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.experiment.helpers import changed, problems

RASTER = {"name": "slope", "resolution": 50.0, "file": "s.tif"}
MAIN = "model_description/main/operations"
BAD_VALUES = [
    ("batch_size", "32", r'batch_size: "32" is not allowed\. Must be a valid integer'),
    (
        "batch_size",
        0,
        r"batch_size: 0 is not allowed\. Must be greater than or equal to 1",
    ),
    ("batch_size", 10**30, r"batch_size: 1000000.* is not allowed"),
    ("epochs", 100_001, r"epochs: 100001 .* less than or equal to 100000"),
    ("seeds_number", 10_001, r"seeds_number: 10001 .* less than or equal to 10000"),
    ("weight_decay", 1e300, r"weight_decay: 1e\+300 .* less than 1000000000"),
    ("min_learning_rate", 1e9, r"min_learning_rate: 1000000000\.0 is not allowed"),
    ("loss_weights", {"thickness": 1e9}, r"loss_weights\.thickness: 1000000000\.0 is"),
    (
        "drawing_description/features",
        ["x" * 1001],
        r"features.*has 1,001 characters\. Must have at most 1,000",
    ),
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
    (
        "extra_training",
        {"dataset": "other", "share": 0.0},
        r"extra_training\.share: 0\.0 is not allowed\. Must be greater than 0",
    ),
    (
        "extra_training",
        {"dataset": "other", "share": 1},
        r"extra_training\.share: 1 is not allowed\. Must be less than 1",
    ),
    (
        "extra_training",
        {"dataset": "region", "share": 0.5},
        r"extra_training\.dataset: 'region' is the dataset itself",
    ),
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
    ("normalization", "std", r"normalization: .*'standard', 'samples' or 'none'"),
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
    (
        "drawing_description/blend",
        "both",
        r"drawing_description\.blend: 'both' is to be made of 1 models",
    ),
    (
        "drawing_description",
        {"features": "all", "models": ["a", "small"], "blend": "Small"},
        r"drawing_description\.blend: 'Small' is a model",
    ),
    (
        "drawing_description",
        {"features": "all", "models": ["a", "b"], "blend": "both"},
        r"drawing_description\.models: do not hold 'small', the experiment's own model",
    ),
    (
        "drawing_description/statistics",
        ["q\u0665\u0660"],
        r'statistics\[0\]: "q\\u0665\\u0660" does not exist',
    ),
    (
        "drawing_description/statistics",
        ["q5"],
        r'statistics\[0\]: "q5" does not exist\. Known: .*, noise, q00 to q99, std, ',
    ),
    (
        "drawing_description/statistics",
        ["mean", "uncertainy"],
        r"statistics\[1\]: .*Did you mean 'uncertainty'\? Known: .*Use one of them",
    ),
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


def test_architectures_are_found_by_name():
    "Every module of training/architectures."
    folder = glacier_inversion.training.architectures
    found = [module.name for module in pkgutil.iter_modules(folder.__path__)]
    assert architectures() == sorted(found)


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


def test_all_rasters_that_there_may_be_are_looked_at():
    "A thousand are not more than are looked at: what is not among them is said."
    raw = synthetic.experiment()
    rasters = raw["dataset_description"]["rasters"]
    rasters += [RASTER | {"name": f"r{i}"} for i in range(1000 - len(rasters))]
    check_experiment(raw, "exp.json")
    rasters[0] = RASTER | {"name": "other"}
    assert any("inputs[0].name: 'slope' is not described" in p for p in problems(raw))
