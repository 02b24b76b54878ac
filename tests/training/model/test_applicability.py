"""How unlike training points a point is: against the definition, and on disk."""

import numpy as np
import pytest
import safetensors.numpy
from matplotlib.cbook import boxplot_stats
from scipy.spatial.distance import cdist, pdist
from sklearn.neighbors import NearestNeighbors

from glacier_inversion.errors import ModelError
from glacier_inversion.training.model.applicability import (
    APPLICABILITY,
    choose_points,
    fit_applicability,
    read_applicability,
    write_applicability,
)

RNG = np.random.default_rng(0)
FEATURE = np.repeat([0, 1, 2, 3], 30)
POINTS = (RNG.normal(size=(120, 3)) * [1, 10, 0.1] + FEATURE[:, None]).astype("f4")


def test_it_is_the_index_of_meyer_and_pebesma_over_its_threshold():
    "Distances over the mean of all pairs; whisker by matplotlib, nearest by scikit-learn."
    fitted = fit_applicability(POINTS, FEATURE)
    scaled = POINTS / POINTS.std(axis=0)
    mean = pdist(scaled).mean()
    other = FEATURE[:, None] != FEATURE
    own = np.where(other, cdist(scaled, scaled), np.inf).min(axis=1) / mean
    whisker = boxplot_stats(own)[0]["whishi"]
    assert whisker < own.max()  # there is an outlier
    asked = (RNG.normal(size=(50, 3)) * 5).astype("f4")
    nearest = NearestNeighbors(n_neighbors=1).fit(scaled)
    distance, _ = nearest.kneighbors(asked / POINTS.std(axis=0))
    expected = distance[:, 0] / mean / whisker
    np.testing.assert_allclose(fitted.dissimilarity(asked), expected, rtol=1e-4)


def test_training_points_are_like_themselves_and_others_are_not():
    "The index of what was trained on is 0; of what is far off, beyond the threshold."
    fitted = fit_applicability(POINTS, FEATURE)
    assert (fitted.dissimilarity(POINTS) == 0).all()
    assert (fitted.dissimilarity(POINTS + POINTS.std(axis=0) * 20) > 1).all()


def test_a_statistic_that_is_constant_counts_as_it_is():
    "It is not divided by 0."
    points = np.column_stack([POINTS, np.full(len(POINTS), 7.0)]).astype("f4")
    fitted = fit_applicability(points, FEATURE)
    expected = fit_applicability(POINTS, FEATURE)
    assert fitted.threshold == pytest.approx(expected.threshold)
    assert fitted.dissimilarity(points + np.float32([0, 0, 0, 100])).min() > 1


def test_one_feature_says_nothing_of_others():
    "There is no other to compare it with."
    assert fit_applicability(POINTS, np.zeros(len(POINTS), int)) is None


@pytest.mark.parametrize(("n_points", "n_kept"), [(0, 0), (5, 5), (2000, 2000)])
def test_few_points_are_all_kept(n_points, n_kept):
    "As they are."
    assert choose_points(n_points).tolist() == list(range(n_kept))
    assert len(choose_points(n_points, 8)) <= 250


def test_many_points_are_thinned_evenly():
    "From the first to the last."
    kept = choose_points(100_001)
    assert 1000 < len(kept) <= 2000
    assert len(set(np.diff(kept))) == 1


def test_it_is_read_as_it_was_written(tmp_path):
    "To the same bytes."
    fitted = fit_applicability(POINTS, FEATURE)
    write_applicability(fitted, tmp_path, "a")
    first = (tmp_path / APPLICABILITY).read_bytes()
    again = read_applicability(tmp_path, "a", 3)
    write_applicability(again, tmp_path, "a")
    assert (tmp_path / APPLICABILITY).read_bytes() == first
    assert (again.dissimilarity(POINTS + 1) == fitted.dissimilarity(POINTS + 1)).all()


def test_a_missing_one_says_what_to_run(tmp_path):
    "As models of earlier versions have none."
    with pytest.raises(ModelError, match=r"is not there.*Run 'ginv train'"):
        read_applicability(tmp_path, "a", 3)


def put(path, points, std, metadata):
    """Write a file by hand."""
    arrays = {"points": np.asarray(points, "f4"), "std": np.asarray(std, "f4")}
    path.write_bytes(safetensors.numpy.save(arrays, metadata))


ORIGIN = '{"model": "a", "threshold": 1.0}'


@pytest.mark.parametrize(
    ("points", "std", "origin", "why"),
    [
        ([[0, 0]] * 3, [1, 1], ORIGIN, "no training points"),  # of other inputs
        ([[0, 0, 0]], [1, 1, 1], ORIGIN, "no training points"),
        ([[0, 0, np.nan]] * 3, [1, 1, 1], ORIGIN, "no training points"),
        ([[0, 0, 1]] * 3, [1, 1, 0], ORIGIN, "no training points"),
        ([[0, 0, 1]] * 3, [1, 1, 1], ORIGIN.replace("1.0", "0"), "no training points"),
        ([[0, 0, 1]] * 3, [1, 1, 1], ORIGIN.replace("1.0", '"x"'), "could not convert"),
        ([[0, 0, 1]] * 3, [1, 1, 1], ORIGIN.replace("1.0", "NaN"), "no training"),
        ([[0, 0, 1]] * 3, [1, 1, 1], ORIGIN.replace('"a"', '"b"'), "another model"),
        ([[0, 0, 1]] * 3, [1, 1, 1], "[]", "must be integers"),
        ([[0, 0, 1]] * 3, [1, 1, 1], "{", "Expecting"),
    ],
    ids=str,
)
def test_broken_ones_are_refused_by_name(tmp_path, points, std, origin, why):
    "With what to do."
    put(tmp_path / APPLICABILITY, points, std, {"glacier_inversion": origin})
    with pytest.raises(ModelError, match=rf"{why}.*Run 'ginv train' again"):
        read_applicability(tmp_path, "a", 3)


@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_bytes_that_are_no_such_file_are_refused(tmp_path, content):
    "Likewise."
    (tmp_path / APPLICABILITY).write_bytes(content)
    with pytest.raises(ModelError, match="cannot be used"):
        read_applicability(tmp_path, "a", 3)
