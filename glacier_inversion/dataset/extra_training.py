"""The second dataset whose samples are mixed into those of an experiment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import shapely
from pyproj import Transformer

from glacier_inversion.dataset.opened import BuiltDataset, built_from
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.splits import assign_splits, find_on_same_ground
from glacier_inversion.dataset.summary import SUMMARY, Summary, read_summary
from glacier_inversion.errors import DatasetError, OutlineError, name_some, nearest
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import ExtraTraining, Split
from glacier_inversion.experiment.units import may_be_same
from glacier_inversion.geodata.vectors import problem_of_place, reprojected
from glacier_inversion.grid import Bounds
from glacier_inversion.patches.sampling import spacing_of
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

_WHERE = "extra_training.dataset"


@dataclass(frozen=True)
class ExtraSize:
    """
    How much of the extra dataset training reads, by what its summary tells.

    Attributes
    ----------
    bounds : list of Bounds
        Of the tiles.
    n_points : int
        Points with a known target, about.
    n_cells : int
        Those that give a sample each, at most.
    """

    bounds: list[Bounds]
    n_points: int
    n_cells: int


def open_extra(
    experiment: Experiment,
    workspace: Workspace,
    ownership: Ownership,
    units: Mapping[str, str | None],
    say: Callable[[str], object] = logger.info,
) -> BuiltDataset | None:
    """
    Open the dataset that extra_training names; None where it names none.

    Its splits are those of its own experiment file when it was built. Features are left
    out that share more than a sliver of their outline with one of the main dataset that
    is kept apart: that validates, tests or is held out. Of others no target serves that
    lies within such an outline, as between the splits of one dataset.

    Parameters
    ----------
    workspace : Workspace
        Where the dataset is looked for.
    ownership : Ownership
        Of the main dataset.
    units : mapping of str or None
        Of its rasters.
    say : callable
        Hears of features that are left out.

    Raises
    ------
    DatasetError
        It is not built or broken, it lacks a variable, has it at another resolution, in
        another unit or derived otherwise, or none of its features trains.
    """
    extra = experiment.extra_training
    if extra is None:
        return None
    folder = workspace.dataset(extra.dataset)
    summary = _read(folder)
    epsg = experiment.dataset_description.epsg
    _check_variables(experiment, extra, summary, units)
    opened = _opened(folder, summary)
    apart = _kept_apart(experiment, ownership, epsg, opened.epsg)
    trained = {f: opened.outlines[f] for f in opened.select("train")}
    on_same = find_on_same_ground(trained, [*apart.outlines.values()])
    if on_same:
        say(
            f"{_WHERE}: {len(on_same)} of the {len(trained)} training features of "
            f"{extra.dataset!r} are left out, as they lie where features lie that are "
            f"kept apart from training: {name_some(on_same)}"
        )
    if len(on_same) == len(trained):
        message = (
            f"{_WHERE}: no feature of {extra.dataset!r} can be mixed in: its split "
            f"trains {len(trained)}, of which {len(on_same)} lie where features lie "
            "that are kept apart from training. Must be one at least. Change the split "
            "in its experiment file and build it again, or leave extra_training out."
        )
        raise DatasetError(message)
    left = {f: split for f, split in opened.splits.items() if f not in on_same}
    return replace(opened, splits=left, apart=apart)


def estimate_extra(experiment: Experiment, extra: BuiltDataset) -> ExtraSize:
    """Estimate how much of the extra dataset training reads, without reading tiles."""
    bounds, n_points, n_cells = [], 0.0, 0.0
    for feature in extra.select("train"):
        grid = extra.grid(feature, experiment.finest_resolution)
        rasters = extra.rows[feature]["rasters"]
        known = max(rasters[output.name]["valid"] for output in experiment.outputs)
        n_pixels = grid.n_rows * grid.n_cols
        bounds.append(grid.bounds)
        n_points += known * n_pixels
        n_cells += n_pixels * (grid.resolution / spacing_of(experiment)) ** 2
    return ExtraSize(bounds, round(n_points), round(min(n_cells, n_points)))


def find_extra_outlines(
    experiment: Experiment,
    dataset: BuiltDataset,
    features: Sequence[str],
    contents: Mapping[str, str],
) -> list[shapely.Geometry] | None:
    """
    Return the outlines that were mixed into a model's training, in a dataset's CRS.

    Parameters
    ----------
    experiment : Experiment
        The model's, which has extra training.
    dataset : BuiltDataset
        In the workspace in which the extra one is looked for.
    features : sequence of str
        Those that were mixed in.
    contents : mapping of str
        The model's digests of what it was trained on.

    Returns
    -------
    outlines : list of polygons, or None
        None where the features are not there any more as they were.
    """
    assert experiment.extra_training is not None
    folder = workspace_of(dataset).dataset(experiment.extra_training.dataset)
    try:
        opened = _opened(folder, _read(folder))
        of_model = replace(opened, splits=dict.fromkeys(features, "train"))
        there = of_model.input_contents(experiment)
        outlines = {feature: opened.outlines[feature] for feature in features}
    except (DatasetError, KeyError):  # a feature or an input is missing
        return None
    if not any(contents.get(of_extra(key)) == there[key] for key in there):
        return None
    return [*_moved(outlines, opened.epsg, dataset.epsg).values()]


def of_extra(key: str) -> str:
    """
    Return what the digest of a variable of the extra dataset is called.

    >>> of_extra("dataset.inputs.slope")
    'extra_training.inputs.slope'
    """
    return f"extra_training.{key.removeprefix('dataset.')}"


def workspace_of(dataset: BuiltDataset) -> Workspace:
    """Return the workspace in which a dataset is."""
    return Workspace(dataset.folder.parents[1])


def _read(folder: Path) -> Summary:
    if not (folder / SUMMARY).exists():
        name, datasets = folder.name, folder.parent
        known = sorted(path.parent.name for path in datasets.glob(f"*/{SUMMARY}"))
        message = (
            f"{_WHERE}: {name!r} is not built in {datasets}. {nearest(name, known)} "
            "Correct the name, or run 'ginv build-dataset' with its own file."
        )
        raise DatasetError(message)
    try:
        return read_summary(folder)
    except DatasetError as error:
        message = f"{_WHERE}: {error}"
        raise DatasetError(message) from error


def _opened(folder: Path, summary: Summary) -> BuiltDataset:
    """Return a dataset that is built, with the splits that it was built with."""
    split = summary.description.split
    try:
        splits = assign_splits(
            folder / SUMMARY,
            summary.columns,
            None if split is None else Split.model_validate(split),
        )
    except (OutlineError, ValueError) as error:
        message = f"{_WHERE}: {error}"
        raise DatasetError(message) from error
    return built_from(folder, summary, splits)


def _check_variables(
    experiment: Experiment,
    extra: ExtraTraining,
    summary: Summary,
    units: Mapping[str, str | None],
) -> None:
    """Refuse a dataset whose variables are not those of the experiment."""
    rasters = {raster.name: raster for raster in summary.description.rasters}
    outputs = {output.name for output in experiment.outputs}
    lacking = []
    for variable in experiment.variables():
        name, own = variable.name, rasters.get(variable.name)
        unit = summary.units.get(name)
        if own is None or own.resolution != variable.resolution:
            has = f"at {own.resolution:g}" if own else "not at all"
            lacking.append(f"{name!r} at {variable.resolution:g} ({has})")
        elif name in outputs and own.derive is not None:
            lacking.append(f"{name!r} read from a file (it is derived)")
        elif not may_be_same(unit, units.get(name)):
            lacking.append(f"{name!r} in {units[name]!r} (in {unit!r})")
        elif (there := _derivation(own.derive)) != (
            here := _derivation(_dumped(experiment, name))
        ) and None not in (there, here):
            lacking.append(f"{name!r} derived by {here} (by {there})")
    read = {variable.name for variable in experiment.variables()}
    for pair in experiment.dataset_description.vectors:
        files = [summary.warping.get(name) for name in pair if name in read]
        in_other_crs = any(file is not None and file.to_file for file in files)
        if in_other_crs and pair not in summary.description.vectors:
            lacking.append(f"vectors {pair} (not turned to the axes of its tiles)")
    if lacking:
        message = (
            f"{_WHERE}: {extra.dataset!r} must have {', '.join(lacking)}. Must have "
            "what the experiment reads and predicts. Change "
            "dataset_description.rasters in its own file, and build it again."
        )
        raise DatasetError(message)


def _dumped(experiment: Experiment, name: str) -> dict[str, object] | None:
    derive = experiment.dataset_description.raster(name).derive
    return None if derive is None else derive.model_dump(mode="json")


def _derivation(derive: dict[str, object] | None) -> dict[str, object] | None:
    """Return how a raster is derived, from whatever it is."""
    return None if derive is None else {k: v for k, v in derive.items() if k != "of"}


def _kept_apart(
    experiment: Experiment, ownership: Ownership, epsg: int, to_epsg: int
) -> Ownership:
    """Return what is kept apart of the main dataset, in the CRS of the extra one."""
    # with the dataset's name: no feature of another has a separator in its id
    names = {
        f: f"{experiment.dataset_description.dataset_name}/{f}"
        for f, split in ownership.splits.items()
        if split != "train"
    }
    polygons = {n: ownership.outlines[f] for f, n in names.items()}
    outlines = _moved(polygons, epsg, to_epsg)
    boxes = {n: shapely.box(*ownership.bounds[f]) for f, n in names.items()}
    bounds = {n: b.bounds for n, b in _moved(boxes, epsg, to_epsg).items()}
    there = outlines.keys() & bounds.keys()
    return Ownership(
        {name: outlines[name] for name in names.values() if name in there},
        {name: bounds[name] for name in names.values() if name in there},
        dict.fromkeys(sorted(there), "test"),
    )


def _moved(
    geometries: Mapping[str, shapely.Geometry], epsg: int, to_epsg: int
) -> dict[str, shapely.Geometry]:
    """Return geometries in another CRS, without those beyond its domain."""
    if epsg == to_epsg:
        return dict(geometries)
    to_theirs = Transformer.from_crs(epsg, to_epsg, always_xy=True)
    moved = {name: reprojected(g, to_theirs) for name, g in geometries.items()}
    return {name: g for name, g in moved.items() if problem_of_place(g) is None}
