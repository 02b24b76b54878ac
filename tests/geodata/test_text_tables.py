"""Tables as text: encodings, comments, and rows that are too long."""

import pandas as pd
import pytest

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.text_tables import read_form, read_rows


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows(path, *wanted, texts=()):
    form = read_form(path)
    return read_rows(path, form, wanted or form.columns, set(texts))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_spreadsheets_write_many_encodings(tmp_path, encoding, newline):
    text = newline.join(["x;Mächtigkeit", "1;2.5", "2;3", ""])
    table = rows(write(tmp_path / "a.csv", text, encoding))
    assert list(table.columns) == ["x", "Mächtigkeit"]
    assert table["Mächtigkeit"].tolist() == [2.5, 3.0]


def test_comments_before_the_header_are_passed_over(tmp_path):
    path = write(tmp_path / "a.csv", "# by me, in spring\n# at noon\na,b\n1,2\n")
    assert read_form(path).columns == ("a", "b")
    assert rows(path).to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n# mine\n"])
def test_a_first_line_may_say_the_separator(tmp_path, first, encoding):
    "As Excel writes it, and reads; a name may hold more of another."
    path = write(tmp_path / "a.csv", f"{first}a;b,c,d,e\n1;2\n", encoding)
    assert read_form(path).columns == ("a", "b,c,d,e")
    assert rows(path).to_numpy().tolist() == [[1, 2]]
    path = write(tmp_path / "b.csv", "sep=,,a\n1,2,3\n")  # a name like that
    assert read_form(path).columns == ("sep=", "Unnamed: 1", "a")


@pytest.mark.parametrize("wanted", [(), ("y", "h"), ("h",)])
@pytest.mark.parametrize("body", ["1,2,Aletsch, 7,8\n", "1,2,a,3\n1,2,Aletsch, 7,8\n"])
def test_a_row_that_is_too_long_is_refused(tmp_path, wanted, body):
    "Whichever columns are read: its fields would be those of other columns."
    path = write(tmp_path / "a.csv", "x,y,name,h\n" + body)
    number = body.count("\n")
    with pytest.raises(RasterError) as caught:
        rows(path, *wanted)
    assert (
        f"data row {number} has more fields than the header: '8' is beyond. Must have 4 "
        "at most. Put fields that hold a ',' in double quotes."
    ) in str(caught.value)


def test_a_separator_at_the_end_and_short_rows_are_no_harm(tmp_path):
    path = write(tmp_path / "a.csv", 'x,y,name,h\n1,2,"Aletsch, 7",8,\n1,2\n')
    assert rows(path, "h")["h"].isna().tolist() == [False, True]


def test_texts_stay_as_they_are(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n007,NA\n,1.0\n")
    table = rows(path, texts=["a", "b"])
    assert table.astype(object).to_numpy().tolist() == [["007", "NA"], ["", "1.0"]]
    assert rows(path)["b"].isna().tolist() == [True, False]
    path = write(tmp_path / "b.csv", "a,b\n007,1\n010,2\n")  # all of them numbers
    assert rows(path, texts=["a"])["a"].tolist() == ["007", "010"]


def test_no_rows_are_no_rows(tmp_path):
    table = rows(write(tmp_path / "a.csv", "a,b\n"))
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 0
