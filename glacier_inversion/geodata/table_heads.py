"""What tables of points say of themselves before their rows are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glacier_inversion.errors import RasterError, nearest
from glacier_inversion.geodata.text_tables import TextForm


@dataclass(frozen=True)
class TableHead:
    """
    What a table of points says of itself before its rows are read.

    Attributes
    ----------
    columns : tuple of str
    layer : str, optional
        Of a vector file: the one that holds points.
    geometry : str, optional
        Of a GeoParquet file: the column that holds points.
    crs : str, optional
        Of either.
    form : TextForm, optional
        Of a text file.
    """

    columns: tuple[str, ...]
    layer: str | None = None
    geometry: str | None = None
    crs: str | None = None
    form: TextForm | None = None

    @property
    def has_points(self) -> bool:
        """Whether places are geometries, and no columns."""
        return self.layer is not None or self.geometry is not None

    def find(self, names: Sequence[str]) -> str | None:
        """Return the first of the columns called *names*, in any case."""
        known = {column.strip().casefold(): column for column in self.columns}
        return next((known[name] for name in names if name in known), None)

    def named(self, path: Path, name: str) -> str:
        """
        Return the column that a name means: so written, or but for blanks around it.

        Raises
        ------
        RasterError
            There is none, or there are several; with *path*, the table's.
        """
        if name in self.columns:
            return name
        found = [column for column in self.columns if column.strip() == name.strip()]
        if len(found) == 1:
            return found[0]
        if found:
            message = (
                f"{path}: the columns {' and '.join(map(repr, found))} may be meant by "
                f"{name!r}. Must be one of them, with its blanks. "
                "Correct its name in the experiment."
            )
            raise RasterError(message)
        message = (
            f"{path}: has no column {name!r}. {nearest(name, self.columns)} "
            "Correct its name in the experiment."
        )
        raise RasterError(message)
