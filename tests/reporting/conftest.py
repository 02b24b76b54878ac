"""A workspace with all that a report tells of."""

import json
import shutil

import pytest

from glacier_inversion import Workspace, load_experiment, open_dataset
from glacier_inversion.reporting.reading import read_sources
from glacier_inversion.training.model.calibration import (
    LEVELS,
    Calibration,
    Level,
    OutputCalibration,
)
from glacier_inversion.training.model.calibration_file import write_calibration
from glacier_inversion.training.model.model import read_model
from tests.helpers import copy_of

FEATURES = ["north-1", "north-2", "west", "east"]
COVERAGE = {"north-1": 0.9, "north-2": 1.0, "west": 0.7, "east": 0.95}


def calibrate(run):
    """Write a calibration of the model, as a cross-validation would."""
    folder = run.root / "models/small"
    levels = {level: Level(level / 50, None, level / 100, COVERAGE) for level in LEVELS}
    own = OutputCalibration(
        0.5, 1.0, 0.0, levels, dict.fromkeys(FEATURES, 100), True, FEATURES
    )
    identity = read_model(folder).identity
    write_calibration(Calibration({"thickness": own}, "crossval", identity, 2), folder)


@pytest.fixture(scope="session")
def reported(finished, tmp_path_factory):
    """All features drawn, evaluated and reported; only read."""
    run = copy_of(finished, tmp_path_factory.mktemp("reported"))
    calibrate(run)
    run.raw["evaluation_description"] = {
        "baselines": {"thickness": [{"name": "plasticity", "slope": "slope"}]}
    }
    run.raw["drawing_description"] |= {
        "features": "all",
        "statistics": ["mean", "uncertainty"],
    }
    run.write()
    for command, *options in (("draw",), ("evaluate",), ("evaluate", "--split", "all")):
        result = run(command, *options)
        assert result.exit_code == 0, result.output
    # as if its features had been held out
    evaluations = run.root / "evaluations/small"
    shutil.copytree(evaluations / "all", evaluations / "crossval")
    metrics = json.loads((evaluations / "crossval/metrics.json").read_text())
    (evaluations / "crossval/metrics.json").write_text(
        json.dumps({**metrics, "split": "crossval"})
    )
    result = run("report")
    assert result.exit_code == 0, result.output
    (run.root / "printed.txt").write_text(result.stdout)
    return run


@pytest.fixture
def sources(reported):
    """What is read of that workspace."""
    experiment, workspace = load_experiment(reported.file), Workspace(reported.root)
    dataset = open_dataset(experiment, workspace)
    return read_sources(experiment, workspace, dataset, "small")
