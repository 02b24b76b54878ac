"""Maps that would have no pixel: what check says of them is what draw says."""

import json
import shutil

from tests.checking.helpers import report_of
from tests.helpers import copy_of

NO_POINT = (
    "holds no point of the lattice. Must be larger than a pixel. Draw it at a finer "
    "resolution, or leave it out."
)


def test_no_feature_can_be_drawn(finished, tmp_path):
    "A problem, before training and after it, and so for models alone."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] |= {"features": ["south"], "resolution": 1e8}
    run.write()
    assert report_of(run, 1)["problems"] == [f"south: {NO_POINT}"]
    drawn = run("draw")
    assert drawn.exit_code == 3
    assert f"south: {NO_POINT}" in drawn.stderr
    keys = "dataset_description", "drawing_description"
    run.file.write_text(json.dumps({key: run.raw[key] for key in keys}))
    assert report_of(run, 1)["problems"] == [f"south: {NO_POINT}"]
    run.write()
    shutil.rmtree(run.root / "models/small")
    assert report_of(run, 1)["problems"] == [f"south: {NO_POINT}"]


def test_some_features_can_be_drawn(finished, tmp_path):
    "Warned of, exactly those that draw cannot."
    run = copy_of(finished, tmp_path)
    n_failed = set()
    for resolution in (50, 1000, 1100):
        run.raw["drawing_description"] |= {"features": "all", "resolution": resolution}
        run.write()
        report = report_of(run)
        said = {w for w in report["warnings"] if w.endswith(NO_POINT)}
        failed = [
            line.removeprefix("ERROR: ").split(":")[0]
            for line in run("draw").stderr.splitlines()
            if line.startswith("ERROR") and line.endswith(NO_POINT)
        ]
        assert said == ({f"{', '.join(failed)}: {NO_POINT}"} if failed else set())
        n_failed.add(len(failed))
    assert len(n_failed) > 1


def test_a_resolution_that_is_no_multiple(finished, tmp_path):
    "Of a model that was trained elsewhere; in the words of draw."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["resolution"] = 30
    keys = "dataset_description", "drawing_description"
    run.file.write_text(json.dumps({key: run.raw[key] for key in keys}))
    (problem,) = report_of(run, 1)["problems"]
    assert "30.0 is no whole multiple of 50" in problem
    drawn = run("draw")
    assert drawn.exit_code == 2
    assert problem in drawn.stderr
