"""Calibration by the validation features alone."""

import json

import pytest

from glacier_inversion import Workspace, calibrate
from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.calibrate import keep_calibration
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.locks import locked
from tests import synthetic
from tests.helpers import copy_of


@pytest.fixture
def validated(run):
    """A workspace with four validation features, trained for a moment."""
    outlines = [
        ({**columns, "train": 0 if columns["id"] == "north-1" else 1}, polygon)
        for columns, polygon in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", outlines)
    run.raw.update(epochs=2, criterion="loss")
    run.write()
    for command in ("build-dataset", "train"):
        assert run(command).exit_code == 0
    return run


def test_the_errors_on_validation_features_calibrate(validated):
    "And say so: where they are from, and that they had a say, if they had."
    result = validated("calibrate")
    assert result.exit_code == 0, result.output
    path = validated.root / "models/small/calibration.json"
    folder = validated.root / "evaluations/small/validation"
    files = ["metrics.json", "metrics.csv", "residuals.gpkg"]
    assert result.stdout.splitlines()[-4:] == [
        str(path),
        *(str(folder / file) for file in files),
    ]
    assert "\ncalibrated  " in result.stdout
    assert "of one size everywhere" in result.stdout
    content = json.loads(path.read_text())
    assert content["source"] == "validation"
    own = content["outputs"]["thickness"]
    assert own["covariogram"]["length"] > 0
    assert set(own["n_errors"]) == {"north-2", "west", "east", "south"}
    # the check is kept, too: what intervals hold of each, fitted to the others
    metrics = json.loads((folder / "metrics.json").read_text())
    checked = metrics["outputs"]["thickness"]["uncertainty"]
    assert "features_calibrated" not in checked
    for level, fitted in own["levels"].items():
        found = checked["calibrated"]["levels"][level]
        assert found["coverage"] == pytest.approx(fitted["coverage"])
    assert "\nthickness,calibrated," in (folder / "metrics.csv").read_text()
    assert "best epochs were chosen" not in result.stderr
    validated.raw["drawing_description"]["statistics"] = ["uncertainty"]
    validated.raw["drawing_description"]["features"] = ["north-1"]
    validated.raw["drawing_description"]["profiles"] = []
    validated.write()
    assert validated("draw").exit_code == 0
    assert (
        validated.root / "drawings/small/north-1/thickness_uncertainty.tif"
    ).exists()
    # a cross-validation of too few groups takes nothing away
    before = path.read_bytes()
    result = validated("crossval", "--group", "train")
    assert result.exit_code == 0, result.output
    assert (
        "no calibration: thickness: has errors on 2 groups of features" in result.stderr
    )
    assert "calibration.json: stays as it is, of other errors" in result.stderr
    assert path.read_bytes() == before


def test_one_command_at_a_time_changes_what_lies_with_a_model(validated):
    "Else two that calibrate write into one file, and training removes it half-written."
    folder = validated.root / "models/small"
    with locked(folder, "training"):
        result = validated("calibrate")
    assert result.exit_code == 1
    assert f"{folder}: another command is training or calibrating it." in result.stderr
    assert not (folder / "calibration.json").exists()
    assert validated("calibrate").exit_code == 0


def test_too_few_validation_features_are_refused(finished, tmp_path):
    run = copy_of(finished, tmp_path / "few")
    checked = check_experiment(run.raw, "exp")
    with pytest.raises(DatasetError) as caught:
        calibrate(checked, Workspace(run.root))
    assert str(caught.value) == (
        f"{run.root}/models/small: cannot be calibrated. Must be trained from this "
        "experiment and dataset, and have four validation features at least of which a "
        "measured output is known. Run 'ginv crossval', which takes those of training, "
        "too."
    )
    assert not (run.root / "models/small/calibration.json").exists()


def test_a_model_that_is_not_trained_keeps_no_calibration(tmp_path, caplog):
    "As after a cross-validation of an experiment alone; it is said, and nothing made."
    checked = check_experiment(synthetic.experiment(), "exp")
    fitted = {"thickness": None}  # which is not looked at
    kept = keep_calibration(checked, Workspace(tmp_path), None, fitted, 2, "crossval")
    assert kept is None
    said = f"{tmp_path}/models/small: is not trained, so no calibration is kept with it"
    assert said in caplog.text
    assert list(tmp_path.iterdir()) == []
