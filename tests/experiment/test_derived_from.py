"""Rasters that cannot be derived are refused, with their paths."""

import pytest

from glacier_inversion.experiment.derivation import find_derivations
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.experiment.helpers import problems

# how messages begin to list the derivations that there are
KNOWN = f"Known: {', '.join(list(find_derivations())[:3])}, "


def with_rasters(*derived):
    """Return an experiment with more rasters, each named and derived so."""
    raw = synthetic.experiment()
    raw["dataset_description"]["rasters"] += [
        {"name": name, "resolution": 50.0, **rest} for name, rest in derived
    ]
    return raw


def smooth(of, **rest):
    return {"derive": {"name": "smooth", "of": of, "sigma": 100.0, **rest}}


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        (
            [("a", {})],
            "rasters[3]: {...: Must hold either 'file' or 'derive'.",
        ),
        (
            [("a", {"file": "a.tif", **smooth("slope")})],
            "Must hold either 'file' or 'derive'.",
        ),
        (
            [("a", {"nodata": 0, **smooth("slope")})],
            "'nodata' is for a file. Must not be with 'derive'.",
        ),
        (
            [("a", smooth("slop"))],
            "rasters[3].derive.of: 'slop' is not described. Must be among "
            "dataset_description.rasters. Did you mean 'slope'?",
        ),
        (
            [("a", smooth("speed"))],
            "rasters[3].derive.of: 'speed' has the resolution 100, and 'a' has 50. "
            "Must be the same. Use 100 here, or describe the raster once more, by "
            "another name, at 50.",
        ),
        (
            [("a", smooth("a"))],
            "rasters[3].derive.of: a → a: these are derived from each other in a "
            "circle. Must begin with a raster that is read from a file.",
        ),
        (
            [("a", smooth("b")), ("b", smooth("c")), ("c", smooth("b"))],
            "rasters[4].derive.of: b → c → b: these are derived from each other in a "
            "circle.",
        ),
        (
            [("a", {"derive": {"name": "smoth", "of": "slope"}})],
            "rasters[3].derive: the derivation 'smoth' does not exist. Did you mean "
            f"'smooth'? {KNOWN}",
        ),
        (
            [("a", {"derive": {"of": "slope"}})],
            f"rasters[3].derive: has no name. Must name the derivation. {KNOWN}",
        ),
        (
            [("a", smooth("slope", sgima=3))],
            "rasters[3].derive.sgima: unknown key. Did you mean 'sigma'?",
        ),
        (
            [("a", smooth(["slope", "slope"]))],
            "rasters[3].derive.of: has 2 entries. Must have at most 1.",
        ),
        (
            [("a", smooth("slope", sigma=-1))],
            "rasters[3].derive.sigma: -1 is not allowed. Must be greater than 0.",
        ),
        (
            [("a", {"derive": {"name": "inside", "of": "slope"}})],
            "rasters[3].derive.of: unknown key.",
        ),
        (
            [("a", smooth("slope", sigma=20_000))],
            "rasters[3].derive: a pixel depends on others that are 1,600 pixels away. "
            "Must be at most 1,000.",
        ),
        (
            [("a", smooth("slope", sigma=8000)), ("b", smooth("a", sigma=8000))],
            "rasters[4].derive: a pixel depends on others that are 1,280 pixels away.",
        ),
        (
            [(f"s{i}", smooth(f"s{i - 1}" if i else "slope")) for i in range(21)],
            "rasters[23].derive: 21 rasters are derived one upon the other. Must be at "
            "most 20.",
        ),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_wrong_derivations_are_refused(derived, message):
    "Each once."
    found = problems(with_rasters(*derived))
    if "{..." in message:
        start, end = message.split("{...")
        assert len(found) == 1
        assert start in found[0]
        assert end in found[0]
    else:
        assert sum(message in problem for problem in found) == 1, found


def test_a_circle_is_told_once():
    "Whichever of its rasters, or of those that lead to it, is looked at first."
    rasters = [("a", smooth("b")), ("b", smooth("c")), ("c", smooth("b"))]
    assert len(problems(with_rasters(*rasters))) == 1


def test_an_output_is_read_from_a_file():
    "What is measured belongs to one glacier, which a mean of neighbours does not."
    raw = with_rasters(("a", smooth("thickness")))
    raw["outputs"][0]["name"] = "a"
    raw["losses_name"] = {"a": "nan_mae"}
    raw["metrics_name"] = {}
    raw["model_description"]["outputs"] = {
        "a": raw["model_description"]["outputs"]["thickness"]
    }
    (problem,) = problems(raw)
    assert (
        "outputs[0].name: 'a' is derived from other rasters. An output must" in problem
    )
    assert "Use a raster with 'file'." in problem


def test_any_order_of_rasters_will_do():
    "One name is as good as a list of one; ancestors are told from near to far."
    derived = [("b", smooth("a")), ("a", smooth(["slope"]))]
    checked = check_experiment(with_rasters(*derived), "exp").dataset_description
    assert checked.raster("a").derive.rasters == ["slope"]
    assert [raster.name for raster in checked.ancestors("b")] == ["a", "slope"]
    assert checked.raster("b").origin == "smooth of a"


def test_derivations_of_the_wrong_type_are_no_traceback():
    "Whatever stands there."
    for derive in (3, [], {}, {"name": 3}, {"name": "smooth", "of": 3}, {"name": []}):
        assert problems(with_rasters(("a", {"derive": derive})))
