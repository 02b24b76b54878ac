"""What is drawn: names that stand there once, blends, and the maps' resolution."""

from __future__ import annotations

from collections.abc import Iterator

from glacier_inversion.experiment.raw import RawExperiment, find_repeated, is_length
from glacier_inversion.grid import ratio
from glacier_inversion.json_files import Problem
from glacier_inversion.workspace import last_part


def find_wrong_drawing(view: RawExperiment) -> Iterator[Problem]:
    """Yield what is wrong with what is drawn: named twice, or no blend or map."""
    for key, what in (
        ("features", "feature"),
        ("profiles", "profile"),
        ("statistics", "statistic"),
    ):
        yield from find_repeated(view.strings("drawing_description", key), what)
    models = view.strings("drawing_description", "models")
    yield from find_repeated(models, "model")
    yield from _find_same_folders(models)
    blend = view.value("drawing_description", "blend")
    if isinstance(blend, str) and len(models) < 2:
        yield (
            "drawing_description.blend",
            f"{blend!r} is to be made of {len(models)} models. Must be of two at "
            "least. Name them in drawing_description.models, or leave the blend out",
        )
    places = {last_part(model) for _, model in models}
    own = view.value("model_name")
    # as names of folders, in which some systems know no capitals
    taken = {str(name).casefold() for name in (*places, own)}
    if isinstance(blend, str) and blend.casefold() in taken:
        yield (
            "drawing_description.blend",
            f"{blend!r} is a model. Must be a name of its own. Choose another",
        )
    if isinstance(blend, str) and isinstance(own, str) and own not in places:
        yield (
            "drawing_description.models",
            f"do not hold {own!r}, the experiment's own model, while {blend!r} is "
            "evaluated for it. Must hold it. Add it, or leave the blend out",
        )
    resolution = view.value("drawing_description", "resolution")
    finest = min(view.resolutions("inputs", "outputs"), default=None)
    if finest is not None and is_length(resolution) and not ratio(resolution, finest):
        yield (
            "drawing_description.resolution",
            f"{resolution:g} is no whole multiple of {finest:g}, the finest among "
            f"inputs and outputs. Must be one. Use {finest:g}",
        )


def _find_same_folders(models: list[tuple[str, str]]) -> Iterator[Problem]:
    """Yield models at several places whose folders have one name."""
    first_of: dict[str, str] = {}
    for path, place in models:
        first = first_of.setdefault(last_part(place), place)
        if first != place:
            yield (
                path,
                f"{place!r} ends in the same name as {first!r}. Must differ, as what "
                "a model draws is named by its folder. Rename one of the folders",
            )
