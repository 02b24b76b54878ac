"""The experiment file: read, checked as a whole, described as a JSON Schema."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field, ValidationError, field_validator

from glacier_inversion.choices import Loss, Metric
from glacier_inversion.consistency import Problem, find_ignored, find_problems
from glacier_inversion.errors import ExperimentError, nearest
from glacier_inversion.grid import ratio
from glacier_inversion.sections import (
    Augmentation,
    DatasetDescription,
    Denses,
    DrawingDescription,
    FolderName,
    ModelDescription,
    Optimizer,
    PositiveFloat,
    PositiveInt,
    Sampling,
    Section,
    Variable,
)

__all__ = [
    "Experiment",
    "check_experiment",
    "json_schema",
    "load_experiment",
    "parse_experiment",
]

logger = logging.getLogger(__name__)


class Experiment(Section):
    """An experiment: data, network, training and drawing."""

    batch_size: PositiveInt = Field(description="Samples per optimisation step.")
    epochs: PositiveInt = Field(description="Passes over the training samples.")
    patience: PositiveInt = Field(
        description="Epochs without improvement before the learning rate is reduced."
    )
    learning_rate: PositiveFloat = Field(
        default=1e-3, description="Learning rate of the first epoch."
    )
    learning_rate_factor: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="What the learning rate is multiplied by."
    )
    min_learning_rate: Annotated[float, Field(ge=0)] = Field(
        description="The learning rate is never reduced below this."
    )
    early_stopping: PositiveInt | None = Field(
        default=None,
        description="Epochs without improvement before training ends; null: never.",
    )
    optimizer_name: Optimizer = Field(description="Optimizer, in any case.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="L2 penalty on the kernels of convolutions: this times the sum of "
        "their squares is added to the loss (adamw: decoupled from it).",
    )
    criterion: str = Field(
        description="What improvement means: val_loss, loss, val_METRIC, METRIC, or "
        "with several outputs val_OUTPUT_METRIC, OUTPUT_METRIC."
    )
    model_name: FolderName = Field(description="Folder in the workspace's models.")
    model_architecture: str = Field(
        description="Module of training/architectures that knows the operations."
    )
    area_size: PositiveFloat = Field(
        description="Side of the patch, in CRS units: a whole number of pixels of the "
        "finest resolution and of every input."
    )
    seeds_number: PositiveInt = Field(
        description="Members of the ensemble, trained from the seeds 0, 1 and so on."
    )
    inputs: list[Variable] = Field(min_length=1, description="What the network reads.")
    outputs: list[Variable] = Field(
        min_length=1, description="What the network predicts."
    )
    losses_name: dict[str, Loss] = Field(description="The loss of each output.")
    loss_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={}, description="Weights of the outputs' losses in their sum; 1."
    )
    metrics_name: dict[str, list[Metric]] = Field(
        default={}, description="What is logged of each output besides its loss."
    )
    sampling: Sampling = Field(default=Sampling(), description="The samples.")
    min_valid: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5,
        description="Least share of valid pixels in the patch of every input; points "
        "with less are neither samples nor drawn.",
    )
    augmentation: Augmentation | None = Field(
        default=None, description="Copies of training patches; null: none."
    )
    normalization: Literal["standard", "none"] = Field(
        default="standard",
        description="'standard': inputs by the mean and std of their valid training "
        "pixels, targets by their training std, not shifted, and not scaled either "
        "where a sigmoid or tanh bounds the output.",
    )
    dataset_description: DatasetDescription = Field(description="The dataset.")
    model_description: ModelDescription = Field(description="The network.")
    drawing_description: DrawingDescription = Field(description="The drawings.")
    schema_: str | None = Field(
        default=None, alias="$schema", description="For editors; without effect."
    )

    @field_validator("outputs", mode="after")
    @classmethod
    def _scalar_outputs(cls, outputs: list[Variable]) -> list[Variable]:
        """Say of every output what it is, whether the file does or not."""
        return [output.model_copy(update={"scalar": True}) for output in outputs]

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
        """Return the activation that *output* ends in, None if it is not in denses."""
        description = self.model_description
        branches = (description.main, description.outputs[output])
        operations = [o for branch in branches for o in branch.operations]
        last = operations[-1] if operations else None
        return last.last_activation if isinstance(last, Denses) else None

    def factor(self, variable: Variable) -> int:
        """Return how many finest pixels a pixel of *variable* is wide."""
        factor = ratio(variable.resolution, self.finest_resolution)
        if factor is None:
            message = f"Invalid resolution {variable.resolution}. Must be a multiple."
            raise ValueError(message)
        return factor


def load_experiment(
    path: Path, warn: Callable[[str], object] = logger.warning
) -> Experiment:
    """
    Read and check an experiment file.

    Parameters
    ----------
    path : Path
    warn : callable
        Hears of entries without effect. Default: they are logged.

    Raises
    ------
    ExperimentError
        The file is missing or no JSON, which the line and column say; or values are
        wrong, all of them reported, a line each, with their JSON paths.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error}). Must be a JSON file in UTF-8."
        raise ExperimentError(message) from error
    return parse_experiment(text, str(path), warn)


def parse_experiment(
    text: str, where: str, warn: Callable[[str], object] = logger.warning
) -> Experiment:
    """Check the *text* of an experiment file, which errors call *where*."""
    try:
        raw = json.loads(
            text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        message = (
            f"{where}: line {error.lineno}, column {error.colno}: no JSON: "
            f"{error.msg}. Must be JSON, which has no comments. Look there for a "
            "comma, quote or bracket that is missing or too many."
        )
        raise ExperimentError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{where}: {error}"
        raise ExperimentError(message) from error
    experiment = check_experiment(raw, where)
    for path, what in find_ignored(raw):
        warn(f"{where}: {path}: {what}")
    return experiment


def check_experiment(raw: Any, where: str) -> Experiment:
    """Check a parsed experiment, which errors call *where*."""
    if not isinstance(raw, dict):
        message = f"{where}: holds a {type(raw).__name__}. Must hold one JSON object."
        raise ExperimentError(message)
    problems: list[Problem] = []
    experiment = None
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        problems += _of_values(error, raw)
    problems += find_problems(raw)
    if problems or experiment is None:
        lines = [f"{where}: {path}: {what.rstrip('.')}." for path, what in problems]
        raise ExperimentError("\n".join(lines))
    return experiment


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the experiment file."""
    schema = Experiment.model_json_schema()
    main = schema["$defs"]["ModelDescription"]["properties"]["main"]
    branch = {"$ref": main.pop("$ref")}
    nested = {"type": "object", "properties": {"main": branch}, "required": ["main"]}
    main["anyOf"] = [branch, nested | {"additionalProperties": False}]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        message = f"the key {twice[0]!r} stands twice in one object. Remove one."
        raise ValueError(message)
    return dict(pairs)


def _no_constant(name: str) -> float:
    message = f"{name} is no number of JSON. Use a finite number, or null."
    raise ValueError(message)


def _of_values(error: ValidationError, raw: dict[str, Any]) -> Iterator[Problem]:
    for details in error.errors(include_url=False):
        keys = _keys(details["loc"], raw)
        yield _path(keys), _explained(dict(details), keys)


def _keys(location: tuple[int | str, ...], raw: dict[str, Any]) -> list[int | str]:
    """Turn pydantic's location into that in the file: no tags, main.main as it is."""
    keys: list[int | str] = []
    value: Any = raw
    for i, key in enumerate(location):
        last = i == len(location) - 1
        if keys == ["model_description", "main"] and _is_nested(value):
            keys.append("main")
            value = value["main"]
        if isinstance(value, dict) and key not in value and not last:
            continue  # the name of an operation, by which pydantic tells them apart
        keys.append(key)
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            value = None
    return keys


def _is_nested(main: Any) -> bool:
    return isinstance(main, dict) and set(main) == {"main"}


def _path(keys: list[int | str]) -> str:
    """
    Write the way to a value.

    >>> _path(["inputs", 0, "name"])
    'inputs[0].name'
    """
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.lstrip(".")


def _explained(details: dict[str, Any], keys: list[int | str]) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    shown = json.dumps(value, default=str)
    shown = shown if len(shown) < 60 else f"{shown[:57]}..."
    if kind == "extra_forbidden":
        known = _known_keys(details["loc"])
        return f"unknown key. {nearest(str(keys[-1]), known)} Remove or rename it"
    if kind == "missing":
        return "is missing. Must be given. Add it"
    if kind == "literal_error":
        return f"{shown} is not allowed. Must be {context['expected']}. Use one of them"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = value.get("name") if isinstance(value, dict) else value
        return (
            f"the operation {tag!r} does not exist. "
            f"{nearest(str(tag), _operation_names())} Use one of them"
        )
    if kind == "value_error":
        return f"{shown}: {context['error']}"
    if kind == "string_pattern_mismatch":
        return f"{shown} does not exist. Must match {context['pattern']}"
    rule = details["msg"].replace("Input should be", "Must be")
    return f"{shown} is not allowed. {rule}. Change it"


def _operation_names() -> list[str]:
    names: list[str] = []
    branch = _sections(Experiment.model_fields["model_description"].annotation)[0]
    for section in _sections(_branch(branch).model_fields["operations"].annotation):
        names += get_args(section.model_fields["name"].annotation)
    return names


def _branch(description: type[Section]) -> type[Section]:
    return _sections(description.model_fields["main"].annotation)[0]


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section in which pydantic met an unknown one."""
    candidates: list[type[Section]] = [Experiment]
    for key in location[:-1]:
        if len(candidates) == 1 and key in candidates[0].model_fields:
            candidates = _sections(candidates[0].model_fields[str(key)].annotation)
        elif len(candidates) > 1 and isinstance(key, str):
            candidates = [
                candidate
                for candidate in candidates
                if key in get_args(candidate.model_fields["name"].annotation)
            ]
    fields = candidates[0].model_fields.items() if candidates else []
    return [field.alias or name for name, field in fields]


def _sections(annotation: Any) -> list[type[Section]]:
    """Return the section classes within a type, in order."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, list, dict) or hasattr(
        annotation, "__metadata__"
    ):
        return [found for part in get_args(annotation) for found in _sections(part)]
    return []
