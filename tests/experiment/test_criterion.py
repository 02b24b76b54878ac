"""The criterion: its columns, its spellings, and which way is better."""

import math

import pytest
import torch

from glacier_inversion.choices import Metric
from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.criterion import Criterion
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.network.losses import mean_of_sum, sum_errors
from tests import synthetic
from tests.experiment.helpers import changed


def test_less_is_better_after_scoring():
    "Accuracy is maximised, bias brought to zero."
    loss, accuracy, bias = (
        Criterion(name, name)
        for name in ("val_loss", "val_ice_nan_binary_accuracy", "nan_bias")
    )
    assert loss.score(2.0) == 2.0
    assert accuracy.score(0.9) < accuracy.score(0.8)
    assert bias.score(-2.0) == bias.score(2.0)


@pytest.mark.parametrize("metric", sorted(Metric.__args__))
def test_of_every_metric_it_is_known_what_is_better(metric):
    "The right values score less than wrong ones, whichever way the metric goes."
    target = torch.tensor([0.0, 1.0, 1.0])
    right, wrong = target[:, None], torch.tensor([[1e3], [-1e3], [-1e3]])
    criterion = Criterion(f"val_h_{metric}", f"val_h_{metric}")
    of_right, of_wrong = (
        criterion.score(mean_of_sum(metric, *sum_errors(metric, given, target)))
        for given in (right, wrong)
    )
    assert of_right < of_wrong, "say in Criterion.score what is better"


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("loss", [math.nan, 3.0, 2.0, 2.0], 2),
        ("loss", [math.inf, math.nan], None),
        ("loss", [], None),
        ("binary_accuracy", [0.5, 0.75, math.nan], 1),
        ("val_bias", [-3.0, 2.0, -1.0], 2),
    ],
)
def test_the_best_epoch_is_the_first_of_the_best_that_are_numbers(name, values, best):
    "One rule for the learning rate, the curves and the status."
    assert Criterion(name, name).best_epoch(values) == best


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
