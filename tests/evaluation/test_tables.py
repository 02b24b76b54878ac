"""Tables of points and outlines."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import shapely

from glacier_inversion.evaluation.metrics import CLASSIFICATION, REGRESSION
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.tables import (
    format_predictions,
    tabulate_folds,
    tabulate_residuals,
)


def known(observed, predicted):
    """Return two pixels of each of two features, predicted by one member."""
    place = np.arange(4.0)
    return KnownPixels(
        ["a", "b"],
        np.array([0, 0, 1, 1]),
        place,
        place,
        np.array(observed),
        {},
        np.array([predicted]),
        np.full(4, np.nan),
    )


def test_outlines_have_the_scores_of_their_kind():
    "RMSE and bias of a measure; accuracy, IoU and Brier score of a probability."
    dataset = SimpleNamespace(
        rows={"a": {}, "b": {}, "c": {}},
        splits={"a": "train", "b": "train"},
        outlines=dict.fromkeys("abc", shapely.box(0, 0, 1, 1)),
    )
    pixels = {
        "thickness": known([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 3.0, np.nan]),
        "ice": known([1.0, 0.0, 1.0, 1.0], [0.9, 0.2, 0.4, 1.0]),
    }
    kinds = {"thickness": REGRESSION, "ice": CLASSIFICATION}
    table = tabulate_folds(dataset, {"a": "a", "b": "b"}, pixels, kinds, 32632)
    table = table.set_index("feature")
    assert [name for name in table.columns if name.startswith("ice_")] == [
        "ice_n",
        "ice_accuracy",
        "ice_iou",
        "ice_brier",
    ]
    assert (table.thickness_rmse["a"], table.thickness_bias["a"]) == (1.0, 1.0)
    assert table.thickness_n.dropna().to_dict() == {"a": 2, "b": 1}
    assert table.ice_accuracy.dropna().to_dict() == {"a": 1.0, "b": 0.5}
    assert table.ice_brier["a"] == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert table.ice_iou["b"] == 0.5
    assert pd.isna(table.ice_brier["c"])


def test_points_have_the_noise_where_members_say_it():
    "Its standard deviation, of the outputs that have one; no column without."
    ice = known([1.0, 0.0, 1.0, 1.0], [0.9, 0.2, 0.4, 1.0])
    alone = tabulate_residuals({"ice": ice}, [0], 32632)
    assert "noise" not in alone
    variance = np.array([4.0, 9.0, 0.25, np.nan])
    thickness = known([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 3.0, np.nan])
    thickness = replace(thickness, noise=variance)
    table = tabulate_residuals({"thickness": thickness, "ice": ice}, [0], 32632)
    noise = table[table.output == "thickness"]["noise"]
    np.testing.assert_array_equal(noise, [2.0, 3.0, 0.5, np.nan])
    assert table[table.output == "ice"]["noise"].isna().all()
    head, first, *_ = format_predictions(table).splitlines()
    assert dict(zip(head.split(","), first.split(","), strict=True))["noise"] == "2"
