"""Parameters of the max pool: none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from glacier_inversion.experiment.operation import Operation


class Downsample(Operation):
    """A max pool over 2 x 2 pixels; `upsample` is vggnet's published spelling."""

    spellings: ClassVar[Mapping[str, str]] = {"upsample": "vggnet"}

    name: Literal["downsample", "upsample"]
