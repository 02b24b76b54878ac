"""What maps say of themselves: range, mean, and the model that drew them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.geotiffs import opened


@dataclass(frozen=True)
class MapFacts:
    """
    What a map says of itself.

    Attributes
    ----------
    minimum, maximum, mean : float
        Of its values; NaN where it has none.
    model_sha256 : str
        Digest of the model that drew it; empty where it does not say.
    calibration_sha256 : str
        Digest of the calibration that it follows from; empty where it does not say.
    is_empty : bool
        No pixel of it could be drawn.
    """

    minimum: float
    maximum: float
    mean: float
    model_sha256: str
    calibration_sha256: str = ""
    is_empty: bool = False


def read_facts(
    paths: Sequence[Path], note: Callable[[str], None]
) -> dict[Path, MapFacts]:
    """
    Return what maps say of themselves.

    Parameters
    ----------
    note : callable
        Takes down why maps cannot be read; they are left out.
    """
    found: dict[Path, MapFacts] = {}
    for path in paths:
        try:
            with opened(path) as src:
                tags, own = src.tags(1), src.tags()
        except RasterError as error:
            note(unreadable(error))
            continue
        try:
            low, high, mean = (
                float(tags[f"STATISTICS_{name}"])
                for name in ("MINIMUM", "MAXIMUM", "MEAN")
            )
        except (KeyError, ValueError):
            low = high = mean = math.nan
        # which is all that is known of the values of a map without any
        is_empty = math.isnan(mean) and "STATISTICS_VALID_PERCENT" in tags
        model, calibration = (
            own.get(f"{of}_sha256", "") for of in ("model", "calibration")
        )
        found[path] = MapFacts(low, high, mean, model, calibration, is_empty)
    return found


def count_maps(mosaic: Path) -> int:
    """
    Return of how many maps a mosaic consists.

    Raises
    ------
    RasterError
        It cannot be read.
    """
    with opened(mosaic) as src:
        return sum(name.endswith(".tif") for name in src.files)


def unreadable(error: RasterError) -> str:
    """Say that a map cannot be read, and what makes it anew."""
    why = str(error).partition(" Must ")[0]
    return (
        f"{why} Must be as 'ginv draw' wrote it. Run 'ginv draw' again: it draws maps "
        "anew that are there."
    )
