"""What check tells of another dataset that is mixed into training."""

import numpy as np
import rasterio

from tests import synthetic
from tests.checking.helpers import report_of
from tests.helpers import add_dataset


def test_check_counts_what_is_mixed_in(run):
    "Steps, samples and the memory that they take, as training tells them."
    assert run("build-dataset").exit_code == 0
    alone = report_of(run)
    add_dataset(run, split={"fractions": [1.0, 0.0, 0.0]})
    mixed = report_of(run)
    samples = mixed["samples"]
    assert samples["mixed_in"] == samples["train"] == alone["samples"]["train"]
    assert samples["steps_per_epoch"] == -(-samples["train"] // 16)
    assert alone["samples"]["mixed_in"] == 0
    # as many tiles of training features again
    more = mixed["train"]["file_bytes"] / alone["train"]["file_bytes"]
    assert 1.5 < more < 2
    (said,) = [w for w in mixed["warnings"] if w.startswith("extra_training")]
    assert said.endswith("kept apart from training: east, south")
    text = run("check").stdout
    steps = samples["steps_per_epoch"]
    told = f"  {steps} steps of 32 an epoch, with {samples['train']} samples of extra_"
    assert told in text


def test_check_says_what_is_missing(run):
    "As train would."
    run.raw["extra_training"] = {"dataset": "othr", "share": 0.5}
    run.write()
    add = report_of(run, exit_code=1)
    assert "'othr' is not built" in add["problems"][0]
    add_dataset(run)
    run.raw["extra_training"]["dataset"] = "othr"
    run.write()
    (said,) = report_of(run, exit_code=1)["problems"]
    assert said.startswith("extra_training.dataset: 'othr' is not built in ")
    assert "Did you mean 'other'?" in said
    assert synthetic.experiment()["model_name"] not in said


def test_check_says_that_nothing_is_known_of_what_is_to_be_mixed_in(run):
    "In words of train, which would find out when it has read all tiles."
    rasters = run.raw["dataset_description"]["rasters"]
    thickness = next(r for r in rasters if r["name"] == "thickness")
    source = run.root / "data" / thickness["file"]
    unknown = source.with_name("unknown.tif")
    with rasterio.open(source) as file:
        profile, values = {**file.profile, "nodata": -9999.0}, file.read(1)
    with rasterio.open(unknown, "w", **profile) as file:
        file.write(np.full_like(values, -9999.0), 1)
    others = [*rasters]
    others[rasters.index(thickness)] = {**thickness, "file": unknown.name}
    add_dataset(run, rasters=others)
    (said,) = report_of(run, exit_code=1)["problems"]
    assert said.startswith(
        "extra_training.dataset: the 3 training features of 'other' hold no samples. "
    )
