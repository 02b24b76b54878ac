"""The experiment file: read, checked as a whole, described as a JSON Schema."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError, model_validator

from glacier_inversion.choices import NONNEGATIVE, Loss, Metric
from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.application import Application, is_application
from glacier_inversion.experiment.consistency import find_ignored, find_problems
from glacier_inversion.experiment.criterion import Criterion
from glacier_inversion.experiment.evaluation import EvaluationDescription
from glacier_inversion.experiment.messages import (
    MOST_SHOWN,
    find_refusals,
    write_problems,
)
from glacier_inversion.experiment.raw import MOST_ENTRIES, MOST_VARIABLES
from glacier_inversion.experiment.sections import (
    Augmentation,
    DatasetDescription,
    DrawingDescription,
    ExtraTraining,
    ModelDescription,
    Output,
    Sampling,
    Variable,
)
from glacier_inversion.experiment.values import (
    Epochs,
    Factor,
    FolderName,
    Length,
    Members,
    Optimizer,
    PositiveFloat,
    PositiveInt,
    Section,
    Text,
)
from glacier_inversion.experiment.vectors import with_vectors
from glacier_inversion.grid import ratio
from glacier_inversion.json_files import Problem, parse_json, read_text

logger = logging.getLogger(__name__)

_N_METRICS = len(get_args(Metric))


class Experiment(Section):
    """An experiment: data, network, training and drawing."""

    batch_size: PositiveInt = Field(description="Samples per optimisation step.")
    epochs: Epochs = Field(description="Passes over the training samples.")
    patience: PositiveInt = Field(
        description="Epochs without improvement before the learning rate is reduced."
    )
    learning_rate: PositiveFloat = Field(
        default=1e-3, description="Learning rate of the first epoch."
    )
    learning_rate_factor: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="What the learning rate is multiplied by."
    )
    min_learning_rate: Factor = Field(
        description="The learning rate is never reduced below this."
    )
    early_stopping: PositiveInt | None = Field(
        default=None,
        description="Epochs without improvement before training ends; null: never.",
    )
    optimizer_name: Optimizer = Field(description="Optimizer, in any case.")
    weight_decay: Factor = Field(
        default=0.0,
        description="L2 penalty on the kernels of convolutions: this times the sum of "
        "their squares is added to the loss (adamw: decoupled from it).",
    )
    criterion: Text = Field(
        description="What improvement means: val_loss, loss, val_METRIC, METRIC, or "
        "with several outputs val_OUTPUT_METRIC, OUTPUT_METRIC."
    )
    model_name: FolderName = Field(description="Folder in the workspace's models.")
    model_architecture: Text = Field(
        description="Name of the settings that all layers share: whether convolutions "
        "are residual blocks, whether they pad the image, whether dense layers have a "
        "bias. The layers themselves are in model_description."
    )
    area_size: Length = Field(
        description="Side of the patch, in CRS units: a whole number of pixels of the "
        "finest resolution and of every input."
    )
    seeds_number: Members = Field(
        description="Members of the ensemble, trained from the seeds 0, 1 and so on."
    )
    inputs: list[Variable] = Field(
        min_length=1, max_length=MOST_VARIABLES, description="What the network reads."
    )
    outputs: list[Output] = Field(
        min_length=1,
        max_length=MOST_VARIABLES,
        description="What the network predicts.",
    )
    losses_name: dict[str, Loss] = Field(
        max_length=MOST_ENTRIES, description="The loss of each output."
    )
    loss_weights: dict[str, Factor] = Field(
        default={},
        max_length=MOST_ENTRIES,
        description="Weights of the outputs' losses in their sum; 1.",
    )
    metrics_name: dict[str, Annotated[list[Metric], Field(max_length=_N_METRICS)]] = (
        Field(
            default={},
            max_length=MOST_ENTRIES,
            description="What is logged of each output besides its loss.",
        )
    )
    sampling: Sampling = Field(default=Sampling(), description="The samples.")
    min_valid: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5,
        description="Least share of valid pixels in the patch of every input; points "
        "with less are neither samples nor drawn.",
    )
    extra_training: ExtraTraining | None = Field(
        default=None, description="Another dataset to train on, too; null: none."
    )
    augmentation: Augmentation | None = Field(
        default=None, description="Copies of training patches; null: none."
    )
    normalization: Literal["standard", "samples", "none"] = Field(
        default="standard",
        description="'standard': inputs by the mean and std of their valid pixels in "
        "the training tiles; 'samples': in the patches of the training samples alone, "
        "so that what is far from all of them does not count. Targets by their "
        "training std, not shifted but for their logarithms, and not scaled either "
        "where a sigmoid or tanh bounds the output. With extra_training all of these "
        "are of both datasets, each by its share of an epoch.",
    )
    start: Literal["zero", "mean"] = Field(
        default="zero",
        description="Where networks start, as their last layers have no bias: 'zero': "
        "at what the last activation makes of 0; 'mean': at the mean of the training "
        "targets, those of extra_training too, by a number that is added before the "
        "last activation.",
    )
    dataset_description: DatasetDescription = Field(description="The dataset.")
    model_description: ModelDescription = Field(description="The network.")
    drawing_description: DrawingDescription = Field(description="The drawings.")
    evaluation_description: EvaluationDescription = Field(
        default=EvaluationDescription(), description="The evaluation."
    )
    schema_: Text | None = Field(
        default=None, alias="$schema", description="For editors; without effect."
    )

    @model_validator(mode="before")
    @classmethod
    def _turned_vectors(cls, raw: Any) -> Any:
        """Turn the vectors of the dataset with the patches."""
        return with_vectors(raw)

    @property
    def best_by(self) -> Criterion:
        """What picks the best epoch."""
        outputs = [output.name for output in self.outputs]
        return Criterion.named(self.criterion, outputs, self.metrics_name)

    @property
    def finest_resolution(self) -> float:
        """The least resolution among inputs and outputs, CRS units: the lattice's."""
        return min(variable.resolution for variable in self.variables())

    @property
    def window_px(self) -> int:
        """The side of a patch at the finest resolution, in pixels."""
        return round(self.area_size / self.finest_resolution)

    def variables(self) -> Iterator[Variable]:
        """Iterate over inputs, then outputs."""
        yield from self.inputs
        yield from self.outputs

    def last_activation(self, output: str) -> str | None:
        """Return the activation that *output* ends in, None if it has none."""
        description = self.model_description
        branches = (description.main, description.outputs[output])
        operations = [o for branch in branches for o in branch.operations]
        last = operations[-1] if operations else None
        activation: str | None = getattr(last, "last_activation", None)
        return activation

    def is_nonnegative(self, output: str) -> bool:
        """Tell whether *output* cannot be below 0, by its activation or transform."""
        transformed = {o.name for o in self.outputs if o.transform is not None}
        return output in transformed or self.last_activation(output) in NONNEGATIVE

    def factor(self, variable: Variable) -> int:
        """Return how many finest pixels a pixel of *variable* is wide."""
        factor = ratio(variable.resolution, self.finest_resolution)
        if factor is None:
            message = f"Invalid resolution {variable.resolution}. Must be a multiple."
            raise ValueError(message)
        return factor


def load_experiment(
    path: Path | str, warn: Callable[[str], object] = logger.warning
) -> Experiment:
    """
    Read and check an experiment file.

    Parameters
    ----------
    path : Path or str
    warn : callable
        Hears of entries without effect. Default: they are logged.

    Raises
    ------
    ExperimentError
        The file is missing or no JSON, which the line and column say; or values are
        wrong, all of them reported, a line each, with their JSON paths.
    """
    return parse_experiment(_read(path), str(path), warn)


def _read(path: Path | str) -> str:
    try:
        return read_text(Path(path))
    except (OSError, ValueError) as error:
        message = (
            f"{path}: cannot be read ({error}). Must be a JSON file in UTF-8, of 10 MB "
            "at most. Name the file that you mean."
        )
        raise ExperimentError(message) from error


def load_application(
    path: Path | str, warn: Callable[[str], object] = logger.warning
) -> Experiment | Application:
    """
    Read and check a file that is complete for drawing, if not for training.

    Parameters and errors are those of `load_experiment`.
    """
    return _parse(_read(path), str(path), warn)


def parse_experiment(
    text: str, where: str, warn: Callable[[str], object] = logger.warning
) -> Experiment:
    """Check the *text* of an experiment file, which errors call *where*."""
    experiment = _parse(text, where, warn)
    if isinstance(experiment, Application):
        message = (
            f"{where}: holds dataset_description and drawing_description alone, which "
            "is enough to check, build-dataset, draw and report. Must hold the network "
            "and its training, too. Add them, or draw models that are trained."
        )
        raise ExperimentError(message)
    return experiment


def _parse(
    text: str, where: str, warn: Callable[[str], object]
) -> Experiment | Application:
    try:
        raw, slips = parse_json(text)
    except JSONDecodeError as error:
        message = (
            f"{where}: line {error.lineno}, column {error.colno}: no JSON: "
            f"{error.msg}. Must be JSON, which has no comments. Look there for a "
            "comma, quote or bracket that is missing or too many."
        )
        raise ExperimentError(message) from error
    if raw is None and slips:  # no more can be looked at
        raise ExperimentError(write_problems(where, slips, len(slips)))
    if isinstance(raw, dict) and is_application(raw):
        return _check(Application, raw, where, slips)
    experiment = check_experiment(raw, where, slips)
    for path, what in find_ignored(raw):
        warn(f"{where}: {path}: {what}")
    return experiment


def check_experiment(raw: Any, where: str, slips: Sequence[Problem] = ()) -> Experiment:
    """
    Check a parsed experiment.

    Parameters
    ----------
    where : str
        What errors call it.
    slips : sequence of Problem
        What is wrong with its text.
    """
    if not isinstance(raw, dict):
        kind = "a list" if isinstance(raw, list) else "a single value"
        message = f"{where}: holds {kind}. Must hold one JSON object, in {{ and }}."
        raise ExperimentError(message)
    return _check(Experiment, raw, where, slips)


_Checked = TypeVar("_Checked", Experiment, Application)


def _check(
    kind: type[_Checked], raw: dict[str, Any], where: str, slips: Sequence[Problem]
) -> _Checked:
    said = {path for path, _ in slips}
    experiment, refusals = None, []
    try:
        experiment = kind.model_validate(raw)
    except ValidationError as error:
        refusals = [r for r in find_refusals(error, raw) if r.path not in said]
    more = (problem for problem in find_problems(raw) if problem[0] not in said)
    refused = ((refusal.path, refusal.explain(kind)) for refusal in refusals)
    # a message takes time to make: no more of them than are shown
    shown = list(islice(chain(slips, refused, more), MOST_SHOWN))
    n_more = max(0, len(slips) + len(refusals) - MOST_SHOWN) + sum(1 for _ in more)
    if shown or experiment is None:
        raise ExperimentError(write_problems(where, shown, len(shown) + n_more))
    return experiment


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the experiment file."""
    schema = Experiment.model_json_schema()
    main = schema["$defs"]["ModelDescription"]["properties"]["main"]
    branch = {"$ref": main.pop("$ref")}
    nested = {"type": "object", "properties": {"main": branch}, "required": ["main"]}
    main["anyOf"] = [branch, nested | {"additionalProperties": False}]
    alone = Application.model_json_schema()
    schema["anyOf"] = [
        {"required": schema.pop("required")},
        {
            "required": alone["required"],
            "propertyNames": {"enum": [*alone["properties"]]},
        },
    ]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
