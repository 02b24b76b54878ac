"""The volumes of features: of which outputs, the tables, and what is told of them."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import geopandas
import numpy as np
import shapely

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.counted_twice import warn_of_overlaps
from glacier_inversion.drawing.error_cells import find_touching
from glacier_inversion.drawing.planned_maps import unit_of
from glacier_inversion.drawing.published_volumes import slope_on
from glacier_inversion.drawing.volumes import MeanThickness, Volume, add_volumes
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.units import is_metres
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.vectors import to_geopackage
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.calibration_file import CALIBRATION
from glacier_inversion.training.model.ensemble import Ensemble

logger = logging.getLogger(__name__)

VOLUMES = "volumes.csv"
"""The name of the table, in the folder of a model's drawings."""
VOLUME_OUTLINES = "volumes.gpkg"
"""The name of the outlines with the same columns, beside it."""

TOTAL = "total"
"""What the row of all features is called."""

_MOSTLY_DRAWN = 0.9  # of a feature, or its volume is warned of
_MOST_NAMED = 20


@dataclass(frozen=True)
class _Row:
    """A row of the table: rounded, as it is written."""

    output: str
    feature: str
    area_km2: float
    drawn_share: float
    mean_m: float
    volume_km3: float
    spread_km3: float
    uncertainty_km3: float
    lower95_km3: float
    upper95_km3: float
    effective_pixels: float
    published: dict[str, float] = field(kw_only=True)  # more columns

    def cells(self) -> dict[str, str | float]:
        """Return the cells by the names of their columns."""
        own = {column.name: getattr(self, column.name) for column in fields(self)}
        del own["published"]
        return {**own, **self.published}


def find_thicknesses(
    ensemble: Ensemble, dataset: BuiltDataset, bed: Bed | None
) -> list[str]:
    """
    Return the outputs that are thicknesses, of which there are volumes.

    Those in metres that cannot be below 0, by their activation or transform, and that
    from which a bed is drawn. Why another one in metres, or one without a unit, has no
    volume is logged.
    """
    thicknesses = []
    for output in ensemble.layout.outputs:
        unit = (unit_of(ensemble, dataset, output, None) or "").strip()
        is_nonnegative = ensemble.model.experiment.is_nonnegative(output)
        is_of_bed = bed is not None and bed.thickness == output
        if is_of_bed or (is_metres(unit) and is_nonnegative):
            thicknesses.append(output)
        elif is_metres(unit):
            logger.info(
                "%s: %s: no volumes, as what may be below 0 may be an elevation. If it "
                "is a thickness, end its network in softplus or relu, or name it in "
                "drawing_description.bed",
                ensemble.name,
                output,
            )
        elif not unit and is_nonnegative:
            logger.info(
                "%s: %s: no volumes, as its unit is not known. If it is a thickness in "
                'metres, say "unit": "m" in dataset_description.rasters and build the '
                "dataset again",
                ensemble.name,
                output,
            )
    return thicknesses


def read_calibrations(
    ensemble: Ensemble, thicknesses: Sequence[str]
) -> dict[str, OutputCalibration]:
    """
    Return the calibrations from which the uncertainty of volumes follows, by output.

    Others are left out, and why is logged, but of a file that cannot be used: that has
    been warned of.
    """
    found: dict[str, OutputCalibration] = {}
    if ensemble.calibration is None and (ensemble.folder / CALIBRATION).exists():
        return found
    for output in thicknesses:
        calibration = ensemble.calibration
        own = calibration.outputs.get(output) if calibration is not None else None
        if own is None:
            why = f"has no calibration of this output for {len(ensemble.seeds)} members"
        elif own.covariogram is None:
            why = "has a calibration that does not say how errors go together"
        else:
            found[output] = own
            continue
        logger.info(
            "%s: %s: volumes are drawn without their uncertainty, as the model %s. Run "
            "'ginv crossval', which calibrates by four measured features at least; "
            "folds that are there are kept",
            ensemble.name,
            output,
            why,
        )
    return found


def write_volumes(
    folder: Path,
    model: str,
    means: Mapping[str, Sequence[MeanThickness]],
    calibrations: Mapping[str, OutputCalibration],
    outlines: Mapping[str, shapely.Geometry],
    epsg: int,
) -> list[Path]:
    """
    Write the tables of volumes, tell their totals, and return the paths.

    volumes.csv has a row for each output and feature, and after those of an output its
    total. volumes.gpkg has the outlines with the same columns, and no total. What is
    not known is empty.

    Parameters
    ----------
    folder : Path
        That of the model's drawings.
    means : mapping of sequences of MeanThickness
        Of the features, one at least, by output.
    calibrations : mapping of OutputCalibration
        Of the outputs whose uncertainty is known.
    outlines : mapping of geometries, by feature
    epsg : int
        Their CRS.

    Raises
    ------
    WorkspaceError
        A table cannot be written.
    """
    rows, of_features = [], []
    for output, of_output in means.items():
        calibration = calibrations.get(output)
        drawn = [one for one in of_output if one.n_drawn]
        for one in of_output:
            volume = add_volumes([one], calibration) if one.n_drawn else _nothing(one)
            of_features.append(_row(output, one.feature, volume, _compare([one])))
            rows.append(of_features[-1])
        if drawn:
            touching = _find_touching(drawn, outlines)
            total = add_volumes(drawn, calibration, touching)
            others = _compare(drawn)
            slopes = _slopes(drawn)
            rows.append(_row(output, TOTAL, total, others | slopes))
            _tell(model, output, total, len(drawn))
            _tell_others(model, output, others | slopes, drawn[0].published)
            of_total = {one.feature: outlines[one.feature] for one in drawn}
            warn_of_overlaps(model, output, of_total)
        _warn_of_gaps(model, output, of_output)
    table = geopandas.GeoDataFrame(
        [row.cells() for row in of_features],
        geometry=[outlines[row.feature] for row in of_features],
        crs=epsg,
    )
    paths = [folder / VOLUMES, folder / VOLUME_OUTLINES]
    write_bytes(paths[0], _csv(rows))
    write_bytes(paths[1], to_geopackage(table, "volumes"))
    return paths


def _find_touching(
    means: Sequence[MeanThickness], outlines: Mapping[str, shapely.Geometry]
) -> list[tuple[int, int]]:
    """Return the pairs of features less than a pixel apart, if their errors count."""
    cells = means[0].cells
    if cells is None:
        return []
    return find_touching([outlines[one.feature] for one in means], cells.resolution)


def _nothing(one: MeanThickness) -> Volume:
    """Return what is known of a feature of which nothing is drawn."""
    nan = math.nan
    return Volume(one.area, 0.0, nan, nan, nan, nan, nan, nan, nan)


def _known(means: Sequence[MeanThickness], raster: str) -> list[tuple[float, float]]:
    """Return a published volume and ours over the pixels of both, km3, by feature."""
    known = []
    for one in means:
        other = one.published[raster]
        if other.n_pixels:
            area = one.area * other.n_pixels / one.n_pixels / 1e9
            known.append((area * other.published, area * other.ours))
    return known


def _compare(means: Sequence[MeanThickness]) -> dict[str, float]:
    """Return published volumes, and ours over the same pixels, km3, by column."""
    compared: dict[str, float] = {}
    for raster in means[0].published:
        known = _known(means, raster)
        sums = np.sum(known, axis=0) if known else (math.nan, math.nan)
        names = f"published_{raster}_km3", f"volume_at_{raster}_km3"
        compared |= dict(zip(names, map(float, sums), strict=True))
    return compared


def _slopes(means: Sequence[MeanThickness]) -> dict[str, float]:
    """Return the slopes of our volumes on published ones, by column."""
    return {
        f"slope_on_{raster}": slope_on(_known(means, raster))
        for raster in means[0].published
    }


def _row(
    output: str, feature: str, volume: Volume, published: Mapping[str, float]
) -> _Row:
    """Return a row of six digits: what is more depends on the machine."""
    in_km3 = (
        volume.volume,
        volume.spread,
        volume.uncertainty,
        volume.lower95,
        volume.upper95,
    )
    numbers = (
        volume.area / 1e6,
        volume.drawn_share,
        volume.mean,
        *(value / 1e9 for value in in_km3),
        volume.effective_pixels,
    )
    others = {name: _rounded(value) for name, value in published.items()}
    return _Row(output, feature, *map(_rounded, numbers), published=others)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _csv(rows: Sequence[_Row]) -> bytes:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row.cells())
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: cell if isinstance(cell, str) else _written(cell)
                for name, cell in row.cells().items()
            }
        )
    return text.getvalue().encode()


def _written(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.6g}"


def _tell_others(
    model: str, output: str, compared: Mapping[str, float], rasters: Iterable[str]
) -> None:
    """Log the volumes of published maps, a line each."""
    for raster in rasters:
        ours, published, slope = (
            compared[name.format(raster)]
            for name in ("volume_at_{}_km3", "published_{}_km3", "slope_on_{}")
        )
        if math.isnan(published):
            told = f"{raster} is known at no drawn pixel: no volume to compare with"
        else:
            told = f"{ours:.4g} km3 where {raster} has {published:.4g} km3"
        if not math.isnan(slope):
            told += f"; slope on it over features {slope:.3g}"
        logger.info("%s: %s: %s", model, output, told)


def _tell(model: str, output: str, total: Volume, n_features: int) -> None:
    """Log the volume of all features in a line."""
    known = f"{total.volume / 1e9:.4g} km3"
    if not math.isnan(total.uncertainty):
        low, high = total.lower95 / 1e9, total.upper95 / 1e9
        known += f" (95 %: {low:.4g} to {high:.4g})"
    logger.info(
        "%s: %s: %s on %.4g km2 of %d feature%s",
        model,
        output,
        known,
        total.area / 1e6,
        n_features,
        "" if n_features == 1 else "s",
    )


def _warn_of_gaps(model: str, output: str, means: Sequence[MeanThickness]) -> None:
    """Warn where a volume rests on a part of its feature, or is not known at all."""
    partly = [one for one in means if one.drawn_share < _MOSTLY_DRAWN]
    if not partly:
        return
    shown = ", ".join(
        f"{one.feature} ({100 * one.drawn_share:.0f} %)" for one in partly[:_MOST_NAMED]
    )
    more = f" and {len(partly) - _MOST_NAMED} more" if partly[_MOST_NAMED:] else ""
    logger.warning(
        "%s: %s: the volume of what is not drawn is guessed, as thick as the rest on "
        "average, and of features with nothing drawn left out. So much is drawn of: "
        "%s%s",
        model,
        output,
        shown,
        more,
    )
