"""What of a description is not as it was when a dataset was built."""

from __future__ import annotations

from collections.abc import Iterable

from glacier_inversion.dataset.summary import Summary
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment

# What the tiles of a dataset follow from, besides the rasters.
_DESCRIBING = (
    "epsg",
    "shapefile_file",
    "shapefile_layer",
    "shapefile_fieldname",
    "buffer_distance",
)
# Found where they are left out, if the file is at hand.
_FOUND = ("shapefile_layer", "shapefile_fieldname")


def find_changes(
    summary: Summary,
    fieldname: str | None,
    experiment: Experiment | Application,
    rasters: Iterable[str] = (),
) -> list[str]:
    """
    Name the differences that matter to *experiment*, whose ids are in *fieldname*.

    Left out are rasters that it neither reads nor derives others from, but for
    *rasters*.
    """
    description = experiment.dataset_description
    built = summary.description.model_dump()
    wanted = {**description.model_dump(mode="json"), "shapefile_fieldname": fieldname}
    differing = [
        f"{key} {built.get(key)} → {wanted[key]}"
        for key in _DESCRIBING
        if built.get(key) != wanted[key]
        and not (key in _FOUND and None in (built.get(key), wanted[key]))
    ]
    built_rasters = {raster["name"]: raster for raster in built["rasters"]}
    names = [variable.name for variable in experiment.variables()]
    used = [description.raster(name) for name in names] or [*description.rasters]
    used += [description.raster(name) for name in rasters]
    used += [a for raster in used for a in description.ancestors(raster.name)]
    for name in dict.fromkeys(raster.name for raster in used):
        raster = description.raster(name).model_dump(mode="json")
        own = built_rasters.get(name)
        if own is None:
            differing.append(f"rasters: {name} is new")
        else:
            differing += [
                f"rasters: {name}: {key} {own.get(key)} → {raster[key]}"
                for key in raster
                if own.get(key) != raster[key]
            ]
        warping = summary.warping.get(name)
        if warping is not None and warping.to_file is not None:
            pairs = summary.description.vectors
            before = next((pair for pair in pairs if name in pair), None)
            now = description.pair_of(name)
            if before != now:
                differing.append(f"vectors: {name}: {before} → {now}")
    return differing
