"""A file that applies trained models to a region: its dataset, and what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from glacier_inversion.experiment.sections import (
    DatasetDescription,
    DrawingDescription,
    Variable,
)
from glacier_inversion.experiment.values import Section, Text


class Application(Section):
    """
    An experiment without a network of its own: trained models, drawn elsewhere.

    What the inputs, the patch and the outputs are, the models say. It is complete for
    building a dataset, checking and drawing.
    """

    dataset_description: DatasetDescription = Field(description="The dataset.")
    drawing_description: DrawingDescription = Field(description="The drawings.")
    schema_: Text | None = Field(
        default=None, alias="$schema", description="For editors; without effect."
    )

    @property
    def inputs(self) -> list[Variable]:
        """None of its own."""
        return []

    @property
    def outputs(self) -> list[Variable]:
        """None of its own."""
        return []

    def variables(self) -> Iterator[Variable]:
        """Iterate over none."""
        yield from ()

    @property
    def finest_resolution(self) -> float:
        """The least resolution among the rasters, CRS units."""
        return min(raster.resolution for raster in self.dataset_description.rasters)


def is_application(raw: dict[str, Any]) -> bool:
    """Tell whether a file has both sections of an application and nothing to train."""
    keys = {field.alias or name for name, field in Application.model_fields.items()}
    needed = {"dataset_description", "drawing_description"}
    return needed <= raw.keys() <= keys
