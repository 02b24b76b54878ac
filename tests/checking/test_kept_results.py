"""What check says of a model that is there and is another than the experiment's."""

import rasterio
from shapely.geometry import Polygon

from tests import synthetic
from tests.checking.helpers import report_of
from tests.helpers import copy_of


def problems_with(run, **keys):
    """Change keys; return the problem that check tells, and what train says."""
    run.raw.update(keys)
    run.write()
    (problem,) = report_of(run, exit_code=1)["problems"]
    trained = run("train")
    assert trained.exit_code == 1
    return problem, trained.stderr


def test_a_model_of_another_experiment_is_a_problem(finished, tmp_path):
    "Train would stop at it; more seeds, or other drawings, are none."
    run = copy_of(finished, tmp_path)
    assert report_of(run)["problems"] == []
    run.raw["seeds_number"] += 1
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    assert report_of(run)["problems"] == []
    problem, said = problems_with(run, batch_size=8, learning_rate=0.5)
    assert problem.startswith(
        f"{run.root}/models/small: was trained with other values of: batch_size, "
        "learning_rate. Must not be mixed. Choose another model_name"
    )
    assert problem in said


def test_a_model_of_another_split_is_a_problem(finished, tmp_path):
    "As the outlines have it now."
    run = copy_of(finished, tmp_path)
    outlines = [
        ({**columns, "train": 2 if columns["id"] == "west" else columns["train"]}, part)
        for columns, part in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", outlines)
    problem, said = problems_with(run)
    assert "of: dataset_description.split (train). Must not be mixed" in problem
    assert problem in said


def test_a_model_of_other_inputs_is_a_problem(finished, tmp_path):
    "Once they are built: before, nobody knows what they will be."
    run = copy_of(finished, tmp_path)
    with rasterio.open(run.root / "data/speed.tif", "r+") as dst:
        dst.write(dst.read() + 1)
    report = report_of(run)
    assert report["problems"] == []
    assert any("was built from other files of speed" in w for w in report["warnings"])
    assert run("build-dataset").exit_code == 0
    problem, said = problems_with(run)
    assert "trained with other values of: dataset.inputs.speed. Must not" in problem
    assert "trained with other values of: dataset.inputs.speed, normali" in said


def test_an_outline_that_became_useless_is_no_other_split(finished, tmp_path):
    "Its tiles are there, and train goes on with them."
    run = copy_of(finished, tmp_path)
    outlines = [
        (columns, Polygon() if columns["id"] == "west" else part)
        for columns, part in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", outlines)
    said = report_of(run, exit_code=None)
    assert not [p for p in said["problems"] if "models/small" in p]
    assert run("train").exit_code == 0


def test_members_without_what_they_follow_from_are_a_problem(finished, tmp_path):
    run = copy_of(finished, tmp_path)
    (run.root / "models/small/model.json").unlink()
    problem, said = problems_with(run)
    assert f"{run.root}/models/small: holds members but no model.json" in problem
    assert problem in said


def test_a_drawing_of_nothing_is_warned_of(finished, tmp_path):
    "As draw does; of a file that draws with no model it is meant."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] |= {"features": [], "profiles": []}
    run.write()
    said = "drawing_description: names no feature and no profile"
    assert said in report_of(run)["warnings"]
    assert said in run("draw").stderr
    run.raw["drawing_description"]["models"] = []
    run.write()
    assert said not in report_of(run)["warnings"]


def test_a_broken_model_is_told(finished, tmp_path):
    "Whether it is to be drawn or not."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["models"] = []
    run.write()
    (run.root / "models/small/model.json").write_text("{}")
    (problem,) = report_of(run, exit_code=1)["problems"]
    assert "models/small/model.json" in problem
