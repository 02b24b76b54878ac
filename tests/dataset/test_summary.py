"""summary.json: broken or edited, it is refused."""

import pytest

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import DatasetError, WorkspaceError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build, summary


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2}', '{"format": 2, "features": [1]}']
)
def test_a_broken_summary_is_said_to_be_broken(run, text):
    "Whoever broke it."
    build(run)
    (run.root / "datasets/region/summary.json").write_text(text)
    with pytest.raises(DatasetError, match=r"has a broken summary\.json"):
        open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


@pytest.mark.parametrize("name", ["../../../evil", "/tmp/evil", "a\0b", ".."])
@pytest.mark.parametrize("where", ["feature", "raster"])
def test_names_in_a_summary_are_checked(run, name, where):
    "They become paths, to which maps were written."
    build(run)
    content = summary(run)
    if where == "raster":
        content["description"]["rasters"][0]["name"] = name
    else:
        content["features"][0][where] = name
    synthetic.write_json(run.root / "datasets/region/summary.json", content)
    with pytest.raises(DatasetError, match=r"broken summary\.json \((features|desc)"):
        open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


def test_a_folder_in_the_place_of_the_summary_is_not_removed(run):
    "It may be anything."
    folder = run.root / "datasets/region/summary.json"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match=r"summary\.json: is a folder"):
        build(run)
    assert (folder / "mine.txt").exists()
