"""summary.json: what a dataset holds, written by its build and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pyproj.exceptions import ProjError

from glacier_inversion.errors import (
    DatasetError,
    first_line,
)
from glacier_inversion.experiment.values import FolderName, Length
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import MOST_PIXELS, Bounds
from glacier_inversion.json_files import write_path
from glacier_inversion.state_files import (
    NewerFileError,
    check_digest,
    read_state,
    with_digest,
    write_state,
)

SUMMARY = "summary.json"
_FORMAT = 2  # 1 had no number, and a split in each row


class _Part(BaseModel):
    """A part of summary.json: what is read of it, and what that must be."""

    model_config = ConfigDict(allow_inf_nan=False)


class _Tile(_Part):
    valid: float
    sha256: str


class _Row(_Part):
    feature: FolderName
    columns: dict[str, Any]
    bounds: Bounds
    area_km2: float | None = None  # told by a report, and needed for nothing else
    rasters: dict[str, _Tile]


class _Failed(_Part):
    feature: FolderName
    problem: str
    columns: dict[str, Any]


class _Raster(_Part):
    model_config = ConfigDict(extra="allow")

    name: FolderName
    resolution: Length
    file: str | None = None
    derive: dict[str, Any] | None = None


class _Description(_Part):
    model_config = ConfigDict(extra="allow")

    epsg: int
    shapefile_fieldname: str
    shapefile_layer: str | None = None
    split: dict[str, Any] | None = None
    rasters: list[_Raster] = Field(min_length=1)
    vectors: list[list[str]] = []


class Summary(_Part):
    """What summary.json holds of what is read again."""

    description: _Description
    warping: dict[str, Warping | None]  # None of what is gridded from points
    units: dict[str, str | None]
    features: list[_Row] = Field(min_length=1)
    failed: list[_Failed]

    @property
    def columns(self) -> dict[str, dict[str, Any]]:
        """What the outlines' file said of every feature, those that failed too."""
        return {
            **{row.feature: row.columns for row in self.features},
            **{row.feature: row.columns for row in self.failed},
        }

    @model_validator(mode="after")
    def _check_whole(self) -> Summary:
        """Check that every feature has every raster, on a grid of a sensible size."""
        names = {raster.name for raster in self.description.rasters}
        finest = min(raster.resolution for raster in self.description.rasters)
        if len({row.feature for row in self.features}) < len(self.features):
            message = "a feature stands in it twice"
            raise ValueError(message)
        for row in self.features:
            left, bottom, right, top = row.bounds
            n_pixels = (right - left) * (top - bottom) / finest**2
            if not (left < right and bottom < top and n_pixels <= 2 * MOST_PIXELS):
                message = f"the bounds of {row.feature!r} are none: {row.bounds}"
                raise ValueError(message)
        read = {r.name for r in self.description.rasters if r.derive is None}
        told = [(read, set(self.warping)), (names, set(self.units))]
        for wanted, there in (*told, *((names, set(r.rasters)) for r in self.features)):
            if missing := sorted(wanted - there):
                message = f"it does not tell all of {missing[0]!r}"
                raise ValueError(message)
        for name, warping in self.warping.items():
            if warping is None:
                continue
            a, b, _, d, e, _ = warping.transform
            try:
                known = warping.to_file is None or bool(warping.to_file)
            except ProjError:
                known = False
            if not known or a * e - b * d == 0:
                message = f"it does not tell where the pixels of {name!r} lay"
                raise ValueError(message)
        return self


def write_summary(folder: Path, content: dict[str, Any]) -> None:
    """Write summary.json, which says that the dataset is complete, with its digest."""
    write_state(folder / SUMMARY, with_digest(content), _FORMAT)


def refuse_newer(folder: Path) -> None:
    """Raise DatasetError if a newer version built the dataset, or began to."""
    try:
        read_state(folder / SUMMARY, _FORMAT)
    except NewerFileError as error:
        raise DatasetError(str(error)) from error
    except (OSError, ValueError):  # none, or broken: it is written anew
        return


def read_summary(folder: Path) -> Summary:
    """Read summary.json; DatasetError if it is missing or not as it was written."""
    cause: Exception
    try:
        content = read_state(folder / SUMMARY, _FORMAT)
        if content["format"] < _FORMAT:
            message = (
                f"{folder}: was built by an earlier version, which kept tiles in a "
                "folder for each split. Must be brought up to date. Run 'ginv "
                "build-dataset', which moves the tiles and keeps all that are right."
            )
            raise DatasetError(message)
        summary = Summary.model_validate(content)
        check_digest(content)
        return summary
    except FileNotFoundError as error:
        has, cause = "no summary.json", error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, what = write_path(first["loc"]), first["msg"]
        what = what.removeprefix("Value error, ")
        reason = f"{place}: {what}" if place else what
        has, cause = f"a broken summary.json ({reason})", error
    except NewerFileError as error:
        raise DatasetError(str(error)) from error
    except DatasetError:
        raise
    except (OSError, ValueError) as error:
        has, cause = f"a broken summary.json ({first_line(error)})", error
    message = (
        f"{folder}: has {has}. Must be a complete dataset: this one was not built, its "
        "build was interrupted, or it was changed since. Run 'ginv build-dataset'."
    )
    raise DatasetError(message) from cause
