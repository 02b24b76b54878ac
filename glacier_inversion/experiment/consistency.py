"""
What the values of an experiment file must be to each other.

The checks read the raw JSON and pass over what has the wrong type, which the sections
report: so everything that is wrong with a file is found at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.beds import find_wrong_bed
from glacier_inversion.experiment.criterion import (
    find_colliding_columns,
    find_wrong_criterion,
)
from glacier_inversion.experiment.derived_from import find_wrong_derivations
from glacier_inversion.experiment.drawing import find_wrong_drawing
from glacier_inversion.experiment.evaluation import find_wrong_evaluation
from glacier_inversion.experiment.layers import (
    find_last_activation,
    find_too_many_layers,
    operation_lists,
)
from glacier_inversion.experiment.operation import find_operations
from glacier_inversion.experiment.raw import (
    FAR,
    RawExperiment,
    find_repeated,
    is_length,
)
from glacier_inversion.experiment.transforms import find_wrong_transforms
from glacier_inversion.experiment.vectors import find_wrong_vectors
from glacier_inversion.grid import common_multiple, ratio
from glacier_inversion.json_files import Problem, write_path

_MOST_PIXELS = 4096
_FARTHEST_MULTIPLE = 100
_LARGEST_CROP = 256


def architectures() -> list[str]:
    """Return the names of the modules in training/architectures."""
    folder = Path(__file__).parents[1] / "training" / "architectures"
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))


def find_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """Yield everything that does not fit together in the experiment *raw*."""
    view = RawExperiment(raw)
    yield from _of_rasters(view)
    yield from find_wrong_derivations(view)
    yield from _of_variables(view)
    yield from _of_area_size(view)
    yield from _of_losses(view)
    yield from find_colliding_columns(view)
    yield from _of_activations(view)
    yield from find_wrong_transforms(view)
    yield from find_wrong_criterion(view)
    yield from _of_network(view)
    yield from find_wrong_vectors(view)
    yield from _of_extra_training(view)
    yield from find_too_many_layers(view)
    yield from find_wrong_drawing(view)
    yield from find_wrong_bed(view)
    yield from find_wrong_evaluation(view)
    yield from _of_epsg(view)


def find_ignored(raw: dict[str, Any]) -> Iterator[Problem]:
    """Yield the entries that have no effect, as published files have them."""
    view = RawExperiment(raw)
    outputs = view.names("outputs")
    for key in ("losses_name", "metrics_name", "loss_weights"):
        for name in view.section(key):
            if name not in outputs:
                yield write_path([key, name]), f"{name!r} is no output: ignored"


def _of_rasters(view: RawExperiment) -> Iterator[Problem]:
    rasters = view.items("dataset_description", "rasters")
    yield from find_repeated(((path, item["name"]) for path, item in rasters), "raster")
    sizes = {i["resolution"] for _, i in rasters if is_length(i.get("resolution"))}
    if sizes and common_multiple(sizes) > _FARTHEST_MULTIPLE * max(sizes):
        shown = ", ".join(f"{size:g}" for size in sorted(sizes))
        yield (
            "dataset_description.rasters",
            f"the resolutions {shown} have no common multiple below "
            f"{_FARTHEST_MULTIPLE} times the coarsest, and tiles are whole multiples "
            "of it. Must have one. Round them, such as 33.333 to 25 or 50",
        )


def _of_variables(view: RawExperiment) -> Iterator[Problem]:
    both = [*view.items("inputs"), *view.items("outputs")]
    for section in ("inputs", "outputs"):
        items = view.items(section)
        yield from find_repeated(
            ((path, item["name"]) for path, item in items), "variable"
        )
    finest = min(view.resolutions("inputs", "outputs"), default=None)
    for path, item in both:
        name, resolution = item["name"], item.get("resolution")
        raster = view.rasters.get(name)
        if raster is None and view.has_all_rasters:
            yield (
                f"{path}.name",
                f"{name!r} is not described. Must be among "
                f"dataset_description.rasters. {nearest(name, view.rasters)}",
            )
        if not is_length(resolution):
            continue
        own = raster.get("resolution") if raster else None
        if is_length(own) and own != resolution:
            yield (
                f"{path}.resolution",
                f"{resolution:g} is not the resolution of the raster {name!r}. Must be "
                f"the same in both places. Use {own:g} here, or change the raster",
            )
        if finest is not None and ratio(resolution, finest) is None:
            yield (
                f"{path}.resolution",
                f"{resolution:g} is no whole multiple of {finest:g}, the finest among "
                "inputs and outputs. Must be one. Change either",
            )
    for path, item in view.items("outputs"):
        if item.get("scalar") is False:
            yield (
                f"{path}.scalar",
                "false asks for an image. Must be true: the value at the centre of the "
                "patch. Set it to true",
            )


def _of_extra_training(view: RawExperiment) -> Iterator[Problem]:
    name = view.value("extra_training", "dataset")
    own = view.value("dataset_description", "dataset_name")
    if isinstance(name, str) and name == own:
        yield (
            "extra_training.dataset",
            f"{name!r} is the dataset itself. Must be another one. Name it, or leave "
            "extra_training out",
        )
    if view.section("extra_training") and view.value("batch_size") == 1:
        yield (
            "batch_size",
            "1 leaves no sample for extra_training. Must be 2 at least. Raise it, or "
            "leave extra_training out",
        )


def _of_area_size(view: RawExperiment) -> Iterator[Problem]:
    area_size = view.value("area_size")
    if not is_length(area_size):
        return
    both = view.resolutions("inputs", "outputs")
    images = [
        item["resolution"]
        for _, item in view.items("inputs")
        if item.get("scalar") is not True and is_length(item.get("resolution"))
    ]
    needed = sorted({*images, *([min(both)] if both else [])})
    if both and area_size > _MOST_PIXELS * min(both):
        yield (
            "area_size",
            f"{area_size:g} is more than {_MOST_PIXELS} pixels of {min(both):g} m. "
            "Must be the side of a patch. Use less",
        )
    wrong = [
        resolution for resolution in needed if ratio(area_size, resolution) is None
    ]
    if wrong:
        step = common_multiple(needed)
        below = math.floor(area_size / step) * step if math.isfinite(step) else 0.0
        sizes = [v for v in (below, below + step) if 0 < v < FAR]
        use = " or ".join(f"{v:g}" for v in sizes) or "other resolutions"
        yield (
            "area_size",
            f"{area_size:g} is no whole number of {wrong[0]:g} m pixels. Must be a "
            f"multiple of every resolution. Use {use}",
        )
    spacing = view.value("sampling", "spacing")
    if both and is_length(spacing) and spacing < min(both):
        yield (
            "sampling.spacing",
            f"{spacing:g} is finer than the finest resolution. Must be at least "
            f"{min(both):g}, which takes every point. Use {min(both):g} or more",
        )
    yield from _of_crops(view, area_size, min(both) if both else None)


def _of_crops(
    view: RawExperiment, area_size: float, finest: float | None
) -> Iterator[Problem]:
    """Refuse crops that are larger than passes should be."""
    n_cells = view.value("sampling", "dense")
    spacing = view.value("sampling", "spacing")
    spacing = area_size if spacing is None else spacing
    if finest is None or type(n_cells) is not int or not is_length(spacing):
        return
    n_points = n_cells * spacing / finest
    if n_points > _LARGEST_CROP:
        yield (
            "sampling.dense",
            f"{n_cells} cells of {spacing:g} m make crops of {n_points:g} points a "
            f"side. Must be at most {_LARGEST_CROP}. Use fewer cells, or a smaller "
            "sampling.spacing",
        )


def _of_losses(view: RawExperiment) -> Iterator[Problem]:
    losses = view.section("losses_name")
    for _, item in view.items("outputs"):
        if item["name"] not in losses:
            yield (
                "losses_name",
                f"the output {item['name']!r} has no loss. Must name one for each "
                f'output. Add "{item["name"]}": "nan_mae", for example',
            )


def _of_activations(view: RawExperiment) -> Iterator[Problem]:
    """Look for a probability, which a sigmoid alone gives, where a loss needs one."""
    outputs = view.names("outputs")
    for name, loss in view.section("losses_name").items():
        if name not in outputs or "binary_crossentropy" not in str(loss):
            continue
        path, activation = find_last_activation(view, name)
        if activation not in (None, "sigmoid"):
            yield (
                f"{path}.last_activation",
                f"{activation!r} gives no probability, which the loss {loss!r} needs. "
                "Must be 'sigmoid'. Use it, or another loss",
            )


def _of_network(view: RawExperiment) -> Iterator[Problem]:
    architecture = view.value("model_architecture")
    if isinstance(architecture, str) and architecture not in architectures():
        yield (
            "model_architecture",
            f"{architecture!r} does not exist. "
            f"{nearest(architecture, architectures())} Use one of them",
        )
    for section in ("inputs", "outputs"):
        described = view.section("model_description", section)
        for path, item in view.items(section):
            if item["name"] not in described and item.get("scalar") is not (
                section == "inputs"
            ):
                yield (
                    f"model_description.{section}",
                    f"{item['name']!r}, named at {path}, has no entry. Must say what "
                    f'operations it has. Add "{item["name"]}": {{"operations": [...]}}',
                )
    for path, name in _operations(view):
        kind = find_operations().get(name)
        if kind and kind.spellings.get(name, architecture) != architecture:
            meant = kind.module_name()
            yield (
                f"{path}.name",
                f"{name!r} is an operation of {kind.spellings[name]} alone, where it "
                f"means {meant}. Use {meant!r}",
            )


def _operations(view: RawExperiment) -> Iterator[tuple[str, str]]:
    for keys in operation_lists(view):
        yield from ((path, item["name"]) for path, item in view.items(*keys))


def _of_epsg(view: RawExperiment) -> Iterator[Problem]:
    epsg = view.value("dataset_description", "epsg")
    if not isinstance(epsg, int) or isinstance(epsg, bool) or epsg < 1:
        return
    from pyproj import CRS  # noqa: PLC0415  0.2 s that a wrong file need not wait
    from pyproj.exceptions import CRSError  # noqa: PLC0415

    path = "dataset_description.epsg"
    try:
        crs = CRS.from_epsg(epsg)
    except CRSError:
        yield path, f"{epsg} is no EPSG code that PROJ knows. Use 2056, for example"
        return
    units = {axis.unit_name for axis in crs.axis_info}
    if not crs.is_projected or units != {"metre"}:
        yield (
            path,
            f"{epsg} ({crs.name}) is in {', '.join(sorted(units))}. Must be a "
            "projected CRS in metres. Use the national grid or the UTM zone of your "
            "glaciers",
        )
