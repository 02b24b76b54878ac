"""What each process that draws maps opens and finds out before."""

from __future__ import annotations

import itertools

from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.drawing.planned_maps import PlannedMaps
from glacier_inversion.drawing.published_volumes import find_published, warn_of_units
from glacier_inversion.drawing.volume_tables import find_thicknesses, read_calibrations
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace


def open_drawn_dataset(
    experiment: Experiment | Application, workspace: Workspace
) -> BuiltDataset:
    """
    Open the dataset with all rasters that drawing reads, but for a model's inputs.

    Raises
    ------
    DatasetError
        As `open_dataset` raises it.
    """
    bed = experiment.drawing_description.bed
    surfaces = [] if bed is None else [bed.surface]
    published = itertools.chain.from_iterable(find_published(experiment).values())
    return open_dataset(experiment, workspace, [*surfaces, *published])


def plan_maps(
    experiment: Experiment | Application,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    *,
    with_volumes: bool,
) -> PlannedMaps:
    """
    Plan the maps of a model, with the volumes of those that are thicknesses.

    Why an output has no volume, or one without uncertainty, is logged; where no map is
    drawn, *with_volumes* is False, and nothing is.

    Raises
    ------
    ModelError
        Weights are not those that training wrote.
    """
    thicknesses = []
    if with_volumes:
        bed = experiment.drawing_description.bed
        thicknesses = find_thicknesses(ensemble, dataset, bed)
        warn_of_units(ensemble.name, experiment, thicknesses, dataset.units)
    calibrations = read_calibrations(ensemble, thicknesses)
    asked = {output: calibrations.get(output) for output in thicknesses}
    return PlannedMaps(experiment, workspace, ensemble, dataset, asked)
