"""Splits: by a column or by fractions; overlaps between them are said."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import OutlineError
from glacier_inversion.experiment.sections import Split
from glacier_inversion.workspace import SPLITS
from tests import synthetic
from tests.dataset.helpers import build, plan, summary


def test_tiles_that_overlap_across_the_split_are_reported(run, caplog):
    "With their area, by the check, and as a warning of the build."
    build(run)
    overlaps = plan(run).overlaps
    bounds = {row["feature"]: row["bounds"] for row in summary(run)["features"]}
    pairs = {frozenset(overlap["features"]) for overlap in overlaps}
    assert frozenset({"east", "south"}) in pairs
    assert frozenset({"north-1", "west"}) not in pairs  # both train
    for overlap in overlaps:
        a, b = (shapely.box(*bounds[feature]) for feature in overlap["features"])
        assert overlap["area_km2"] == pytest.approx(a.intersection(b).area / 1e6)
    assert "the tiles of east (validation) and south (test) overlap" in caplog.text


def test_outlines_that_overlap_are_reported(run, caplog):
    "A target in both belongs to neither; borders that touch are no overlap."
    build(run)
    assert plan(run).shared_outlines == []
    features = [*synthetic.FEATURES]
    features[0] = (features[0][0], synthetic.box(0, 1500, 1200, 2300))
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    build(run)
    (shared,) = plan(run).shared_outlines
    assert shared == {"features": ["north-1", "north-2"], "area_km2": 0.08}
    assert "the outlines of north-1 and north-2 overlap by 0.0800 km2" in caplog.text


def columns(*values):
    """Return what the column 'kind' says of features."""
    return {str(i): {"kind": value} for i, value in enumerate(values)}


def test_split_by_column_leaves_out_what_is_empty(tmp_path):
    "0, 1 and 2 as numbers or text; names of splits too."
    features = columns(0, 1.0, "2", "test", None, "")
    splits = assign_splits(tmp_path, features, Split(field="kind"))
    assert splits == {"0": "train", "1": "validation", "2": "test", "3": "test"}
    with pytest.raises(OutlineError, match=r"1: 3; 2: 'x'.*Must be 0 \(train\)"):
        assign_splits(tmp_path, columns(0, 3, "x"), Split(field="kind"))
    with pytest.raises(OutlineError, match=r"0: True.*Must be 0 \(train\)"):
        assign_splits(tmp_path, columns(True), Split(field="kind"))
    with pytest.raises(OutlineError, match="Did you mean 'kind'"):
        assign_splits(tmp_path, columns(0), Split(field="kin"))


@pytest.mark.parametrize("n_features", [1, 2, 3, 7, 40, 1000])
def test_split_by_fractions_is_seeded_and_has_its_shares(tmp_path, n_features):
    "The default without a column 'train'; no split is empty if it need not be."
    features = columns(*[None] * n_features)
    splits = assign_splits(tmp_path, features, None)
    counts = [list(splits.values()).count(s) for s in ("train", "validation", "test")]
    assert sum(counts) == n_features
    if n_features >= 3:
        assert min(counts) >= 1
    if n_features >= 40:
        np.testing.assert_allclose(
            counts, np.array([0.7, 0.15, 0.15]) * n_features, atol=1
        )
        other = Split(fractions=[0.7, 0.15, 0.15], seed=1)
        assert assign_splits(tmp_path, features, other) != splits
    backwards = dict(reversed(features.items()))
    assert assign_splits(tmp_path, backwards, None) == splits


@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=40, unique=True),
    st.tuples(*[st.integers(0, 20)] * 3),
    st.integers(0, 2**63 - 1),
    st.randoms(use_true_random=False),
)
def test_fractions_give_every_feature_one_split(ids, weights, seed, random):
    "Whatever their order; each split has its share, to less than one feature."
    assume(sum(weights) > 0)
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    split = Split(fractions=[float(share) for share in shares], seed=seed)
    splits = assign_splits(Path(), {i: {} for i in ids}, split)
    assert splits.keys() == set(ids)
    shuffled = random.sample(ids, len(ids))
    again = assign_splits(Path(), {i: {} for i in shuffled}, split)
    assert again == splits
    assert set(splits.values()) <= set(SPLITS)
    counts = [list(splits.values()).count(name) for name in SPLITS]
    wanted = [share * len(ids) for share in shares]
    positive = [i for i in range(3) if weights[i]]
    for i in range(3):
        if i not in positive:
            assert counts[i] == 0
        elif len(ids) >= len(positive):
            assert counts[i] >= 1
        if all(wanted[j] >= 1 for j in positive):  # none has to give one away
            assert abs(counts[i] - wanted[i]) < 1
