"""Charts: the same bytes each time, and text as it is."""

import base64

import numpy as np
import pytest

from glacier_inversion.evaluation.metrics_file import Uncertainty
from glacier_inversion.reporting import charts
from glacier_inversion.reporting.charts import (
    chart_coverage,
    chart_density,
    chart_pit,
    chart_training,
)

NOTHING = {"levels": {}}
HONEST = {
    "levels": {
        str(level): {
            "coverage": level / 100,
            "least": level / 200,
            "least_feature": "west",
            "mean_width": 1.0,
            "interval_score": 2.0,
        }
        for level in (50, 95)
    },
    "crps": 1.0,
    "pit": [0.1] * 10,
}


def svg_of(chart):
    """Return the text of a chart."""
    kind, content = chart.uri.split(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def test_a_density_counts_every_pixel():
    "The same each time; a dollar sign is one; no date."
    rng = np.random.default_rng(1)
    observed = rng.uniform(0, 100, 5000)
    predicted = observed + rng.normal(0, 10, 5000)
    charts = [chart_density(observed, predicted, "a$b$", "$m$") for _ in range(2)]
    assert charts[0] == charts[1]
    text = svg_of(charts[0])
    assert "predicted a$b$ ($m$)" in text
    assert "dc:date" not in text


def test_a_density_of_equal_values_is_drawn():
    assert svg_of(chart_density(np.ones(1), np.ones(1), "h", ""))


@pytest.mark.parametrize("pit", [[0.1] * 10, [0.4, *[0.025] * 8, 0.4]])
def test_a_legend_covers_no_bar(monkeypatch, pit):
    "However high, and wherever, the highest are."
    figures = []
    keep = charts._chart
    monkeypatch.setattr(
        charts, "_chart", lambda f, alt: figures.append(f) or keep(f, alt)
    )
    told = HONEST | {"pit": pit}
    charts.chart_pit(Uncertainty.model_validate({"spread": told, "calibrated": told}))
    (axis,) = figures[0].axes
    low = axis.get_legend().get_window_extent().y0
    tops = [bar.get_window_extent().y1 for bar in axis.patches]
    assert max(tops) < low


def test_coverage_and_pit_show_what_there_is():
    "The spread, and what is calibrated; nothing where neither is there."
    both = Uncertainty.model_validate({"spread": HONEST, "calibrated": HONEST})
    for chart, words in (
        (
            chart_coverage(both),
            ["its worst feature", "calibrated", "as the members spread"],
        ),
        (chart_pit(both), ["calibrated", "as it should be"]),
    ):
        for word in words:
            assert word in svg_of(chart)
    assert "its worst group" in svg_of(chart_coverage(both, "group"))
    alone = Uncertainty.model_validate({"spread": HONEST})
    assert "calibrated" not in svg_of(chart_coverage(alone))
    neither = Uncertainty.model_validate({"spread": NOTHING})
    assert chart_coverage(neither) is chart_pit(neither) is None


def test_training_shows_the_loss_and_the_criterion():
    "One of them where they are the same."
    log = {
        name: np.linspace(2, 1, 5)
        for name in ("epoch", "loss", "val_loss", "h_mae", "val_h_mae")
    }
    text = svg_of(chart_training({0: log, 1: log}, "val_h_mae", {0: 4, 1: 3}))
    assert "best epochs" in text
    assert ">h_mae</text>" in text.replace("\n", "")
    alone = svg_of(chart_training({0: log}, "loss", {0: 4}))
    assert "h_mae" not in alone


def test_a_spread_with_noise_says_so():
    both = Uncertainty.model_validate({"spread": HONEST, "counts_noise": True})
    assert "as members spread, with noise" in svg_of(chart_coverage(both))
