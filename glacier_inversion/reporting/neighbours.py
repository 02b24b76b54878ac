"""Features that touch: what one shows of another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def find_near_training(
    outlines: Mapping[str, shapely.Geometry], trained: Mapping[str, Collection[str]]
) -> list[str]:
    """
    Return the features that touch or overlap one that the networks learnt from.

    Parameters
    ----------
    outlines : mapping of Geometry
        By feature.
    trained : mapping of collections of str
        Of each feature that is predicted, those that its networks were trained on.

    Examples
    --------
    >>> boxes = {name: shapely.box(x, 0, x + 1, 1) for x, name in enumerate("abc")}
    >>> find_near_training(boxes, {"a": ["b", "c"], "b": ["c"], "c": ["a"]})
    ['a', 'b']
    """
    names = list(outlines)
    every = np.array([outlines[name] for name in names], dtype=object)
    pairs = shapely.STRtree(every).query(every, predicate="intersects")
    touching: dict[str, set[str]] = {}
    for one, other in pairs.T.tolist():
        if one != other:
            touching.setdefault(names[one], set()).add(names[other])
    return [
        feature
        for feature, learnt in trained.items()
        if not touching.get(feature, set()).isdisjoint(learnt)
    ]


def count_apart(outlines: Sequence[shapely.Geometry]) -> int:
    """
    Count the largest number of groups into which none that touch are parted.

    >>> count_apart([shapely.box(x, 0, x + 1, 1) for x in (0, 1, 2, 5)])
    2
    """
    every = np.array(outlines, dtype=object)
    pairs = shapely.STRtree(every).query(every, predicate="intersects")
    pairs = pairs.astype(np.int32)  # of others SciPy 1.11 counts wrongly
    shape = (len(every), len(every))
    graph = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape)
    return int(connected_components(graph, directed=False, return_labels=False))
