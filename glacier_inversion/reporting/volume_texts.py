"""Volumes in words: of all that is drawn, or why there are none."""

from __future__ import annotations

from glacier_inversion.experiment.units import is_metres
from glacier_inversion.reporting.quantities import count, number, span
from glacier_inversion.reporting.rows import number_in
from glacier_inversion.reporting.sources import Sources


def tell_volume(sources: Sources, output: str) -> str:
    """Tell the volume of the features in the table, nothing where there is none."""
    told = sources.volume_of_all(output)
    if told is None:
        return ""
    volume, area = number_in(told, "volume_km3"), number_in(told, "area_km2")
    low, high = number_in(told, "lower95_km3"), number_in(told, "upper95_km3")
    within = " (how far it may be off is not known)"
    if low is not None and high is not None:
        within = f" (95 % interval {span((low, high), 'km³', like=volume)})"
    rows = [
        row
        for row in sources.volumes_of(output)
        if number_in(row, "volume_km3") is not None
    ]
    of_some = ""
    if {row["feature"] for row in rows} != set(sources.drawn[output]):
        n_drawn = len(sources.drawn[output])
        of_some = (
            f" This is the total of the {count(len(rows), 'feature')} in volumes.csv; "
            f"{n_drawn:,} have a map. 'ginv draw' of all of them writes that of all."
        )
    return f"{number(volume, 'km³')}{within}, on {number(area, 'km²')}.{of_some}"


def tell_certainty(sources: Sources, output: str) -> str:
    """Tell how the errors of pixels add up to that of the volume, as far as known."""
    told = sources.volume_of_all(output) or {}
    pixels, spread, error = (
        number_in(told, name)
        for name in ("effective_pixels", "spread_km3", "uncertainty_km3")
    )
    said = [
        "Errors of neighbouring pixels are alike, and glaciers may err alike, so a "
        "volume is far less certain than independent pixels would make it."
    ]
    if pixels is not None:
        said.append(
            "The errors of the drawn pixels cancel no better than those of "
            f"{number(pixels, None, 2)} independent pixels would."
        )
    if spread is not None:
        said.append(
            f"The networks' own volumes differ by {number(spread, 'km³')} (standard "
            "deviation); that alone is not how far the volume may be off."
        )
    if error is not None:
        said.append(
            f"The standard error is {number(error, 'km³')}. The interval is nominal: "
            "aimed at, not promised. The bias that was found is not taken off."
        )
    return " ".join(said)


def tell_no_volume(sources: Sources, output: str) -> str:
    """Say why there is no volume of an output, and what would make one."""
    unit, experiment = sources.unit(output).strip(), sources.model.experiment
    if not unit:
        remedy = (
            'add "unit": "m" to its raster in dataset_description.rasters, and run '
            "'ginv build-dataset' and 'ginv draw'"
        )
        if sources.is_applied:
            remedy = (
                'the experiment that the model was trained from must say "unit": "m" '
                "of its raster"
            )
        return (
            f"No volumes: the unit of {output} is not known. If it is a thickness in "
            f"metres, {remedy}."
        )
    if not is_metres(unit):
        return f"No volumes: they are of thicknesses in metres, {output} is in {unit}."
    if not experiment.is_nonnegative(output):
        return (
            f"No volumes: {output} may be below 0, as an elevation may. If it is a "
            "thickness, end its network in softplus or relu, or name it in "
            "drawing_description.bed."
        )
    return "No volumes are there: 'ginv draw' writes them."
