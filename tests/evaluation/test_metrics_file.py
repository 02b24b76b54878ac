"""What an evaluation wrote is read again, as it was."""

import json

import geopandas
import numpy as np
import pytest

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.evaluation.metrics import METRICS_BY_NAME
from glacier_inversion.evaluation.metrics_file import read_metrics, read_residuals


def test_numbers_are_read_as_they_were_written(evaluated):
    "Of the ensemble, of simpler methods, by class and by feature."
    folder = evaluated.root / "evaluations/small/all"
    written = json.loads((folder / "metrics.json").read_text())
    read = read_metrics(folder)
    assert (read.split, read.seeds) == ("all", [0, 1])
    scores, own = written["outputs"]["thickness"], read.outputs["thickness"]
    assert (own.unit, own.n_known) == (scores["unit"], scores["n_known"])
    assert own.ensemble.intervals["rmse"] == tuple(
        scores["ensemble"]["intervals"]["rmse"]
    )
    for method, expected in (
        (own.ensemble, scores["ensemble"]),
        *zip(own.baselines, scores["baselines"], strict=True),
    ):
        for part, of_part in (
            (method, expected),
            *zip(method.features, expected["features"], strict=True),
            *zip(method.classes, expected["classes"], strict=True),
        ):
            assert part.n == of_part["n"]
            assert part.metrics == {name: of_part.get(name) for name in METRICS_BY_NAME}
    assert [c.low for c in own.ensemble.classes][1:] == scores["classes"]
    spread = scores["uncertainty"]["spread"]
    for level, told in own.uncertainty.spread.levels.items():
        assert told.coverage == spread["levels"][str(level)]["coverage"]


@pytest.mark.parametrize("written", ['"much"', "1e999", "[1.0]"])
def test_a_metric_that_is_no_number_is_refused(evaluated, tmp_path, written):
    "By its place in the file."
    path = evaluated.root / "evaluations/small/all/metrics.json"
    content = json.loads(path.read_text())
    content["outputs"]["thickness"]["ensemble"]["features"][2]["mae"] = "HERE"
    text = json.dumps(content).replace('"HERE"', written)
    (tmp_path / "metrics.json").write_text(text)
    where = r"\(outputs\.thickness\.ensemble\.features\[2\]\.mae: Input should be a "
    with pytest.raises(WorkspaceError, match=where):
        read_metrics(tmp_path)


def test_residuals_are_those_that_could_be_predicted(evaluated, tmp_path):
    folder = evaluated.root / "evaluations/small/all"
    table = read_residuals(folder)
    assert len(table) == read_metrics(folder).outputs["thickness"].n_predicted
    error = table["mean"] - table["observed"] - table["residual"]
    assert error.abs().max() < 1e-9
    table.loc[table.index[:7], ["mean", "std", "residual"]] = np.nan
    table.to_file(tmp_path / "residuals.gpkg")
    assert len(read_residuals(tmp_path)) == len(table) - 7


def test_a_table_without_a_column_is_refused(evaluated, tmp_path):
    table = geopandas.read_file(evaluated.root / "evaluations/small/all/residuals.gpkg")
    table.drop(columns="std").to_file(tmp_path / "residuals.gpkg")
    with pytest.raises(WorkspaceError, match="no column 'std'"):
        read_residuals(tmp_path)


def test_noise_is_read_where_it_is_there(evaluated, tmp_path):
    "Earlier versions did not keep it, and most losses say nothing of it."
    table = geopandas.read_file(evaluated.root / "evaluations/small/all/residuals.gpkg")
    assert "noise" not in table
    table.to_file(tmp_path / "residuals.gpkg")
    assert read_residuals(tmp_path)["noise"].isna().all()
    table["noise"] = 3.5
    table.to_file(tmp_path / "residuals.gpkg")
    assert (read_residuals(tmp_path)["noise"] == 3.5).all()
