"""What members are trained with: samples there are, of every output."""

import numpy as np
import pytest

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.data import prepare
from tests import synthetic
from tests.training.helpers import experiment, some_tiles


def test_no_samples_are_an_error():
    "In training always, in validation if the criterion needs it."
    tiles = some_tiles()
    with pytest.raises(
        DatasetError, match=r"the training features \(0\) hold no samples"
    ):
        prepare(experiment(), {**tiles, "train": []})
    with pytest.raises(
        DatasetError, match=r"the validation features \(0\) hold no samples"
    ):
        prepare(experiment(), {**tiles, "validation": []})
    prepare(experiment(criterion="loss"), {**tiles, "validation": []})


def test_an_output_without_training_targets_is_refused():
    "Its maps would come from an untrained branch."
    tiles = some_tiles()
    raw = synthetic.experiment()
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"]["slope"] = "nan_mae"
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    for part in tiles["train"] + tiles["validation"]:
        part.targets["slope"] = np.full_like(part.inputs["slope"], np.nan)
    with pytest.raises(DatasetError, match="slope: no training point has a target"):
        prepare(check_experiment(raw, "exp"), tiles)
