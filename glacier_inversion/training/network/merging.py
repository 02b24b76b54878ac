"""What operations that make several images one are made of."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from glacier_inversion.training.network.fields import PatchField, common_spacing
from glacier_inversion.training.network.operation import NotDenseError, Operation


class Merging(Operation):
    """One image of several; vectors pass by."""

    @abstractmethod
    def merge(self, images: list[Tensor]) -> Tensor:
        """Make images, or phases of them, one."""

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Replace the images by one."""
        images = [value for value in values if value.ndim == 4]
        vectors = [value for value in values if value.ndim == 2]
        return [self.merge(images), *vectors] if images else vectors

    def dense(self, fields: list[PatchField]) -> list[PatchField]:
        """Replace the fields of images by one; NotDenseError where pixels part."""
        images = [field for field in fields if not field.is_vector]
        vectors = [field for field in fields if field.is_vector]
        if not images:
            return vectors
        try:
            spacing = common_spacing(images)
        except ValueError as error:
            message = f"joins {error}"
            raise NotDenseError(message) from error
        merged = self.merge([field.respaced(spacing).values for field in images])
        return [PatchField(merged, spacing, images[0].side), *vectors]
