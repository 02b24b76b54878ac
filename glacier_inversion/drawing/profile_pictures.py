"""Profiles as pictures: what an ensemble predicts along lines, with its uncertainty."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

MOST_LINES = 12
"""That one picture shows, a panel each."""
MOST_PLACES = 2000
"""Of a line that a picture shows: several for each of its pixels."""

_PER_METRE = {"m": 1.0, "km": 1e-3}
_KILOMETRES_FROM = 2000.0  # metres: a longer line is drawn with kilometres on its axis
_DPI = 110
_NAME_PT = 8.0  # the size of features' names
_MOST_LETTERS = 24
_SHORTEST_MARKED = 0.01  # of a panel's width: shorter stays in a feature are not marked
_INTERVALS = (95, 68)  # percent, the wider one first, so that the other lies on it

# of the palette of Okabe and Ito (2008), which colour-blind people can tell apart, and
# of different lightness, so that they differ in grey as well
_MEAN, _OBSERVED, _SURFACE = "#0072B2", "#D55E00", "black"
_MEMBER, _MARK, _ICE = "#8c8c8c", "#767676", "#f0f0f0"
_BANDS = {"95": "#d3e6f3", "68": "#9cc8e4", "std": "#b9d7ea"}


@dataclass(frozen=True)
class ProfileLine:
    """
    What a picture shows of one line.

    Attributes
    ----------
    number : int
        Of the line in its file, from 0.
    distance : float64 array, shape (n_places,), metres
        From the line's first point, in order.
    features : array of str, shape (n_places,)
        The feature whose outline a place lies in; "" outside of all.
    members : float32 array, shape (n_members, n_places), the output's unit
        NaN where nothing is drawn, as in what follows.
    mean : float32 array, shape (n_places,)
    observed_distance, observed : arrays, shape (n_observed,), metres and the unit
        Where the truth is known.
    intervals : mapping of float32 arrays, shape (n_places,), by statistic
        lower68, upper68, lower95 and upper95 where they are calibrated.
    std : float32 array, shape (n_places,), optional
        The spread of the members, which is shown where there are no intervals.
    surface : float32 array, shape (n_places,), metres, optional
        Of a bed: what the ice above it reaches up to.
    """

    number: int
    distance: NDArray[np.float64]
    features: NDArray[np.object_]
    members: NDArray[np.float32]
    mean: NDArray[np.float32]
    observed_distance: NDArray[np.float64]
    observed: NDArray[np.float32]
    intervals: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    std: NDArray[np.float32] | None = None
    surface: NDArray[np.float32] | None = None


def draw_lines(
    lines: Sequence[ProfileLine], title: str, label: str, note: str = ""
) -> Figure:
    """
    Draw a panel for each line: mean, uncertainty, members, and what was observed.

    Curves are broken where nothing is drawn. Dotted lines mark where a line enters and
    leaves features, whose names are at the top as far as they fit.

    Parameters
    ----------
    lines : sequence of ProfileLine
        One at least.
    title, label : str
        Of the picture, and of the vertical axes: the quantity with its unit.
    note : str
        Below the title, in small letters.

    Returns
    -------
    figure : matplotlib.figure.Figure
        With `distance` on the horizontal axes: in km of a line longer than 2 km.
    """
    n_cols = 1 if len(lines) <= 3 else 2
    n_rows = -(-len(lines) // n_cols)
    width = 8.6 if n_cols == 1 else 5.4
    height = 4.2 if len(lines) == 1 else 2.7
    figure = Figure(
        figsize=(n_cols * width, n_rows * height + 0.9), layout="constrained"
    )
    is_elevation = any(line.surface is not None for line in lines)
    axes = figure.subplots(n_rows, n_cols, squeeze=False, sharey=not is_elevation)
    units = ["km" if line.distance[-1] > _KILOMETRES_FROM else "m" for line in lines]
    shown = list(axes.flat)[: len(lines)]
    for axis in axes.flat[len(lines) :]:
        axis.remove()
    for axis, line, unit in zip(shown, lines, units, strict=True):
        per_metre = _PER_METRE[unit]
        _draw_line(axis, line, per_metre)
        last = line.distance[-1] * per_metre
        margin = 0.01 * last or 0.5 * per_metre  # of a single place
        axis.set_xlim(-margin, last + margin)
        if len(lines) > 1:
            axis.set_title(f"line {line.number}", loc="left", fontsize="medium")
        axis.tick_params(labelleft=True)
        axis.margins(y=0.09)  # names are at the top
    labelled = shown[-n_cols:] if len(set(units)) == 1 else shown
    for axis, unit in zip(shown, units, strict=True):
        if axis in labelled:
            axis.set_xlabel(f"distance along the line ({unit})")
    for axis in axes[:, 0]:
        axis.set_ylabel(label, parse_math=False)
    _begin_at_zero(shown)
    for axis, line, unit in zip(shown, lines, units, strict=True):
        _mark_features(axis, line, _PER_METRE[unit], width - 0.8)
        # values of no panel, or of none that shares this axis, have no ticks
        sharing = [axis] if is_elevation else shown
        if not any(other.has_data() for other in sharing):
            axis.set_yticks([])
    handles: dict[str, Any] = {}
    for axis in shown:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    if handles:
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=min(len(handles), 3),
            frameon=False,
            fontsize="medium",
        )
    figure.suptitle(f"{title}\n{note}" if note else title, parse_math=False)
    return figure


def encode_png(figure: Figure) -> bytes:
    """
    Return a figure as a PNG file: the same bytes whenever it is drawn.

    Letters that the font lacks are boxes.
    """
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(image, format="png", dpi=_DPI, metadata={"Software": None})
    return image.getvalue()


def _draw_line(axis: Axes, line: ProfileLine, per_metre: float) -> None:
    """Draw the curves of a line into its panel, what matters most above the others."""
    distance = line.distance * per_metre
    is_drawn = np.isfinite(line.mean)
    is_known = np.isfinite(np.concatenate([[np.nan], line.mean, [np.nan]]))
    # a curve through one place is no curve
    is_alone = is_drawn & ~is_known[:-2] & ~is_known[2:]
    if line.surface is not None:
        _draw_ice(axis, distance, line.mean, line.surface, is_alone)
    for name, label, lower, upper in _bands(line):
        color = _BANDS[name]
        axis.fill_between(
            distance, lower, upper, color=color, linewidth=0, label=label, zorder=1.1
        )
        axis.vlines(
            distance[is_alone],
            lower[is_alone],
            upper[is_alone],
            color=color,
            linewidth=5,
            zorder=1.1,
        )
    n_members = len(line.members)
    if n_members > 1 and is_drawn.any():
        for i, member in enumerate(line.members):
            name = "members" if i == 0 else ""
            axis.plot(
                distance, member, color=_MEMBER, linewidth=0.6, label=name, zorder=1.3
            )
        alone = distance[is_alone], line.members[:, is_alone].T
        axis.plot(*alone, "_", color=_MEMBER, markersize=5, zorder=1.3)
    if is_drawn.any():
        name = f"mean of {n_members} members" if n_members > 1 else "the one member"
        axis.plot(
            distance, line.mean, color=_MEAN, linewidth=1.8, label=name, zorder=2.3
        )
        alone = distance[is_alone], line.mean[is_alone]
        axis.plot(*alone, "o", color=_MEAN, markersize=4, zorder=2.3)
    else:
        axis.text(
            0.5,
            0.5,
            "nothing is drawn along this line",
            transform=axis.transAxes,
            horizontalalignment="center",
            verticalalignment="center",
            color=_MARK,
        )
    if len(line.observed):
        axis.plot(
            line.observed_distance * per_metre,
            line.observed,
            "o",
            color=_OBSERVED,
            markersize=3.6,
            markeredgecolor="white",
            markeredgewidth=0.4,
            label="observed",
            zorder=2.2,
        )


def _draw_ice(
    axis: Axes,
    distance: NDArray[np.float64],
    bed: NDArray[np.float32],
    surface: NDArray[np.float32],
    is_alone: NDArray[np.bool_],
) -> None:
    """Draw the surface, and the ice between it and the bed."""
    if np.isfinite(surface).any():
        axis.fill_between(distance, bed, surface, color=_ICE, linewidth=0, zorder=1.0)
        axis.plot(
            distance, surface, color=_SURFACE, linewidth=1.2, label="surface", zorder=2
        )
        alone = distance[is_alone], surface[is_alone]
        axis.plot(*alone, "_", color=_SURFACE, zorder=2)


def _bands(
    line: ProfileLine,
) -> list[tuple[str, str, NDArray[np.float32], NDArray[np.float32]]]:
    """Return name, label and both edges of what is shown of a line's uncertainty."""
    if not np.isfinite(line.mean).any():
        return []
    if line.intervals:
        return [
            (
                f"{level}",
                f"{level} % interval, calibrated (nominal)",
                line.intervals[f"lower{level}"],
                line.intervals[f"upper{level}"],
            )
            for level in _INTERVALS
        ]
    if line.std is None or not np.isfinite(line.std).any():
        return []
    label = "mean ± 1 std: spread of members, no calibration"
    return [("std", label, line.mean - line.std, line.mean + line.std)]


def _begin_at_zero(axes: Sequence[Axes]) -> None:
    """Let vertical axes begin at 0 where values are amounts that come near it."""
    for axis in axes:
        low, high = axis.dataLim.intervaly
        if 0 <= low < high / 2 and axis.get_ylim()[0] < 0:
            axis.set_ylim(bottom=0)


def _mark_features(
    axis: Axes, line: ProfileLine, per_metre: float, inches: float
) -> None:
    """Mark where a line enters and leaves features; name those whose name fits in."""
    low, high = axis.get_xlim()
    along = axis.get_xaxis_transform()  # distance to the right, shares of the height up
    changes = np.flatnonzero(line.features[1:] != line.features[:-1]) + 1
    between = (line.distance[changes - 1] + line.distance[changes]) / 2 * per_metre
    starts = np.concatenate([[low], between])
    ends = np.concatenate([between, [high]])
    names = line.features[np.concatenate([[0], changes])]
    shortest = _SHORTEST_MARKED * (high - low)
    before = ""
    for name, start, end in zip(names, starts, ends, strict=True):
        if not name or (end - start < shortest and len(names) > 1):
            continue
        for place in (start, end):
            if low < place < high:
                axis.axvline(place, color=_MARK, linewidth=0.7, linestyle=":", zorder=1)
        text = name if len(name) <= _MOST_LETTERS else f"{name[:_MOST_LETTERS]}…"
        letter = 0.62 * _NAME_PT / (72 * inches) * (high - low)
        is_too_long = (len(text) + 1) * letter > end - start and len(names) > 1
        if is_too_long or name == before:
            continue
        axis.text(
            start + letter / 2,
            0.985,
            text,
            transform=along,
            verticalalignment="top",
            fontsize=_NAME_PT,
            color=_MARK,
            parse_math=False,
        )
        before = name
