"""What a file may say of a bed."""

import pytest

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.beds import Bed, find_bed_problems
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic

BAD = [
    ({"surface": "slop"}, "bed.surface: 'slop' is not described.*Did you mean 'slope'"),
    ({"thickness": "slope"}, "bed.thickness: 'slope' is no output of the experiment"),
    ({"thickness": 3}, "bed.thickness: "),
    ({"thick": "x"}, "bed.thick: unknown key"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_names_that_are_none_are_refused(change, message):
    "With the nearest there is."
    raw = synthetic.experiment()
    bed = {"surface": "slope", "thickness": "thickness"}
    raw["drawing_description"]["bed"] = bed
    check_experiment(raw, "exp")
    bed |= change
    with pytest.raises(ExperimentError, match=message):
        check_experiment(raw, "exp")


def test_a_surface_that_is_known_at_points_alone_is_refused():
    "There would be no bed between them."
    raw = synthetic.experiment()
    raw["dataset_description"]["rasters"].append(
        {"name": "spots", "resolution": 50.0, "file": "spots.csv", "column": "z"}
    )
    bed = {"surface": "spots", "thickness": "thickness"}
    raw["drawing_description"]["bed"] = bed
    with pytest.raises(ExperimentError, match=r"bed\.surface: 'spots' is gridded from"):
        check_experiment(raw, "exp")


def test_an_output_of_the_name_of_the_bed_is_refused():
    "Their maps would have one name."
    raw = synthetic.coordinate_experiment(400.0, {"a": 50.0}, 50.0)
    renamed = "target_x_bed"
    for part in (raw["outputs"], raw["dataset_description"]["rasters"]):
        part[-1]["name"] = renamed
    for part in (raw["losses_name"], raw["model_description"]["outputs"]):
        part[renamed] = part.pop("target_y")
    raw["criterion"] = "val_loss"
    check_experiment(raw, "exp")
    raw["drawing_description"]["bed"] = {"surface": "x_a", "thickness": "target_x"}
    with pytest.raises(ExperimentError, match="'target_x_bed', which the bed below"):
        check_experiment(raw, "exp")


def test_an_output_whose_bed_could_not_name_a_file_is_refused():
    "Its own name is as long as names may be."
    raw = synthetic.coordinate_experiment(400.0, {"a": 50.0}, 50.0)
    renamed = "t" * 120
    for part in (raw["outputs"], raw["dataset_description"]["rasters"]):
        part[-1]["name"] = renamed
    for part in (raw["losses_name"], raw["model_description"]["outputs"]):
        part[renamed] = part.pop("target_y")
    raw["criterion"] = "val_loss"
    raw["drawing_description"]["bed"] = {"surface": "x_a", "thickness": renamed}
    with pytest.raises(ExperimentError, match="is longer than 120 bytes"):
        check_experiment(raw, "exp")
    raw["drawing_description"]["bed"]["thickness"] = "target_x"
    check_experiment(raw, "exp")


@pytest.mark.parametrize(
    ("unit", "is_right"),
    [
        (None, True),
        ("", True),
        ("m", True),
        ("Metres", True),
        ("meter", True),
        ("m a.s.l.", True),
        ("m above sea level", True),
        ("masl", True),
        ("m a.m.s.l.", True),
        ("[m]", True),
        ("m (EGM96)", True),
        ("m (w.e.)", False),
        ("ft", False),
        ("m/yr", False),
        ("mm", False),
        ("m w.e.", False),
    ],
)
@pytest.mark.parametrize("name", ["dem", "thickness"])
def test_both_are_in_metres(name, unit, is_right):
    "As far as anything is said of units."
    bed = Bed(surface="dem", thickness="thickness")
    problems = find_bed_problems(bed, "the model 'a'", ["thickness"], {name: unit})
    assert len(problems) == (not is_right)
    assert all(f"{name!r} is in {unit!r}. Must be in metres" in p for p in problems)
