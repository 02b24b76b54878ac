"""Why pixels are not drawn, and what would help, as the table of holes counts them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from glacier_inversion.reporting.rows import number_in
from glacier_inversion.reporting.sources import Row

_BEYOND_TILE, _LACKING = "beyond_tile", "lacking_"


def find_causes(holes: Sequence[Row], features: Collection[str]) -> list[str]:
    """Return the columns that count pixels of some features, that of most first."""
    counts: dict[str, float] = {}
    for row in holes:
        if row["feature"] not in features:
            continue
        for column in row:
            if column == _BEYOND_TILE or column.startswith(_LACKING):
                own = number_in(row, column) or 0.0
                counts[column] = counts.get(column, 0.0) + own
    there = [column for column, n in counts.items() if n > 0]
    return sorted(there, key=lambda column: -counts[column])


def tell_worst(causes: Sequence[str]) -> str:
    """
    Say what most pixels lack; nothing where it is not known.

    >>> tell_worst(["lacking_slope", "beyond_tile"])
    'Mostly since the input slope is not known there.'
    """
    if not causes:
        return ""
    if causes[0] == _BEYOND_TILE:
        return "Mostly since what a network looks at reaches beyond the tile."
    lacking = causes[0].removeprefix(_LACKING)
    return f"Mostly since the input {lacking} is not known there."


def tell_remedy(causes: Sequence[str]) -> str:
    """
    Say what helps against the causes, or against any where none is known.

    >>> tell_remedy(["beyond_tile"])
    'A larger buffer_distance.'
    >>> tell_remedy(["lacking_slope", "lacking_speed"])
    'Inputs that cover more, or a lower min_valid.'
    """
    if not causes or {_BEYOND_TILE} < {*causes}:
        return "A larger buffer_distance, inputs that cover more, or a lower min_valid."
    if causes[0] == _BEYOND_TILE:
        return "A larger buffer_distance."
    return "Inputs that cover more, or a lower min_valid."
