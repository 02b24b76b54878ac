"""A picture of how the members of a model were trained."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glacier_inversion.files import write_bytes
from glacier_inversion.training.model.logs import Curves


def draw_training_curves(
    path: Path,
    model: str,
    logs: dict[int, Curves],
    criterion: str,
    best: dict[int, int],
) -> None:
    """
    Draw every loss and metric by epoch, in training and validation: median and range.

    Parameters
    ----------
    logs : dict of Curves
        By seed, of different lengths if some stopped early.
    criterion : str
        The column that picks the best epochs.
    best : dict of int
        The best epoch of each member, which is marked.

    Raises
    ------
    WorkspaceError
        The picture cannot be written.
    """
    columns = next(iter(logs.values()))
    names = [
        name
        for name in columns
        if name not in ("epoch", "learning_rate") and not name.startswith("val_")
    ]
    n_cols = min(3, len(names))
    n_rows = -(-len(names) // n_cols)
    figure = Figure(figsize=(4.5 * n_cols, 3.2 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_cols, squeeze=False).ravel()
    for axis, name in zip(axes, names):  # noqa: B905  some may be left over
        plot_curves(axis, logs, name, criterion, best)
    for axis in axes[len(names) :]:
        axis.remove()
    figure.suptitle(f"{model}: median and range of {len(logs)} members")
    picture = io.BytesIO()
    with mpl.rc_context({"savefig.dpi": 100}):
        figure.savefig(picture, format="png")
    write_bytes(path, picture.getvalue())


def plot_curves(
    axis: Any,
    logs: dict[int, Curves],
    name: str,
    criterion: str,
    best: dict[int, int],
) -> None:
    """Draw a loss or metric by epoch, as `draw_training_curves` does each of them."""
    for column, label, color in (
        (name, "training", "tab:blue"),
        (f"val_{name}", "validation", "tab:orange"),
    ):
        values = _table([log[column] for log in logs.values() if column in log])
        epochs = np.flatnonzero(np.isfinite(values).any(axis=0))
        if not len(epochs):
            continue
        low, middle, high = np.nanquantile(values[:, epochs], [0, 0.5, 1], axis=0)
        axis.fill_between(epochs, low, high, color=color, alpha=0.25, linewidth=0)
        axis.plot(epochs, middle, color=color, label=label)
        if column == criterion:
            marked = [logs[seed][column][epoch] for seed, epoch in best.items()]
            axis.plot(list(best.values()), marked, "k.", label="best epochs")
    axis.set_title(name, parse_math=False)  # a dollar sign is one
    axis.set_xlabel("epoch")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize="small")


def _table(curves: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Put curves one below the other, NaN where they have ended."""
    table = np.full((len(curves), max(map(len, curves), default=0)), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve
    return table
