"""Both ends of calibration.json, which says how far a model errs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from glacier_inversion.errors import ModelError
from glacier_inversion.state_files import (
    NewerFileError,
    check_digest,
    read_state,
    with_digest,
    write_state,
)
from glacier_inversion.training.model.calibration import (
    LEVELS,
    Calibration,
    Level,
    OutputCalibration,
    Source,
)
from glacier_inversion.training.model.covariogram import Covariogram
from glacier_inversion.training.model.stored_numbers import read_number, read_share

CALIBRATION = "calibration.json"

_FORMAT = 1


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """
    Write calibration.json into a model's folder, whole or not at all.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    write_state(folder / CALIBRATION, with_digest(calibration.to_json()), _FORMAT)


def read_calibration(folder: Path, identity: str, n_members: int) -> Calibration:
    """
    Read calibration.json.

    Parameters
    ----------
    folder : Path
        The model's.
    identity : str
        Of the model, as `Model.identity` has it.
    n_members : int
        That the model has. The calibration may be of fewer, as where one failed in a
        fold: the mean of more errs no more on average, and the variance of the members
        is the same, so intervals are rather too wide than too narrow.

    Raises
    ------
    ModelError
        It is missing, broken, of another model, of larger ensembles or of a newer
        version.
    """
    path = folder / CALIBRATION
    if not path.exists():
        message = (
            f"{path}: is not there. Must say how far the model errs on features that "
            "it does not know. Run 'ginv crossval' with the experiment of the "
            "model, or of the blend, first."
        )
        raise ModelError(message)
    try:
        content = read_state(path, _FORMAT)
        check_digest(content)
        if content["source"] not in get_args(Source):
            message = f"its source is {content['source']!r}"
            raise ValueError(message)
        outputs = {
            str(name): _read_output(output)
            for name, output in content["outputs"].items()
        }
        made_for, size = str(content["model"]), int(content["n_members"])
    except NewerFileError as error:
        raise ModelError(str(error)) from error
    except KeyError as error:
        raise ModelError(_broken(path, f"it has no {error}")) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(_broken(path, str(error))) from error
    if made_for != identity:
        message = (
            f"{path}: is that of another model, or of this one before it was trained "
            f"anew: {made_for[:12]!r}, not {identity[:12]!r}. Must be made from the "
            "errors of the model beside it. Run 'ginv crossval --overwrite'."
        )
        raise ModelError(message)
    if size > n_members:
        message = (
            f"{path}: was made from ensembles of {size} members, and the model has "
            f"{n_members}. Must be made from no more, as the mean of fewer errs more. "
            "Run 'ginv train' if members of the model are missing, or 'ginv crossval' "
            "again."
        )
        raise ModelError(message)
    return Calibration(outputs, content["source"], identity, size)


def _broken(path: Path, why: str) -> str:
    return (
        f"{path}: cannot be used ({why}). Must be as 'ginv crossval' wrote it. Restore "
        "it, or run 'ginv crossval' again."
    )


def _read_output(content: dict[str, Any]) -> OutputCalibration:
    own = content["levels"]
    levels = {n: _read_level(own[str(n)], f"levels.{n}") for n in LEVELS}
    errors = content["n_errors"].items()
    counts = {str(feature): int(read_number(n, "n_errors")) for feature, n in errors}
    a, b, c = (read_number(content[name], name) for name in "abc")
    factors = [level.factor for level in levels.values()]
    if factors != sorted(factors):
        message = f"the factors {factors} do not grow with the level"
        raise ValueError(message)
    if not counts:
        message = "n_errors is empty"
        raise ValueError(message)
    features = [str(feature) for feature in content["features"]]
    groups = _read_groups(content, counts, features)
    if groups == {}:  # the coverage there is that of groups
        levels = {n: replace(x, coverage_by_feature={}) for n, x in levels.items()}
    is_nonnegative = content["is_nonnegative"] is True
    # earlier files have none of these
    counts_noise, constant = content.get("counts_noise") is True, None
    shared = content.get("covariogram")
    covariogram = None if shared is None else Covariogram.from_json(shared)
    if content.get("constant") is not None:
        constant = read_number(content["constant"], "constant")
    said = is_nonnegative, features, counts_noise, covariogram, constant, groups
    return OutputCalibration(a, b, c, levels, counts, *said)


def _read_groups(
    content: dict[str, Any], counts: dict[str, int], features: list[str]
) -> dict[str, str] | None:
    """Return the group of each feature, as `OutputCalibration.groups` has it."""
    if "groups" not in content:  # an earlier version
        return None if counts.keys() == set(features) else {}
    if content["groups"] is None:
        return None
    groups = {str(feature): str(name) for feature, name in content["groups"].items()}
    if groups.keys() != set(features) or set(groups.values()) != counts.keys():
        message = "groups are not those of its features and errors"
        raise ValueError(message)
    return groups


def _read_level(content: dict[str, Any], where: str) -> Level:
    guaranteed = content["guaranteed_factor"]
    if guaranteed is not None:
        guaranteed = read_number(guaranteed, f"{where}.guaranteed_factor")
    return Level(
        read_number(content["factor"], f"{where}.factor"),
        guaranteed,
        read_share(content["coverage"], f"{where}.coverage"),
        {
            str(feature): read_share(share, f"{where}.coverage_by_feature")
            for feature, share in content["coverage_by_feature"].items()
        },
    )
