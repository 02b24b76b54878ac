"""Folds: whole groups, each held out once, of about as many known pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.folds import Grouping, check_known, make_folds

FILE = "data/o.gpkg"
KNOWN = {"a": 50, "b": 0, "c": 30, "d": 20, "e": 10, "f": 25}


def held_out(folds):
    return [fold.held_out for fold in folds]


@given(
    st.lists(st.integers(0, 1000), min_size=3, max_size=30),
    st.integers(2, 12),
    st.booleans(),
)
def test_every_known_feature_is_held_out_once(counts, n_folds, nested):
    "And never trains or validates where it is; the others all do, each in one part."
    n_known = {f"f{i}": n for i, n in enumerate(counts)}
    known = {feature for feature, n in n_known.items() if n}
    if len(known) < 3:
        return
    n_folds = max(n_folds, 3)
    folds = make_folds(n_known, n_folds=n_folds, nested=nested)
    assert len(folds) == min(n_folds, len(known))
    every = [feature for fold in folds for feature in fold.held_out]
    assert sorted(every) == sorted(known)
    for fold in folds:
        parts = [*fold.held_out, *fold.validation, *fold.train]
        assert sorted(parts) == sorted(n_known)
        assert bool(fold.validation) == nested
        assert fold.held_out
        assert fold.train
    assert len({fold.name for fold in folds}) == len(folds)


def test_folds_are_of_about_as_many_pixels():
    assert held_out(make_folds(KNOWN, n_folds=2)) == [["a", "d"], ["c", "f", "e"]]


def test_each_is_left_out_alone_where_there_are_no_more():
    "The folds are called after it; what is known nowhere trains in all of them."
    for n_folds in (None, 5, 10):
        folds = make_folds(KNOWN, n_folds=n_folds)
        assert [fold.name for fold in folds] == ["a", "c", "d", "e", "f"]
        assert all("b" in fold.train for fold in folds)


def test_groups_stay_together():
    groups = {"a": "G1", "b": "G2", "c": "G1", "d": "G2", "e": "G3", "f": "G3"}
    folds = make_folds(KNOWN, groups=groups)
    assert [(fold.name, fold.held_out) for fold in folds] == [
        ("G1", ["a", "c"]),
        ("G2", ["d"]),
        ("G3", ["e", "f"]),
    ]
    assert folds[1].train == ["a", "b", "c", "e", "f"]


def test_nested_folds_validate_on_the_next_one():
    folds = make_folds(KNOWN, nested=True)
    assert [fold.validation for fold in folds] == [["c"], ["d"], ["e"], ["f"], ["a"]]
    splits = folds[0].splits(["x"])
    assert splits == {
        **dict.fromkeys("bdef", "train"),
        "c": "validation",
        "a": "test",
        "x": "test",
    }


@pytest.mark.parametrize(
    ("n_known", "given", "message"),
    [
        (
            {"a": 0, "b": 0},
            {},
            "crossval: 0 features with known targets. Must be 2 at least: one to hold "
            "out, one to train on. Measure more glaciers, or take those of the test in "
            "with --all.",
        ),
        (
            {"a": 5, "b": 3},
            {"nested": True, "groups": {"a": "g", "b": "h"}},
            "crossval: 2 groups of features with known targets.",
        ),
        ({"a": 5, "b": 0}, {}, "crossval: 1 feature with known targets."),
        (
            {"a": 5, "b": 3},
            {"nested": True},
            "crossval: 2 features with known targets. Must be 3 at least: one to hold "
            "out, one to train on, one to validate on, as '--scheme nested' or the "
            "criterion asks. Measure more",
        ),
        (
            {"a": 5, "b": 3, "c": 2},
            {"nested": True, "n_folds": 2},
            "asks. Ask for more of them.",
        ),
        (
            {"a": 5, "b": 3},
            {"groups": {"a": "g", "b": "g"}},
            "crossval: 1 group of features with known targets.",
        ),
        (
            {"a": 5, "b": 3},
            {"groups": {"a": "x/y", "b": "z"}},
            "the folds 'x/y' holds '/'. Must be able to name folders",
        ),
        (
            {"a": 5, "b": 3},
            {"groups": {"a": "z", "b": "Z"}},
            "'z' and 'Z' would share a folder",
        ),
    ],
)
def test_what_gives_no_folds_is_refused(n_known, given, message):
    with pytest.raises(DatasetError) as caught:
        make_folds(n_known, **given)
    assert message in str(caught.value)


def test_the_folds_of_other_options_have_other_names():
    "So that none takes the folder of another; a column's name may not leave it."
    names = [
        fold.name
        for n_folds in (None, 2, 3)
        for suffix in ("", "_nested", "_all", "_by_basin")
        for fold in make_folds(KNOWN, n_folds=n_folds, suffix=suffix)
    ]
    assert len(set(names)) == len(names) == 4 * (5 + 2 + 3)
    assert names[5:8] == ["a_nested", "c_nested", "d_nested"]
    assert "fold_2_of_3_by_basin" in names
    with pytest.raises(DatasetError, match="'fold_1_of_2_by_x/y' holds '/'"):
        make_folds(KNOWN, n_folds=2, suffix="_by_x/y")


def test_an_output_known_in_one_fold_alone_is_found():
    "By name, before anything is trained; one that is known nowhere is left out."
    folds = make_folds(KNOWN, nested=True)
    known = {"thickness": KNOWN, "bed": dict.fromkeys(KNOWN, 0)}
    check_known(folds, known, "val_thickness_mae")
    known["bed"] = {**known["bed"], "c": 7}
    # held out in one fold, and it validates another
    with pytest.raises(DatasetError) as caught:
        check_known(folds, known, "loss")
    assert str(caught.value).startswith(
        "bed: is known on no training feature of the folds a, c. Must be known on one"
    )
    with pytest.raises(DatasetError, match="bed: is known on no validation feature"):
        check_known(folds, known, "val_bed_mae")


def test_many_folds_that_lack_an_output_are_counted():
    "Five are named."
    n_known = {f"g{i:02}": 9 for i in range(40)}
    known = {"bed": {**dict.fromkeys(n_known, 0), "g07": 1}}
    with pytest.raises(DatasetError) as caught:
        check_known(make_folds(n_known), known, "val_bed_mae")
    training, validation = str(caught.value).split("\n")
    assert "no training feature of the folds g07. Must" in training
    assert "g03, g04 and 35 more. Must be known on one of each fold." in validation


def test_the_output_that_the_criterion_watches_is_found_by_its_whole_name():
    "That of 'ice_age' begins with the name of 'ice', which it does not watch."
    folds = make_folds(KNOWN, nested=True)
    known = {"ice": {"a": 0, "b": 0, "c": 1, "d": 1, "e": 1, "f": 0}, "ice_age": KNOWN}
    check_known(folds, known, "val_ice_age_mae")
    with pytest.raises(DatasetError, match="ice: is known on no validation feature"):
        check_known(folds, known, "val_ice_mae")


def test_features_without_anything_known_need_no_group():
    "They train in every fold; those that are held out are all named."
    groups = {"a": "x", "c": "y"}
    known = {"a": 3, "b": 0, "c": 1}
    assert Grouping("basin", FILE, groups).of_known(known) == groups
    said = "data/o.gpkg: the column 'basin' is empty of b, d. Must name a group"
    with pytest.raises(DatasetError, match=said):
        Grouping("basin", FILE, {"a": "x"}).of_known({"a": 3, "b": 2, "d": 1})
