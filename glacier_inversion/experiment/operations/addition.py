"""Parameters of the sum of images: none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from glacier_inversion.experiment.operation import Operation


class Addition(Operation):
    """Images of one shape are added; `fusion` is vggnet's published spelling."""

    spellings: ClassVar[Mapping[str, str]] = {"fusion": "vggnet"}

    name: Literal["addition", "fusion"]
