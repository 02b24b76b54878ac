"""Calibrated intervals: their formula in float32, and both ends of calibration.json."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glacier_inversion.errors import ModelError
from glacier_inversion.training.model.calibration import (
    LEVELS,
    Calibration,
    Level,
    OutputCalibration,
    widest_level,
)
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
    write_calibration,
)
from glacier_inversion.training.model.covariogram import Covariogram
from tests.helpers import edit_json

FACTORS = dict(zip(LEVELS, (0.7, 1.1, 1.4, 2.5), strict=True))
OUTPUT = OutputCalibration(
    a=20.0,
    b=2.0,
    c=0.25,
    levels={
        level: Level(
            factor,
            2 * factor if level <= 80 else None,
            level / 100,
            {"aa": 1.0, "bb": 0.0, "cc": 0.5, "dd": 0.25},
        )
        for level, factor in FACTORS.items()
    },
    n_errors={"aa": 40, "bb": 1, "cc": 7, "dd": 90},
    is_nonnegative=True,
)
CALIBRATION_OF_TWO = Calibration(
    {
        "thickness": replace(
            OUTPUT, covariogram=Covariogram(0.2, 0.7, 400.0, 0.1, 0.05)
        ),
        "bed": replace(OUTPUT, is_nonnegative=False, counts_noise=True),
    },
    "crossval",
    "0123456789abcdef",
    5,
)


def maps():
    """Spread and mean of 12 x 10 pixels, some unknown, one huge."""
    rng = np.random.default_rng(3)
    mean = rng.gamma(1.0, 100.0, (12, 10)).astype(np.float32)
    spread = rng.gamma(1.0, 20.0, (12, 10)).astype(np.float32)
    mean[2, 3], spread[4:6, 1], mean[0, 0] = np.nan, np.nan, 1e30
    return spread, mean


def test_sigma_is_that_of_its_formula():
    "In float32, NaN where one of the maps is; large numbers do not overflow."
    spread, mean = maps()
    sigma = OUTPUT.sigma(spread, mean)
    exact = np.sqrt(20.0**2 + (2.0 * spread) ** 2 + (0.25 * mean.astype(float)) ** 2)
    assert sigma.dtype == np.float32
    np.testing.assert_allclose(sigma, exact, rtol=3e-7)
    assert np.isnan(sigma).sum() == 3


def test_spread_that_does_not_count_may_be_unknown():
    "One member has none."
    spread, mean = maps()
    without = replace(OUTPUT, b=0.0)
    sigma = without.sigma(np.full_like(spread, np.nan), mean)
    np.testing.assert_allclose(
        sigma, np.hypot(20.0, 0.25 * mean.astype(float)), rtol=3e-7
    )


def test_one_member_serves_where_no_spread_counts():
    "Beside a noise that counts, the spread of one is none."
    assert [OUTPUT.serves(n) for n in (1, 2)] == [False, True]
    assert replace(OUTPUT, b=0.0).serves(1)
    assert replace(OUTPUT, counts_noise=True).serves(1)


def test_tau_is_sigma_without_the_spread():
    "Noise that is not known, or does not count, is none."
    mean, noise = np.array([0.0, 100.0, 40.0]), np.array([225.0, np.nan, 4.0])
    without = np.hypot(20.0, 0.25 * mean)
    for found in (OUTPUT.tau(mean, noise), OUTPUT.tau(mean, None)):
        np.testing.assert_allclose(found, without, rtol=1e-12)
    with_noise = replace(OUTPUT, b=3.0, counts_noise=True)
    expected = np.hypot(without, 3.0 * np.array([15.0, 0.0, 2.0]))
    np.testing.assert_allclose(with_noise.tau(mean, noise), expected, rtol=1e-12)
    np.testing.assert_allclose(with_noise.tau(mean, None), without, rtol=1e-12)
    std = np.array([15.0, 0.0, 2.0], dtype="f4")  # as if the noise were all the spread
    sigma = with_noise.sigma(std, mean.astype("f4"))
    np.testing.assert_allclose(with_noise.tau(mean, noise), sigma, rtol=1e-6)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("is_nonnegative", [True, False])
def test_bounds_are_the_mean_more_or_less_some_sigma(level, is_nonnegative):
    "The lower one is cut at 0 where less than that cannot be."
    spread, mean = maps()
    output = replace(OUTPUT, is_nonnegative=is_nonnegative)
    lower, upper = output.bounds(level, spread, mean)
    half = FACTORS[level] * output.sigma(spread, mean).astype(float)
    assert lower.dtype == upper.dtype == np.float32
    np.testing.assert_allclose(upper, mean + half, rtol=1e-6)
    below = mean - half
    assert (below < 0).any()
    expected = np.where(below < 0, 0, below) if is_nonnegative else below
    np.testing.assert_allclose(lower, expected, rtol=1e-5, atol=1e-4)
    assert (np.isnan(lower) == np.isnan(below)).all()


def test_levels_that_were_not_fitted_are_refused():
    with pytest.raises(ValueError, match=r"90. Must be one of \(50, 68, 80, 95\)"):
        OUTPUT.bounds(90, *maps())


@pytest.mark.parametrize(
    ("level", "least"), [(50, 1), (68, 3), (80, 4), (95, 19), (99, 99)]
)
def test_guaranteed_levels_count_features(level, least):
    "A level of 1 - alpha takes ceil(1 / alpha) - 1 features."
    assert widest_level(least - 1) < level <= widest_level(least)


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    write_calibration(CALIBRATION_OF_TWO, tmp_path)
    read = read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 5)
    assert read == CALIBRATION_OF_TWO
    assert read.outputs["bed"].n_features == 4
    content = json.loads((tmp_path / CALIBRATION).read_text())
    assert content["sha256"] == read.digest  # which maps have in their tags
    of_bed = content["outputs"]["bed"]
    assert of_bed["widest_guaranteed_level"] == of_bed["n_features"] * 20 == 80


def test_a_digest_is_that_of_what_is_said_whatever_the_order():
    "Of outputs in another order the same, of any other number another."
    outputs = CALIBRATION_OF_TWO.outputs
    turned = replace(CALIBRATION_OF_TWO, outputs=dict(reversed(outputs.items())))
    assert turned.digest == CALIBRATION_OF_TWO.digest
    other = {**outputs, "bed": replace(outputs["bed"], c=0.26)}
    assert replace(turned, outputs=other).digest != turned.digest
    assert replace(turned, n_members=4).digest != turned.digest


def test_the_calibration_of_an_earlier_version_counts_no_noise(tmp_path):
    "It was fitted to the spread of the members alone."
    write_calibration(CALIBRATION_OF_TWO, tmp_path)
    file = tmp_path / CALIBRATION
    edit_json(file, lambda content: content["outputs"]["bed"].pop("counts_noise"))
    read = read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 5)
    assert not read.outputs["bed"].counts_noise


def test_a_calibration_of_an_earlier_version_has_no_covariogram(tmp_path):
    "It is read all the same."
    write_calibration(CALIBRATION_OF_TWO, tmp_path)

    def leave_out(content):
        for output in content["outputs"].values():
            del output["covariogram"]

    edit_json(tmp_path / CALIBRATION, leave_out)
    read = read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 5).outputs
    assert read["thickness"] == replace(
        CALIBRATION_OF_TWO.outputs["thickness"], covariogram=None
    )


GROUPED = replace(
    OUTPUT,
    features=["aa", "bb", "ee", "ff", "gg"],
    groups={"aa": "bb", "bb": "aa", "ee": "cc", "ff": "dd", "gg": "dd"},
)


def of(output):
    return Calibration({"thickness": output}, "crossval", "0123", 5)


def test_groups_may_be_called_like_features(tmp_path):
    "The file says which feature is in which."
    write_calibration(of(GROUPED), tmp_path)
    read = read_calibration(tmp_path, "0123", 5).outputs["thickness"]
    assert read == GROUPED
    assert read.of_groups
    assert not OUTPUT.of_groups


@pytest.mark.parametrize(
    ("features", "groups"),
    [
        (["aa", "bb", "cc", "dd"], None),
        (["a 1", "a 2", "b", "c", "d"], {}),
        (["aa", "bb", "cc", "dd", "ee"], {}),  # two of them in a group called aa
    ],
)
def test_earlier_files_do_not_say_which_feature_is_in_which_group(
    tmp_path, features, groups
):
    "So what intervals hold of groups is said of no feature."
    write_calibration(of(replace(OUTPUT, features=features)), tmp_path)
    edit_json(
        tmp_path / CALIBRATION,
        lambda content: content["outputs"]["thickness"].pop("groups"),
    )
    read = read_calibration(tmp_path, "0123", 5).outputs["thickness"]
    assert read.groups == groups
    assert read.of_groups == (groups is not None)
    known = OUTPUT.levels[95].coverage_by_feature
    assert read.levels[95].coverage_by_feature == ({} if read.of_groups else known)


@pytest.mark.parametrize("groups", [{"aa": "bb"}, {**GROUPED.groups, "gg": "zz"}])
def test_groups_of_other_features_are_refused(tmp_path, groups):
    write_calibration(of(replace(GROUPED, groups=groups)), tmp_path)
    with pytest.raises(ModelError, match="groups are not those of its features"):
        read_calibration(tmp_path, "0123", 5)


def test_a_missing_calibration_says_what_to_run(tmp_path):
    with pytest.raises(ModelError, match=r"is not there\. .* Run 'ginv crossval'"):
        read_calibration(tmp_path, "x", 5)


def test_a_calibration_of_another_model_is_refused(tmp_path):
    write_calibration(CALIBRATION_OF_TWO, tmp_path)
    with pytest.raises(ModelError, match=r"another model.*'0123456789ab', not 'fedc'"):
        read_calibration(tmp_path, "fedc", 5)


def test_a_calibration_of_smaller_ensembles_serves(tmp_path):
    "As where a member failed in a fold: more members err no more."
    write_calibration(CALIBRATION_OF_TWO, tmp_path)
    read = read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 6)
    assert read == CALIBRATION_OF_TWO
    assert read.n_members == 5


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("format",), 2, "that of a newer version"),
        (("source",), "guess", "its source is 'guess'"),
        (("model",), None, "another model"),
        (("outputs",), [], "cannot be used"),
        (("outputs", "bed"), None, "cannot be used"),
        (("outputs", "bed", "a"), -1.0, r"a is -1\.0, which is no number from 0 on"),
        (("outputs", "bed", "b"), 10**400, "b is 1000"),
        (("outputs", "bed", "c"), True, "c is True"),
        (("outputs", "bed", "levels"), {}, "it has no '50'"),
        (("outputs", "bed", "levels", "68", "factor"), "2", "levels.68.factor is '2'"),
        (("outputs", "bed", "levels", "95", "coverage"), None, "levels.95.coverage"),
        (("outputs", "bed", "n_errors", "aa"), None, "n_errors is None"),
        (("outputs", "bed", "n_errors"), {}, "n_errors is empty"),
        (
            ("outputs", "bed", "levels", "95", "coverage"),
            7.0,
            "is 7, which is no share",
        ),
        (
            ("outputs", "bed", "levels", "68", "factor"),
            9.0,
            "do not grow with the level",
        ),
        (
            ("outputs", "thickness", "covariogram", "length"),
            0,
            "covariogram.length is 0",
        ),
        (("outputs", "thickness", "covariogram"), {}, "it has no 'nugget'"),
        (("outputs", "thickness", "covariogram"), [400], "cannot be used"),
        (("n_members",), 7, "from ensembles of 7 members, and the model has 5"),
    ],
)
def test_broken_calibrations_are_refused(tmp_path, path, value, why):
    "Each says what is wrong, and to run it again."
    write_calibration(CALIBRATION_OF_TWO, tmp_path)
    file = tmp_path / CALIBRATION

    def put(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    edit_json(file, put)
    with pytest.raises(ModelError, match=why) as error:
        read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 5)
    assert str(error.value).startswith(str(file))


def test_an_edited_number_is_refused(tmp_path):
    "Also one that could be; another layout of the same is none."
    write_calibration(CALIBRATION_OF_TWO, tmp_path)
    file = tmp_path / CALIBRATION
    content = json.loads(file.read_text())
    file.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 5)
    content["outputs"]["bed"]["c"] *= 1.5
    file.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"cannot be used \(it was changed since it"):
        read_calibration(tmp_path, CALIBRATION_OF_TWO.identity, 5)


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"format": 1, "source": NaN}'])
def test_texts_that_are_no_calibration_are_refused(tmp_path, text):
    (tmp_path / CALIBRATION).write_text(text)
    with pytest.raises(ModelError, match=r"cannot be used .* Restore it, or run"):
        read_calibration(tmp_path, "x", 5)
