"""metrics.json and residuals.gpkg, read again: what an evaluation found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import geopandas
import numpy as np
import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from glacier_inversion.errors import WorkspaceError, first_line
from glacier_inversion.evaluation.baselines import is_published
from glacier_inversion.evaluation.evaluate import FORMAT
from glacier_inversion.evaluation.metrics import METRICS_BY_NAME
from glacier_inversion.json_files import write_path
from glacier_inversion.state_files import NewerFileError, read_state

METRICS, RESIDUALS = "metrics.json", "residuals.gpkg"

Limits = tuple[float, float]
_COLUMNS = ("output", "feature", "observed", "mean", "std", "residual")
_NOISE = "noise"
_CONFIG = ConfigDict(allow_inf_nan=False)
_NUMBERS = TypeAdapter(dict[str, float | None], config=_CONFIG)


class _Part(BaseModel):
    """A part of metrics.json: what is read of it, and what that must be."""

    model_config = _CONFIG


class Errors(_Part):
    """
    Errors on some pixels, by the name of a metric; None for what they do not tell.

    In the file they stand beside *n*.
    """

    n: int = Field(ge=0)
    metrics: dict[str, float | None]

    @model_validator(mode="before")
    @classmethod
    def _gather_metrics(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content  # and refused
        found = {name: content.get(name) for name in METRICS_BY_NAME}
        # what is wrong here is told by its place in the file
        return {**content, "metrics": _NUMBERS.validate_python(found)}

    def __getitem__(self, metric: str) -> float | None:
        """Return a metric by its name."""
        return self.metrics[metric]


class FeatureErrors(Errors):
    """Errors on a feature."""

    feature: str


class ClassErrors(Errors):
    """Errors where the observed value is from *low* on and below *high*."""

    low: float | None = Field(alias="from")
    high: float | None = Field(alias="to")


class MethodErrors(Errors):
    """Errors of the ensemble, of a member or of a simpler method."""

    method: str
    description: str = ""
    intervals: dict[str, Limits | None] | None = None
    features: list[FeatureErrors]
    classes: list[ClassErrors] = []
    skill: float | None = Field(default=None, alias="skill_of_ensemble")
    skill_interval: Limits | None = None

    @property
    def is_published(self) -> bool:
        """Whether it is a published map, not fitted here."""
        return is_published(self.method)


class BestBaseline(_Part):
    """The best of the simpler methods, and how much better the ensemble is."""

    method: str
    description: str
    skill: float | None
    interval: Limits | None = None


class Coverage(_Part):
    """What intervals of a level hold."""

    coverage: float
    interval: Limits | None = None
    least: float
    least_feature: str
    mean_width: float
    interval_score: float


class Honesty(_Part):
    """How honest a standard error is; nothing where there is none, as of one member."""

    levels: dict[int, Coverage]
    crps: float | None = None
    pit: list[float] | None = None


class Uncertainty(_Part):
    """How honest the members' spread is, with noise or not, and what is calibrated."""

    spread: Honesty
    calibrated: Honesty | None = None
    features_calibrated: list[str] = []
    of_groups: bool = False
    counts_noise: bool = False


class OutputScores(_Part):
    """How good a model is on an output."""

    kind: Literal["regression", "classification"]
    unit: str | None
    n_known: int
    n_predicted: int
    n_features: int
    n_groups: int | None = None
    best_baseline: BestBaseline | None = None
    ensemble: MethodErrors
    baselines: list[MethodErrors] = []
    uncertainty: Uncertainty | None = None

    @property
    def one(self) -> Literal["feature", "group"]:
        """What counts as one: a group where features belong together."""
        return "feature" if self.n_groups is None else "group"


class FoldFeatures(_Part):
    """The features that the networks of a fold predict, and were trained on."""

    held_out: list[str] = []
    train: list[str]


class Metrics(_Part):
    """
    What metrics.json holds, as far as it is read.

    Attributes
    ----------
    model_identity : str or None
        Of the model, as `Model.identity` has it; of a cross-validation that of the
        model which would have been trained beside the folds. None in earlier files.
    model_sha256 : str or None
        As `Ensemble.digest`: it differs where weights do. None of a cross-validation,
        which is of other networks.
    calibration_sha256 : str or None
        As `Calibration.digest`: whose intervals were scored. None where these features
        were calibrated themselves, each by the others; and in earlier files.
    folds : list of FoldFeatures
        Of a cross-validation.
    maybe_seen : list of str
        Features of the test or validation that networks may have been trained on by
        other ids. Empty in earlier files.
    """

    model_identity: str | None = None
    model_sha256: str | None = None
    calibration_sha256: str | None = None
    folds: list[FoldFeatures] = []
    split: str
    features: list[str]
    maybe_seen: list[str] = []
    seeds: list[int]
    software: str
    outputs: dict[str, OutputScores]


def read_metrics(folder: Path) -> Metrics:
    """
    Read metrics.json of an evaluation.

    Raises
    ------
    WorkspaceError
        It cannot be read, is not as it was written, or is of a newer version.
    """
    path = folder / METRICS
    try:
        return Metrics.model_validate(read_state(path, FORMAT))
    except NewerFileError as error:
        raise WorkspaceError(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{write_path(first['loc'])}: {first['msg']}"
        raise WorkspaceError(_broken(path, why)) from error
    except (OSError, ValueError) as error:
        raise WorkspaceError(_broken(path, first_line(error))) from error


def read_residuals(folder: Path) -> geopandas.GeoDataFrame:
    """
    Read the known pixels of an evaluation, those that were predicted.

    Returns
    -------
    residuals : GeoDataFrame
        Columns 'output', 'feature' (text), 'observed', 'mean', 'std', 'residual' and
        'noise' (float64, the output's unit; 'std' NaN of one member, 'noise', the
        standard deviation of that in the data, where it is not said, as in the files of
        earlier versions), and points.

    Raises
    ------
    WorkspaceError
        It cannot be read, or lacks a column.
    """
    path = folder / RESIDUALS
    try:
        asked = [*_COLUMNS, _NOISE]  # those of them that there are
        table = geopandas.read_file(path, columns=asked, engine="pyogrio")
        missing = [name for name in _COLUMNS if name not in table]
        if missing:
            message = f"no column {missing[0]!r}"
            raise ValueError(message)
        if _NOISE not in table:
            table[_NOISE] = np.nan
        for name in (*_COLUMNS[2:], _NOISE):
            table[name] = pd.to_numeric(table[name]).astype(np.float64)
    # pyogrio's errors are of the last class
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise WorkspaceError(_broken(path, first_line(error))) from error
    known: geopandas.GeoDataFrame = table[table["residual"].notna()]
    return known


def _broken(path: Path, why: str) -> str:
    return (
        f"{path}: cannot be used ({why}). Must be as it was written. Run 'ginv "
        "evaluate' or 'ginv crossval' again."
    )
