"""What single values of an experiment may be."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from glacier_inversion.choices import (
    OptimizerName,
)
from glacier_inversion.experiment.raw import (
    FAR,
    SHORTEST,
)
from glacier_inversion.workspace import last_part, name_problem, path_problem


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _folder_name(value: str) -> str:
    if problem := name_problem(value):
        message = f"{problem}. Must be able to name a folder"
        raise ValueError(message)
    return value


def _data_file(value: str) -> str:
    if problem := path_problem(value):
        message = f"{problem}. Must be able to name a file"
        raise ValueError(message)
    return value


def _model_place(value: str) -> str:
    if problem := path_problem(value) or name_problem(last_part(value)):
        message = f"{problem}. Must be the name of a model, or the path to its folder"
        raise ValueError(message)
    return value


FolderName = Annotated[str, AfterValidator(_folder_name)]


ModelPlace = Annotated[str, AfterValidator(_model_place)]


DataFile = Annotated[str, AfterValidator(_data_file)]


def _any_case(names: tuple[str, ...]) -> str:
    """Return the pattern of *names* in any case, which JSON Schema cannot say."""
    letters = ["".join(f"[{c.upper()}{c}]" for c in name) for name in names]
    return f"^({'|'.join(letters)})$"


Optimizer = Annotated[
    OptimizerName,
    BeforeValidator(_lower),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": list(get_args(OptimizerName))},
                {"type": "string", "pattern": _any_case(get_args(OptimizerName))},
            ]
        }
    ),
]


PositiveFloat = Annotated[float, Field(gt=0, lt=1e9)]


# Larger ones would be no number any more once they are multiplied in single precision.
Factor = Annotated[float, Field(ge=0, lt=1e9)]


Length = Annotated[float, Field(ge=SHORTEST, lt=FAR)]


Text = Annotated[str, Field(max_length=1000)]


PositiveInt = Annotated[int, Field(ge=1, le=10_000_000)]


# log.csv is written anew after each epoch, 11 microseconds for a row on one core: half
# a day in all of as many.
Epochs = Annotated[int, Field(ge=1, le=100_000)]


# What members predict is in memory together, 5 GB of as many in a block of a map.
Members = Annotated[int, Field(ge=1, le=10_000)]


class Section(BaseModel):
    """A JSON object that refuses what it does not know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


Channels = Annotated[int, Field(ge=1, le=65_536)]


def _as_list(value: Any) -> Any:
    """Take a number for a list of one."""
    if isinstance(value, list) or value is None:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [value]
    message = "Must be a number, or a list of numbers"
    raise ValueError(message)


Numbers = Annotated[
    list[float],
    Field(min_length=1, max_length=20),
    BeforeValidator(_as_list, json_schema_input_type=float | list[float]),
]
