"""Profiles that lie where nothing is: said before and when they are drawn."""

import csv
import json

import pytest
import shapely

from glacier_inversion.dataset.profile_lines import find_stray_profiles
from tests import synthetic
from tests.checking.helpers import report_of
from tests.helpers import copy_of

OUTLINES = {
    "Gries": shapely.box(0, 0, 100, 100),
    "Rhone": shapely.box(200, 0, 300, 100),
}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([[(50, 50), (60, 60)]], None),
        ([[(-50, 50), (350, 50)]], None),  # its ends are outside
        ([[(0, 5000), (9, 5000)], [(210, 10), (290, 90)]], None),  # one of two is there
        ([[(100, 50), (150, 50)]], None),  # touches
        ([[(130, 50), (150, 50)]], "the nearest, Gries, is 30 m away"),
        ([[(0, 5000), (9, 5000)], [(280, 190), (290, 190)]], "Rhone, is 90 m away"),
        ([[(-4e6, 50), (-3e6, 50)]], "the nearest, Gries, is 3,000,000 m away"),
    ],
)
def test_a_profile_that_meets_no_outline_is_told(lines, told):
    "With the nearest of all its lines to all outlines."
    profiles = {"fine": [shapely.LineString([(10, 10), (20, 20)])]}
    profiles["along"] = [shapely.LineString(line) for line in lines]
    said = list(find_stray_profiles(profiles, OUTLINES))
    assert len(said) == (told is not None)
    for one in said:
        assert one.startswith("profile along: meets no feature that has tiles: ")
        assert told in one


def test_without_outlines_nothing_is_said():
    assert not [*find_stray_profiles({"a": [shapely.LineString([(0, 0), (1, 1)])]}, {})]


def test_all_profiles_that_cannot_be_read_are_named(finished, tmp_path):
    "By check, a problem each, and by draw."
    run = copy_of(finished, tmp_path)
    synthetic.write_outlines(
        run.root / "data/profiles/area.shp", [({}, shapely.box(0, 0, 9, 9))]
    )
    far = synthetic.LEFT - 50_000, synthetic.TOP
    line = [far, (far[0] + 500, far[1])]
    synthetic.write_lines(run.root / "data/profiles/astray.shp", [line])
    names = ["missing", "area", "along", "gone", "astray"]
    run.raw["drawing_description"] |= {"profiles": names}
    run.write()
    wrong = ["missing.shp: does not", "area.shp: holds no line", "gone.shp: does not"]
    report = json.loads(run("check", "--json").stdout)
    problems = report["problems"]
    assert len(problems) == 3
    for said, problem in zip(wrong, problems, strict=True):
        assert said in problem
    assert [w for w in report["warnings"] if "profile astray: meets no feature" in w]
    drawn = run("draw")
    assert drawn.exit_code == 1
    assert all(said in drawn.stderr for said in wrong)


def test_check_and_draw_tell_it_once(finished, tmp_path):
    "However many models are drawn; the profile is written, and empty."
    run = copy_of(finished, tmp_path)
    (run.root / "models/other").mkdir()
    for path in (run.root / "models/small").rglob("*"):
        if path.is_file():
            other = (
                run.root / "models/other" / path.relative_to(run.root / "models/small")
            )
            other.parent.mkdir(exist_ok=True)
            other.write_bytes(path.read_bytes())
    far = synthetic.LEFT - 50_000, synthetic.TOP
    line = [far, (far[0] + 500, far[1])]
    synthetic.write_lines(run.root / "data/profiles/astray.shp", [line])
    description = run.raw["drawing_description"]
    description |= {"profiles": ["along", "astray"], "models": ["small", "other"]}
    description["features"] = []
    run.write()
    told = [w for w in report_of(run)["warnings"] if "profile " in w]
    assert len(told) == 1
    assert told[0].startswith("profile astray: meets no feature")
    drawn = run("draw")
    assert drawn.exit_code == 0
    assert drawn.stderr.count(told[0]) == 1
    for model in ("small", "other"):
        path = run.root / f"drawings/{model}/profiles/astray_thickness.csv"
        with path.open() as file:
            assert {row["mean"] for row in csv.DictReader(file)} == {""}
