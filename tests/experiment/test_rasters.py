"""Rasters that are gridded from points: what may stand beside what."""

import pytest

from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.experiment.helpers import problems


def with_points(**keys):
    """Return an experiment whose thickness is measured at points."""
    raw = synthetic.experiment()
    raster = {"name": "thickness", "resolution": 50.0, "file": "TTT.csv"}
    raw["dataset_description"]["rasters"][2] = {**raster, **keys}
    return raw


def test_a_selection_is_read_as_it_is_written():
    raw = with_points(
        column="THICKNESS",
        where={"DATA_FLAG": None, "METHOD": ["GPRt", "GPRa"], "GlaThiDa_ID": 12},
        after="2005-01-01",
        before="2016-01-01",
        date_column="SURVEY_DATE",
        points_epsg=21781,
        nodata=-1,
    )
    raster = check_experiment(raw, "exp").dataset_description.raster("thickness")
    assert raster.where == {
        "DATA_FLAG": [None],
        "METHOD": ["GPRt", "GPRa"],
        "GlaThiDa_ID": [12],
    }
    assert (raster.after, raster.before) == ("2005-01-01", "2016-01-01")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "TTT.csv is no raster. Must be with 'column', the column of the values"),
        (
            {"file": "a.tif", "where": {"a": 1}},
            "'where' is for points. Must be with 'column'.",
        ),
        (
            {"column": "h", "band": 2},
            "'band' is for a raster's file. Must not be with 'c",
        ),
        (
            {"column": "h", "resampling": "average"},
            "'resampling' is for a raster's file.",
        ),
        (
            {"column": "h", "date_column": "d"},
            "'date_column' has no effect. Must be with",
        ),
        (
            {"column": "h", "after": "2009"},
            'after: "2009": Must be a day such as 2009-07-',
        ),
        ({"column": "h", "after": "2009-02-30"}, "Must be a day such as 2009-07-31."),
        (
            {"column": "h", "after": "2009-01-01", "before": "2009-01-01"},
            "no day is after 2009-01-01 and before 2009-01-01.",
        ),
        (
            {"column": "h", "where": {}},
            "where: {} is not allowed. Must have at least 1. Add some.",
        ),
        (
            {"column": "h", "where": {"a": []}},
            "where.a: [] is not allowed. Must have at least 1. Add some.",
        ),
        (
            {"column": "h", "where": {"a": {"b": 1}}},
            'where.a: {"b": 1}: Must be a text, a number, true, false or null, or a list',
        ),
    ],
)
def test_what_does_not_fit_is_refused(keys, message):
    (line,) = problems(with_points(**keys))
    assert line.startswith("exp.json: dataset_description.rasters[2]")
    assert message in line


def test_what_is_derived_has_no_column():
    raw = synthetic.experiment()
    raw["dataset_description"]["rasters"].append(
        {
            "name": "ice",
            "resolution": 50.0,
            "column": "h",
            "derive": {"name": "inside"},
        }
    )
    (line,) = problems(raw)
    assert "'column' is for a file. Must not be with 'derive'." in line


def test_nothing_is_derived_from_points():
    raw = with_points(column="THICKNESS")
    raw["dataset_description"]["rasters"].append(
        {
            "name": "smooth",
            "resolution": 50.0,
            "derive": {"name": "smooth", "of": "thickness", "sigma": 100},
        }
    )
    raw["dataset_description"]["vectors"] = [["slope", "thickness"]]
    of_derived, of_vector = problems(raw)
    assert (
        "rasters[3].derive.of: 'thickness' is gridded from points, each feature's own. "
        "Must be a raster that is known around the outlines, too."
    ) in of_derived
    assert "vectors[0]: 'thickness' is gridded from points." in of_vector


def test_a_column_of_null_is_no_column():
    "As the file that training keeps has it."
    raw = synthetic.experiment()
    for raster in raw["dataset_description"]["rasters"]:
        raster["column"] = None
    raw["dataset_description"]["vectors"] = [["slope", "thickness"]]
    raw["dataset_description"]["rasters"].append(
        {
            "name": "smooth",
            "resolution": 50.0,
            "derive": {"name": "smooth", "of": "thickness", "sigma": 100},
        }
    )
    raw["drawing_description"]["bed"] = {"surface": "slope", "thickness": "thickness"}
    assert check_experiment(raw, "exp").dataset_description.raster("slope").file
