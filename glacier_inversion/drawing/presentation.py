"""What shows the maps of a run together: styles, mosaics, layers and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.holes import HOLES
from glacier_inversion.drawing.layers import LAYERS, write_layers
from glacier_inversion.drawing.mosaics import remove_mosaics, write_mosaics
from glacier_inversion.drawing.overview import OVERVIEW, write_overview
from glacier_inversion.drawing.styles import DrawnMaps, Extremes, ranges_of, style_maps
from glacier_inversion.drawing.volume_tables import VOLUME_OUTLINES, VOLUMES
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import bed_of
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove
from glacier_inversion.grid import Grid
from glacier_inversion.training.model.ensemble import Ensemble

_VOLUMES = (VOLUMES, VOLUME_OUTLINES)


def remove_outdated(folder: Path, ensemble: Ensemble) -> None:
    """Remove what shows the maps of an earlier run together, once one has changed."""
    outputs = ensemble.layout.outputs
    remove_mosaics(folder, [*outputs, *map(bed_of, outputs)])
    together = (folder / name for name in (LAYERS, OVERVIEW, HOLES, *_VOLUMES))
    remove(*(path for path in together if path.is_file()))


def show_maps(
    experiment: Experiment | Application,
    model: str,
    folder: Path,
    maps: DrawnMaps,
    extremes: Mapping[Path, Extremes],
    grids: Mapping[str, Grid],
    dataset: BuiltDataset,
) -> list[Path]:
    """Style the maps of a run alike, join, list and picture them; grids by feature."""
    if not maps:
        return []
    ranges = ranges_of(maps, extremes)
    style_maps(maps, ranges)
    features = [path.parent.name for path in next(iter(maps.values()))]
    mosaics = write_mosaics(folder, maps, ranges, [grids[f] for f in features])
    outlines = [dataset.outlines[feature] for feature in features]
    epsg = experiment.dataset_description.epsg
    layers = write_layers(folder, model, maps, ranges, epsg)
    return [*mosaics, layers, write_overview(folder, model, ranges, outlines)]
