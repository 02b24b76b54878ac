"""Charts of a report: curves, densities and bars, each an SVG image."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glacier_inversion.evaluation.coverage_table import name_ways
from glacier_inversion.evaluation.metrics_file import Honesty, Uncertainty
from glacier_inversion.training.curves import plot_curves
from glacier_inversion.training.model.logs import Curves

Floats = NDArray[np.float64]

_N_BINS = 60  # of a density, along each axis
_ROOM = 1.35  # of a histogram to its bars: for the legend above them
_BLUE, _ORANGE = "#0072b2", "#d55e00"  # told apart by everybody
# text stays text, and the bytes the same each time
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "glacier_inversion"}


@dataclass(frozen=True)
class Chart:
    """A picture for a page: an address that holds it, and what it shows, in words."""

    uri: str
    alt: str


def chart_training(
    logs: dict[int, Curves], criterion: str, best: dict[int, int]
) -> Chart:
    """Draw the loss, and the criterion where that is another column, by epoch."""
    columns = list(dict.fromkeys(["loss", criterion.removeprefix("val_")]))
    figure = _figure(9.0, 3.2)
    axes = figure.subplots(1, len(columns), squeeze=False).flat
    for axis, name in zip(axes, columns, strict=True):
        plot_curves(axis, logs, name, criterion, best)
    return _chart(figure, f"Training curves of {len(logs)} networks")


def chart_density(observed: Floats, predicted: Floats, output: str, unit: str) -> Chart:
    """
    Draw predicted against observed values, as the number of pixels in each cell.

    Parameters
    ----------
    observed, predicted : float64 arrays, shape (n_pixels,), the output's unit
    """
    low = float(min(observed.min(), predicted.min()))
    high = float(max(observed.max(), predicted.max()))
    high = high if high > low else low + 1
    counts, edges, _ = np.histogram2d(
        observed, predicted, _N_BINS, ((low, high), (low, high))
    )
    figure = _figure(5.2, 4.4)
    axis = figure.subplots()
    shown = np.ma.masked_equal(counts.T, 0)
    extent = (edges[0], edges[-1], edges[0], edges[-1])
    # counts differ by powers of ten
    picture = axis.imshow(
        shown,
        origin="lower",
        extent=extent,
        cmap="viridis_r",
        norm="log" if shown.max() > 1 else None,
        interpolation="nearest",
    )
    axis.plot([low, high], [low, high], color="black", linewidth=1, label="equal")
    _name(axis, f"measured {_label(output, unit)}", f"predicted {_label(output, unit)}")
    axis.legend(loc="upper left", frameon=False)
    bar = figure.colorbar(picture, ax=axis, label="pixels in a cell", shrink=0.8)
    ticks = [n * 10**power for power in range(10) for n in (1, 2, 5)]
    ticks = [n for n in ticks if n <= shown.max()]
    bar.set_ticks(ticks, labels=[f"{n:,}" for n in ticks])
    bar.minorticks_off()
    return _chart(figure, "Predicted against measured values, with their density")


def chart_coverage(uncertainty: Uncertainty, one: str = "feature") -> Chart | None:
    """
    Draw which share of the pixels intervals of each level hold.

    Parameters
    ----------
    one : {"feature", "group"}
        What the scores count as one.
    """
    ways = _ways(uncertainty)
    if not ways:
        return None
    figure = _figure(5.2, 4.0)
    axis = figure.subplots()
    axis.plot([0, 100], [0, 100], color="black", linewidth=1, label="as it should be")
    for name, honesty, color, marker in ways:
        levels = sorted(honesty.levels)
        held = [100 * honesty.levels[level].coverage for level in levels]
        axis.plot(levels, held, color=color, marker=marker, label=name)
        if name.startswith("calibrated"):
            worst = [100 * honesty.levels[level].least for level in levels]
            axis.plot(
                levels, worst, ":", color=color, marker="v", label=f"  its worst {one}"
            )
    axis.set(xlim=(0, 100), ylim=(0, 100))
    _name(axis, "intervals meant to hold, %", "measured pixels that they held, %")
    axis.legend(loc="upper left", frameon=False)
    return _chart(figure, "Share of the measured pixels that intervals held, by level")


def chart_pit(uncertainty: Uncertainty) -> Chart | None:
    """Draw the PIT histogram: where measured values lie in what was predicted."""
    ways = [way for way in _ways(uncertainty) if way[1].pit]
    if not ways:
        return None
    figure = _figure(5.2, 4.0)
    axis = figure.subplots()
    for i, (name, honesty, color, _) in enumerate(ways):
        shares = 100 * np.array(honesty.pit)
        width = 100 / len(shares)
        centres = (np.arange(len(shares)) + 0.5) * width
        one = 0.8 * width / len(ways)
        offset = (i - (len(ways) - 1) / 2) * one
        axis.bar(centres + offset, shares, one, color=color, label=name)
        level = 100 / len(shares)
    axis.axhline(level, color="black", linewidth=1, label="as it should be")
    axis.set_ylim(top=_ROOM * axis.get_ylim()[1])
    _name(
        axis,
        "place of the measured value in the prediction, %",
        "share of the pixels, %",
    )
    axis.legend(loc="upper center", frameon=False)
    return _chart(figure, "PIT histogram")


def _ways(uncertainty: Uncertainty) -> list[tuple[str, Honesty, str, str]]:
    names = name_ways(uncertainty.counts_noise)
    ways = [(names["spread"], uncertainty.spread, _ORANGE, "s")]
    if uncertainty.calibrated is not None:
        ways.append((names["calibrated"], uncertainty.calibrated, _BLUE, "o"))
    return [way for way in ways if way[1].levels]


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _label(output: str, unit: str) -> str:
    return f"{output} ({unit})" if unit else output


def _name(axis: Any, x: str, y: str) -> None:
    """Name the axes; a dollar sign is one."""
    axis.set_xlabel(x, parse_math=False)
    axis.set_ylabel(y, parse_math=False)
    axis.set_axisbelow(True)
    axis.grid(color="#dddddd", linewidth=0.5)


def _chart(figure: Figure, alt: str) -> Chart:
    """Write a figure, without the date."""
    content = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    text = base64.b64encode(content.getvalue()).decode()
    return Chart(f"data:image/svg+xml;base64,{text}", alt)
