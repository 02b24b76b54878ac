"""Lines of profiles: read, and those that lie where nothing can be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import shapely

from glacier_inversion.errors import OutlineError, nearest
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.geodata.vectors import read_lines
from glacier_inversion.workspace import Workspace


def read_profiles(
    experiment: Experiment | Application, workspace: Workspace, problems: list[str]
) -> dict[str, list[shapely.LineString]]:
    """Read the lines of every profile of an experiment, and note why some cannot be."""
    lines = {}
    for name in experiment.drawing_description.profiles:
        path = workspace.profile(name)
        if not path.exists():
            known = [there.stem for there in path.parent.glob("*.shp")]
            message = f"{path}: does not exist. {nearest(name, known)} Correct it."
            problems.append(message)
            continue
        try:
            lines[name] = read_lines(path, experiment.dataset_description.epsg)
        except OutlineError as error:
            problems.append(str(error))
    return lines


def find_stray_profiles(
    profiles: Mapping[str, Sequence[shapely.LineString]],
    outlines: Mapping[str, shapely.Geometry],
) -> Iterator[str]:
    """
    Say which profiles cross no outline, and how far the nearest one is.

    Parameters
    ----------
    profiles : mapping of lines
        By name.
    outlines : mapping of polygons
        Of the features that have tiles, by id; nothing is said where there are none.
    """
    features = list(outlines)
    tree = shapely.STRtree([outlines[feature] for feature in features])
    for name, lines in profiles.items():
        places = shapely.union_all(lines)
        found, distance = tree.query_nearest(
            places, return_distance=True, all_matches=False
        )
        if len(found) and distance[0] > 0:
            yield (
                f"profile {name}: meets no feature that has tiles: the nearest, "
                f"{features[found[0]]}, is {distance[0]:,.0f} m away. Nothing can be "
                "predicted along it. Correct its lines, or their CRS"
            )
