"""Report: one HTML file on a model, from what the other commands have written."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import ModelError
from glacier_inversion.evaluation.coverage_table import name_ways
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import write_bytes
from glacier_inversion.locks import working_in
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.reporting.advice import advise_calibrating, advise_checking
from glacier_inversion.reporting.cautions import find_cautions
from glacier_inversion.reporting.charts import (
    Chart,
    chart_coverage,
    chart_density,
    chart_pit,
    chart_training,
)
from glacier_inversion.reporting.checks import CHECKS
from glacier_inversion.reporting.metric_columns import order_metrics
from glacier_inversion.reporting.page import render
from glacier_inversion.reporting.pictures import MOST_FEATURES, Painter
from glacier_inversion.reporting.pit import tell_pit
from glacier_inversion.reporting.reading import read_sources
from glacier_inversion.reporting.rows import FeatureRow, tell_features
from glacier_inversion.reporting.sources import Row, Sources
from glacier_inversion.reporting.summary import summarise, tell_applicability
from glacier_inversion.reporting.volume_texts import (
    tell_certainty,
    tell_no_volume,
    tell_volume,
)
from glacier_inversion.workspace import SPLITS, Workspace

_MOST_PROFILES = 20
_PNG = b"\x89PNG"  # how each begins


@dataclass(frozen=True)
class HtmlReport:
    """
    What was reported.

    Attributes
    ----------
    written : list of Path
        The pages, one for each model.
    """

    written: list[Path]


def report(
    experiment: Experiment | Application,
    workspace: Workspace,
    *,
    progress: Progress | None = None,
) -> HtmlReport:
    """
    Write what is known of a model and of its maps as one HTML file.

    That is reports/MODEL.html of the workspace. It needs no other file and no network.
    Nothing is computed anew: it tells of what lies in the workspace, the dataset, the
    model, its evaluations, its calibration and its drawings; what is not there is named
    with the command that makes it. Of a file that only applies models there is a page
    for each of them. The same files give the same bytes.

    Raises
    ------
    DatasetError
        The dataset is not built, or was built from another description.
    ModelError
        A model is not trained, or cannot be read.
    WorkspaceError
        The page cannot be written, or another command is writing one.
    """
    progress = progress or Silent()
    dataset = open_dataset(experiment, workspace)
    if isinstance(experiment, Application):
        places = list(experiment.drawing_description.models)
        if not places:
            message = (
                "drawing_description.models: is empty. Must name the models to report "
                "on. Add one."
            )
            raise ModelError(message)
    else:
        places = [experiment.model_name]
    every = [read_sources(experiment, workspace, dataset, place) for place in places]
    n_maps = sum(
        min(len(drawn), MOST_FEATURES)
        for sources in every
        for drawn in sources.drawn.values()
    )
    progress.start("reporting", n_maps, "feature")
    written = []
    for sources in every:
        path = workspace.report(sources.name)
        page = render(_contents(sources, progress)).encode()
        with working_in(path.parent, "writing into"):
            write_bytes(path, page)
        written.append(path)
    return HtmlReport(written)


def _contents(sources: Sources, progress: Progress) -> dict[str, Any]:
    """Gather what the page is filled with."""
    rows = {output: tell_features(sources, output) for output in sources.outputs}
    pictures = {
        output: _paint(sources, output, rows[output], progress) for output in rows
    }
    # maps that could not be read meanwhile are not drawn
    rows = {output: tell_features(sources, output) for output in rows}
    profiles = [
        chart
        for path in sources.profiles[:_MOST_PROFILES]
        if (chart := _show_profile(sources, path)) is not None
    ]
    outputs = [
        _tell_output(sources, output, own) | pictures[output]
        for output, own in rows.items()
    ]
    model = sources.model.experiment
    criterion = model.best_by
    best = {
        seed: epoch
        for seed, log in sources.logs.items()
        if (epoch := criterion.best_epoch(log[criterion.column])) is not None
    }
    training = None
    if sources.logs:
        training = chart_training(sources.logs, criterion.column, best)
    return {
        "sources": sources,
        "outputs": outputs,
        "training": training,
        "best_epochs": sorted(best.values()),
        "keeps_by_validation": criterion.of_validation,
        "checks": [
            check
            for check in CHECKS
            if any(row.checked_by == check for own in rows.values() for row in own)
        ],
        "splits": _count_splits(next(iter(rows.values()))),
        "rasters": _tell_rasters(sources),
        "experiment_text": json.dumps(
            sources.experiment.model_dump(
                mode="json", by_alias=True, exclude_defaults=True
            ),
            indent=2,
            ensure_ascii=False,
        ),
        "applies": tell_applicability(sources),
        "profiles": profiles,
        # the last: what could not be read meanwhile is among it
        "cautions": find_cautions(sources, rows),
    }


def _paint(
    sources: Sources, output: str, rows: Sequence[FeatureRow], progress: Progress
) -> dict[str, Any]:
    painter = Painter(sources, output, rows)
    return {"region": painter.region(), "features": painter.features(progress)}


def _tell_output(
    sources: Sources, output: str, rows: Sequence[FeatureRow]
) -> dict[str, Any]:
    scores = sources.scores(output)
    kind = sources.kind(output)
    metrics = order_metrics(kind)
    return {
        "name": output,
        "unit": sources.unit(output),
        "rows": rows,
        "known": {
            column: any(getattr(row, column) is not None for row in rows)
            for column in ("coverage", "volume_km3", "drawn", "applies_not")
        },
        "answers": summarise(sources, output, rows),
        "best": sources.best(output),
        "scores": scores,
        "is_measured": kind is REGRESSION,
        "error": kind.error,
        "metrics": metrics,
        "main_metrics": [metric for metric in metrics if metric.is_main],
        "calibration": sources.calibrated(output),
        "checking": advise_checking(sources),
        "calibrating": advise_calibrating(sources, output),
        "published": _find_published(sources.volume_of_all(output) or {}),
        "volume": tell_volume(sources, output),
        "certainty": tell_certainty(sources, output),
        "no_volume": tell_no_volume(sources, output),
        "n_drawn": len(sources.drawn[output]),
        **_chart(sources, output),
    }


def _chart(sources: Sources, output: str) -> dict[str, Any]:
    """Draw the charts of the best evaluation; None for those that there are not."""
    charts: dict[str, Any] = dict.fromkeys(("density", "coverage", "pit"))
    charts["pit_texts"] = {}
    best = sources.best(output)
    if best is None or sources.scores(output)[best].kind != REGRESSION.name:
        return charts
    table = sources.residuals(output, best)
    if table is not None and len(table):
        observed, predicted = (
            table[column].to_numpy(np.float64) for column in ("observed", "mean")
        )
        charts["density"] = chart_density(
            observed, predicted, output, sources.unit(output)
        )
    scores = sources.scores(output)[best]
    uncertainty = scores.uncertainty
    if uncertainty is not None:
        charts["coverage"] = chart_coverage(uncertainty, scores.one)
        charts["pit"] = chart_pit(uncertainty)
        names = name_ways(uncertainty.counts_noise)
        ways = {"calibrated": uncertainty.calibrated, "spread": uncertainty.spread}
        charts["pit_texts"] = {
            names[way]: tell_pit(own.pit)
            for way, own in ways.items()
            if own is not None and own.pit
        }
    return charts


def _find_published(volumes: Row) -> list[str]:
    """Return the published maps that a row of volumes compares with, where known."""
    names = (
        re.fullmatch(r"published_(.*)_km3", column)
        for column, cell in volumes.items()
        if cell
    )
    return [name[1] for name in names if name]


def _count_splits(rows: Sequence[FeatureRow]) -> list[tuple[str, int, float]]:
    """Return the number and the area, km2, of the features of each split."""
    counted = []
    for split in (*SPLITS, ""):
        own = [row for row in rows if row.split == split]
        if own:
            counted.append((split, len(own), sum(row.area_km2 or 0.0 for row in own)))
    return counted


def _tell_rasters(sources: Sources) -> list[dict[str, Any]]:
    """Return, for each raster, where it is from and how much of the tiles it covers."""
    experiment = sources.model.experiment
    uses = {variable.name: "input" for variable in experiment.inputs}
    uses |= {variable.name: "output" for variable in experiment.outputs}
    told = []
    for raster in sources.summary.description.rasters:
        name, derive = raster.name, raster.derive
        valid = [row.rasters[name].valid for row in sources.summary.features]
        of = derive and derive.get("of")
        of_what = f" of {of if isinstance(of, str) else ', '.join(of)}" if of else ""
        source = f"{derive['name']}{of_what}" if derive else raster.file
        told.append(
            {
                "name": name,
                "use": uses.get(name, "other"),
                "source": source,
                "resolution": raster.resolution,
                "unit": sources.summary.units.get(name) or "",
                "least": min(valid),
                "median": float(np.median(valid)),
                "most": max(valid),
            }
        )
    return told


def _show_profile(sources: Sources, path: Path) -> Chart | None:
    """Return the picture of a profile; None where it cannot be read."""
    try:
        content = path.read_bytes()
        why = "" if content.startswith(_PNG) else "it is no PNG"
    except OSError as error:
        content, why = b"", str(error.strerror)
    if why:
        sources.note(
            f"{path}: cannot be read ({why}). Must be as 'ginv draw' wrote it. Run "
            "'ginv draw' again."
        )
        return None
    text = base64.b64encode(content).decode()
    return Chart(f"data:image/png;base64,{text}", path.stem)
