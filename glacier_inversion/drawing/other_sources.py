"""What the inputs of an applied model are made from, where training had others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.experiment.units import may_be_same
from glacier_inversion.training.model.model import Model

# Keys that mean something else where they are left out.
_WITH_DEFAULT = ("resampling", "nodata", "points_epsg", "date_column")


class _Source(NamedTuple):
    """A raster, and what it is described with."""

    description: DatasetDescription
    name: str

    @property
    def raster(self) -> Raster:
        return self.description.raster(self.name)

    @property
    def pair(self) -> list[str] | None:
        return self.description.pair_of(self.name)

    @property
    def place(self) -> int | None:
        """Of a component in its vector."""
        return None if self.pair is None else self.pair.index(self.name)

    @property
    def content(self) -> str:
        """All that is said of it, but for its name and resolution."""
        return self.raster.model_dump_json(exclude={"name", "resolution"})

    def beside(self, names: list[str] | None) -> list[_Source]:
        """Return others of the same description."""
        return [_Source(self.description, name) for name in names or []]


def find_other_sources(
    name: str,
    model: Model,
    description: DatasetDescription,
    units: Mapping[str, str | None],
) -> Iterator[str]:
    """
    Say which sources of a model's inputs are not as they were in training.

    Sources are the inputs, all rasters that they are derived from, and the other
    components of vectors, with which they are turned. Each that differs is named once.
    Names may differ, but for those of inputs: sources are compared by their places in
    the derivations.

    Parameters
    ----------
    name : str
        What messages call the model.
    description : DatasetDescription
        Of the dataset that it is applied to, which has all that the model reads.
    units : mapping of str or None
        Of the rasters of that dataset, by name, as far as they are known.
    """
    trained = model.experiment.dataset_description
    inputs = [variable.name for variable in model.experiment.inputs]
    left = deque((_Source(trained, n), _Source(description, n), n) for n in inputs)
    compared: set[tuple[str, str]] = set()
    told: set[tuple[Any, ...]] = set()
    while left:  # inputs first: what is an input, too, is named as one
        then, now, made = left.popleft()
        if (then.name, now.name) in compared:
            continue
        compared.add((then.name, now.name))
        left += ((*pair, made) for pair in _made_from(then, now))
        changes = _find_changes(then, now, model.units, units)
        # a file may have several rasters, one for each resolution
        change = then.content, now.content
        if not changes or (change in told and now.name != made):
            continue
        told.add(change)
        source = now.name if now.name == made else f"{now.name}, source of {made}"
        renamed = "" if then.name == now.name else f"name {then.name} → {now.name}, "
        yield f"{name}: differs from training: {source}: {renamed}{changes}"


def _made_from(then: _Source, now: _Source) -> Iterator[tuple[_Source, _Source]]:
    """Yield the sources of two rasters, as far as they are made in the same way."""
    yield from zip(then.beside(then.pair), now.beside(now.pair), strict=False)
    first, second = then.raster.derive, now.raster.derive
    if first is not None and second is not None and first.name == second.name:
        others = now.beside(second.rasters)
        yield from zip(then.beside(first.rasters), others, strict=True)


def _find_changes(
    then: _Source,
    now: _Source,
    units_then: Mapping[str, str | None],
    units_now: Mapping[str, str | None],
) -> str:
    """Return what differs with both values, nothing where it is but names."""
    before, after = _describe(then), _describe(now)
    first, second = then.raster.derive, now.raster.derive
    if first is None or second is None or first.name != second.name:
        before["derive"] = None if first is None else str(first)
        after["derive"] = None if second is None else str(second)
    # models keep the units of inputs and outputs alone, and earlier ones none
    unit = units_then.get(then.name, before["unit"] or units_now.get(now.name))
    before["unit"], after["unit"] = unit, units_now.get(now.name, unit)
    if unit and after["unit"] and may_be_same(unit, after["unit"]):
        after["unit"] = unit
    if then.place != now.place:
        before["vector"], after["vector"] = then.pair, now.pair
    is_other_kind = (first is None) != (second is None)  # what else differs follows
    return ", ".join(
        f"{key} {_say(key, before.get(key))} → {_say(key, after.get(key))}"
        for key in before | after
        if before.get(key) != after.get(key)
        and (not is_other_kind or key in ("file", "derive", "unit"))
    )


def _say(key: str, value: Any) -> str:
    if value is None and key == "unit":
        return "unknown"
    if value is None:
        return "default" if key in _WITH_DEFAULT else "none"
    return str(value)


def _describe(source: _Source) -> dict[str, Any]:
    """Return what is said of a raster, but for names: its own and those of others."""
    raster = source.raster
    said = raster.model_dump(mode="json", exclude={"name", "derive"})
    if raster.derive is not None:
        parameters = raster.derive.model_dump(mode="json", exclude={"name", "of"})
        said |= {f"derive.{key}": value for key, value in parameters.items()}
    return said
