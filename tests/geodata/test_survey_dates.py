"""Dates of which only a part is known: taken where all that they may be is asked for."""

from pathlib import Path

import pandas as pd
import pytest

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.survey_dates import span_of, within


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("2009-07-31", ("2009-07-31", "2009-08-01")),
        ("2009-12-31T23:59:59Z", ("2009-12-31", "2010-01-01")),
        ("2009/07/31", ("2009-07-31", "2009-08-01")),
        (20090731, ("2009-07-31", "2009-08-01")),
        (20090799.0, ("2009-07-01", "2009-08-01")),
        (20099999.0, ("2009-01-01", "2010-01-01")),
        ("20090000", ("2009-01-01", "2010-01-01")),
        ("20090731.0", ("2009-07-31", "2009-08-01")),
        ("99999999", ("0001-01-01", "9999-12-31")),
        ("2009-12", ("2009-12-01", "2010-01-01")),
        (" 2009 ", ("2009-01-01", "2010-01-01")),
        (pd.Timestamp("2009-02-28 12:00"), ("2009-02-28", "2009-03-01")),
    ],
)
def test_dates_are_spans(value, span):
    assert span_of(value) == span


@pytest.mark.parametrize("value", ["31.7.2009", "2009-02-30", 2009.58, "soon", "209"])
def test_what_is_no_date_is_refused(value):
    with pytest.raises(ValueError, match=r"."):
        span_of(value)


def test_a_date_lies_within_as_a_whole():
    "An empty one never; a year that the period holds in part does not."
    dates = pd.Series(["2009", "2008-12-31", "2009-01-01", None, "2010-06", "2010"])
    found = within(Path("t.csv"), dates, "2009-01-01", "2010-07-01")
    assert found.tolist() == [True, False, True, False, True, False]
    assert within(Path("t.csv"), dates, None, None).tolist()[3] is False


def test_the_message_names_the_field():
    dates = pd.Series(["2009", "soon"], name="SURVEY_DATE")
    with pytest.raises(
        RasterError, match=r"t.csv: SURVEY_DATE is 'soon' in data row 2. Must"
    ):
        within(Path("t.csv"), dates, "2009-01-01", None)
