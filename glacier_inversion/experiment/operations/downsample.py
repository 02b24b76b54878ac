"""Parameters of the max pool: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from glacier_inversion.experiment.operation import Operation


class Downsample(Operation):
    """A max pool over 2 x 2 pixels; `upsample` is vggnet's published spelling."""

    spellings: ClassVar = {"upsample": "vggnet"}

    name: Literal["downsample", "upsample"]
