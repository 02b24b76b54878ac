"""Propose to apply trained models to glaciers that nobody measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glacier_inversion.choices import Resampling
from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.proposing.names import recognize
from glacier_inversion.proposing.network import needed_buffer
from glacier_inversion.proposing.proposal import (
    Proposal,
    list_entries,
    list_unused,
    merge_entries,
)
from glacier_inversion.proposing.rasters import (
    COMPONENTS,
    FoundRaster,
    describe_raster,
    describe_rasters,
)
from glacier_inversion.workspace import Workspace


def propose_application(
    workspace: Workspace,
    described: dict[str, Any],
    found: dict[str, FoundRaster],
    models: list[str],
    reasons: list[str],
) -> Proposal:
    """Propose to apply trained models."""
    if not models:
        folders = sorted(workspace.root.glob("models/*/model.json"))
        models = [path.parent.name for path in folders]
    if not models:
        message = (
            f"{workspace.data('')}: holds no ice thickness at the outlines, and "
            f"{workspace.root / 'models'} no model. Must have either, to train or to "
            "apply. Put measurements there, as ice_thickness.tif or as a table with a "
            "column 'thickness', or name a trained model with '--model PATH'."
        )
        raise DatasetError(message)
    from glacier_inversion.training.model.model import read_model  # noqa: PLC0415 torch

    wanted: list[dict[str, Any]] = []
    inputs: list[str] = []
    vectors: list[list[str]] = []
    buffer = 0.0
    read = {m: read_model(workspace.model_to_read(m)).experiment for m in models}
    resampled = {
        name: trained.dataset_description.raster(name).resampling
        for trained in reversed(read.values())  # the first one's word counts
        for name in _find_read(trained)
    }
    for model, trained in read.items():
        for variable in trained.inputs:
            wanted += _serve(trained, variable.name, found, model, resampled)
            inputs.append(variable.name)
        vectors += trained.dataset_description.vectors
        coarsest = max(variable.resolution for variable in trained.variables())
        buffer = max(buffer, needed_buffer(trained.area_size, coarsest))
    known = set().union(*map(_find_read, read.values()))
    if known.isdisjoint(COMPONENTS):  # else they are as where a model was trained
        vectors.append(COMPONENTS)
    entries = merge_entries(wanted)
    content = {
        "dataset_description": {
            **described,
            "buffer_distance": buffer,
            **describe_rasters(entries, vectors),
        },
        "drawing_description": {"features": "all", "models": models},
    }
    reasons += [
        f"models {', '.join(models)}: trained ones are applied",
        f"buffer_distance {buffer:g} m: half of what models look at, and two pixels",
        *list_entries(entries, inputs),
        *list_unused(found, entries),
    ]
    return Proposal(content, reasons)


def _find_read(trained: Experiment) -> set[str]:
    """Return the rasters that a model reads, and those that they are derived from."""
    description = trained.dataset_description
    inputs = [variable.name for variable in trained.inputs]
    return {*inputs, *(r.name for of in inputs for r in description.ancestors(of))}


def _serve(
    trained: Experiment,
    name: str,
    found: dict[str, FoundRaster],
    model: str,
    resampled: Mapping[str, Resampling | None],
) -> list[dict[str, Any]]:
    """
    Return the entries that give a model one of its rasters, by its name there.

    Files are resampled as there. Their bands, units and numbers that mean no data may
    be others here.

    Parameters
    ----------
    resampled : mapping of str or None
        How models resample the files that they read, by raster: for what this one does
        not read.
    """
    description = trained.dataset_description
    raster = description.raster(name)
    if raster.derive is not None:
        parts = [
            entry
            for of in raster.derive.rasters
            for entry in _serve(trained, of, found, model, resampled)
        ]
        derive = raster.derive.model_dump(mode="json", exclude_defaults=True)
        derive["name"] = raster.derive.name
        if len(raster.derive.rasters) == 1:  # as where one is derived that had a file
            (derive["of"],) = raster.derive.rasters
        own = {"name": name, "resolution": raster.resolution, "derive": derive}
        units = [description.raster(of).unit for of in raster.derive.rasters]
        if raster.unit not in (None, raster.derive.unit(units)):
            own["unit"] = raster.unit
        return [*parts, own]
    # what the file of training was called says more than what the experiment calls it
    variable = recognize(Path(str(raster.file)).stem) or recognize(name)
    if description.pair_of(name) and variable not in COMPONENTS:
        variable = None  # one component is no speed
    entries = (
        []
        if variable is None
        else describe_raster(found, variable, name, raster.resolution)
    )
    if not entries:
        there = ", ".join(f"{r.file} ({v})" for v, r in found.items()) or "none"
        message = (
            f"{model}: reads {name!r}, and no raster that covers outlines was found to "
            f"be that. Must be among the files in the data folder: {there}. Put it "
            f"there, named {variable or name}.tif, or write the entry yourself."
        )
        raise RasterError(message)
    ways = {**resampled, name: raster.resampling}
    for entry in entries:
        if "file" in entry and ways.get(entry["name"]):
            entry["resampling"] = ways[entry["name"]]
    return entries
