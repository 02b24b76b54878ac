"""The rasters of a dataset: read from files, derived, or gridded from points."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from glacier_inversion.choices import Resampling
from glacier_inversion.experiment.derivation import Derivation, find_derivations
from glacier_inversion.experiment.raw import MOST_ENTRIES, MOST_VARIABLES
from glacier_inversion.experiment.values import (
    DataFile,
    FolderName,
    Length,
    Numbers,
    PositiveInt,
    Section,
    Text,
)

if TYPE_CHECKING:
    AnyDerivation = Derivation
else:  # which there are is known when their folder has been looked at
    AnyDerivation = Annotated[
        Union[tuple(find_derivations().values())],  # noqa: UP007
        Field(discriminator="name"),
    ]


def _choices(value: Any) -> Any:
    """Take a single text, number, truth or null for a list of one."""
    values = value if isinstance(value, list) else [value]
    if all(item is None or type(item) in _SCALARS for item in values):
        return values
    message = "Must be a text, a number, true, false or null, or a list of these"
    raise ValueError(message)


def _day(value: str) -> str:
    try:
        is_day = date.fromisoformat(value).isoformat() == value
    except ValueError:
        is_day = False
    if not is_day:
        message = "Must be a day such as 2009-07-31"
        raise ValueError(message)
    return value


_SCALARS = str, int, float, bool
_Scalar = str | int | float | bool | None
Choices = Annotated[
    list[Any],
    Field(min_length=1, max_length=MOST_ENTRIES),
    BeforeValidator(_choices, json_schema_input_type=_Scalar | list[_Scalar]),
]
"""The values of a column that are taken; null is an empty field."""
Day = Annotated[str, AfterValidator(_day)]
"""A date as ISO 8601 writes it."""

_OF_POINTS = ("points_epsg", "where", "date_column", "after", "before")
# What GDAL does not read as a raster.
_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".shp", ".geojson")


class Raster(Section):
    """
    A variable of the dataset.

    Read from a file, derived from other rasters, or the cell means of points.
    """

    name: FolderName = Field(description="The variable; names the tiles.")
    resolution: Length = Field(description="Side of the tiles' pixels, in CRS units.")
    file: DataFile | None = Field(
        default=None,
        description="File in the workspace's data folder, or its whole path; in any "
        "CRS. In an archive as GDAL writes it: /vsizip/rasters.zip/slope.tif. Either "
        "this or 'derive' is required.",
    )
    derive: AnyDerivation | None = Field(
        default=None,
        description="How it is computed from other rasters, or from the outlines, "
        "instead of being read from a file.",
    )
    resampling: Resampling | None = Field(
        default=None,
        description="GDAL's resampling. Default: average when the pixels grow by 2 or "
        "more, else bilinear.",
    )
    nodata: Numbers | None = Field(
        default=None,
        description="The number, or all the numbers, that mean no data, instead of "
        "that which the file declares.",
    )
    band: PositiveInt = Field(default=1, description="Band of the file, from 1.")
    unit: Text | None = Field(
        default=None,
        description="Unit of the values, written into the maps. Default: the file's, "
        "or what the derivation gives.",
    )
    column: Text | None = Field(
        default=None,
        description="Column of values, where 'file' holds points: CSV, Parquet, or any "
        "vector file that OGR reads. A pixel is the mean of the feature's own points "
        "in it. Places are found: geometries, columns of longitude and latitude as "
        "GlaThiDa and others call them, or x and y.",
    )
    points_epsg: PositiveInt | None = Field(
        default=None,
        description="EPSG code of the points in a table. Default: 4326 of longitude "
        "and latitude, else that of the tiles.",
    )
    where: dict[Text, Choices] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_VARIABLES,
        description="Which points are taken: for each column named, the value or "
        "values that it must have; null: empty.",
    )
    date_column: Text | None = Field(
        default=None,
        description="Column of the points' dates. Default: SURVEY_DATE or date, "
        "whichever there is.",
    )
    after: Day | None = Field(
        default=None,
        description="Points of this day and later are taken. A date of which only the "
        "year or the month is known must be so as a whole.",
    )
    before: Day | None = Field(
        default=None, description="Points of earlier days than this are taken."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Raster:
        if (self.file is None) == (self.derive is None):
            message = "Must hold either 'file' or 'derive'"
            raise ValueError(message)
        if self.derive is not None:
            self._refuse("derive", "a file", ("band", "resampling", "nodata", "column"))
        elif self.column is not None:
            self._refuse("column", "a raster's file", ("band", "resampling"))
        elif str(self.file).casefold().endswith(_TABLE_ENDINGS):
            message = (
                f"{self.file} is no raster. Must be with 'column', the column of the "
                "values, if it holds points"
            )
            raise ValueError(message)
        return self

    def _refuse(self, key: str, of_what: str, others: tuple[str, ...]) -> None:
        """Refuse keys of something else beside *key*."""
        for other in others:
            if getattr(self, other) != type(self).model_fields[other].default:
                message = f"{other!r} is for {of_what}. Must not be with {key!r}"
                raise ValueError(message)

    @model_validator(mode="after")
    def _selects_points(self) -> Raster:
        given = [key for key in _OF_POINTS if getattr(self, key) is not None]
        if given and self.column is None:
            message = f"{given[0]!r} is for points. Must be with 'column'"
            raise ValueError(message)
        if self.date_column is not None and self.after is None is self.before:
            message = "'date_column' has no effect. Must be with 'after' or 'before'"
            raise ValueError(message)
        if self.after and self.before and self.after >= self.before:
            message = f"no day is after {self.after} and before {self.before}"
            raise ValueError(message)
        return self

    @property
    def origin(self) -> str:
        """The file that it is read from, or how it is derived."""
        return self.file if self.file is not None else str(self.derive)
