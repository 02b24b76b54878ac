"""The page: a template, its style and its script, filled with what was found."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2

import glacier_inversion
from glacier_inversion.evaluation.coverage_table import name_ways
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.reporting import quantities
from glacier_inversion.reporting.maps import ERROR, RESIDUAL, stops
from glacier_inversion.reporting.metric_columns import (
    explain_metrics,
    write_metric,
    write_with_interval,
)
from glacier_inversion.reporting.rows import number_in


def render(contents: Mapping[str, Any]) -> str:
    """
    Return the page as HTML.

    Whatever names, units and texts hold is shown as it is, never taken for HTML.

    Parameters
    ----------
    contents : mapping
        What the template names.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "number": quantities.number,
        "signed": quantities.signed,
        "exact": quantities.exact,
        "percent": quantities.percent,
        "span": quantities.span,
        "count": quantities.count,
        "as_number": number_in,
        "metric_text": write_metric,
        "metric_with_interval": write_with_interval,
        "explained_metrics": explain_metrics(),
        "names_of_ways": name_ways,
        "version": glacier_inversion.__version__,
        "style": f"{_read('page.css')}\n{_colour_bars()}",
        "script": _read("page.js"),
    }
    return environment.get_template("page.html.jinja").render(contents)


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _colour_bars() -> str:
    """Return the style of the legends, each by the name of what it is of."""
    bars = {
        name: f"linear-gradient(90deg, {', '.join(stops(name))})"
        for name in ("mean", "std", "uncertainty", APPLICABILITY, RESIDUAL, ERROR)
    }
    return "\n".join(
        f".bar-{name} {{ background: {bar}; }}" for name, bar in bars.items()
    )
