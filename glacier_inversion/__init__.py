"""
Deep-learning inversion of glacier parameters from rasters.

What the commands do, Python can do, by the same words::

    from glacier_inversion import Workspace, build_dataset, draw, load_experiment, train

    experiment, workspace = load_experiment("exp.json"), Workspace(".")
    build_dataset(experiment, workspace)
    train(experiment, workspace)
    draw(experiment, workspace)

Names are loaded when they are first used: importing the package imports neither torch
nor rasterio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glacier_inversion.checking.check import check
    from glacier_inversion.dataset.build import build_dataset
    from glacier_inversion.dataset.opened import open_dataset
    from glacier_inversion.demo.demo import run_demo
    from glacier_inversion.drawing.draw import draw
    from glacier_inversion.errors import GlacierInversionError
    from glacier_inversion.evaluation.calibrate import calibrate
    from glacier_inversion.evaluation.crossval import crossval
    from glacier_inversion.evaluation.evaluate import evaluate
    from glacier_inversion.experiment.application import Application
    from glacier_inversion.experiment.experiment import (
        Experiment,
        load_application,
        load_experiment,
    )
    from glacier_inversion.reporting.report import report
    from glacier_inversion.training.model.open_model import open_model
    from glacier_inversion.training.train import train
    from glacier_inversion.workspace import Workspace

__version__ = "0.1.0"

__all__ = [
    "Application",
    "Experiment",
    "GlacierInversionError",
    "Workspace",
    "build_dataset",
    "calibrate",
    "check",
    "crossval",
    "draw",
    "evaluate",
    "load_application",
    "load_experiment",
    "open_dataset",
    "open_model",
    "report",
    "run_demo",
    "train",
]

_HOMES = {
    "Application": "experiment.application",
    "Experiment": "experiment.experiment",
    "GlacierInversionError": "errors",
    "Workspace": "workspace",
    "build_dataset": "dataset.build",
    "calibrate": "evaluation.calibrate",
    "check": "checking.check",
    "crossval": "evaluation.crossval",
    "draw": "drawing.draw",
    "evaluate": "evaluation.evaluate",
    "load_application": "experiment.experiment",
    "load_experiment": "experiment.experiment",
    "open_dataset": "dataset.opened",
    "open_model": "training.model.open_model",
    "report": "reporting.report",
    "run_demo": "demo.demo",
    "train": "training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
