"""Features that touch: what one shows of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely


def count_touching(outlines: Sequence[shapely.Geometry]) -> int:
    """
    Count the outlines that touch or overlap another.

    >>> count_touching([shapely.box(x, 0, x + 1, 1) for x in (0, 1, 5)])
    2
    """
    every = np.array(outlines, dtype=object)
    one, other = shapely.STRtree(every).query(every, predicate="intersects")
    return len(np.unique(one[one != other]))
