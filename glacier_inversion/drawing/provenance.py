"""Provenance: what a map says of how it came about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import glacier_inversion
from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.calibrated import is_calibrated
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import APPLICABILITY, NOISE
from glacier_inversion.training.model.blend import Blend
from glacier_inversion.training.model.calibration import Calibration
from glacier_inversion.training.model.ensemble import Ensemble

_OF_WHAT = {
    "std": " (spread of members)",
    NOISE: " (in the data, as the members say)",
    APPLICABILITY: " (above 1 unlike all training)",
}


def tags_of(
    experiment: Experiment | Application,
    ensemble: Ensemble,
    output: str,
    statistic: str,
) -> dict[str, str]:
    """
    Return the tags of a map.

    They are the same whenever it is drawn, and wherever the model lies. The digests
    (SHA-256) tell whether two maps come from the same experiment, with what it leaves
    out filled in, but for which models, features and profiles it draws; from the same
    model; and, of one feature, from the same input tiles. What is calibrated says from
    which errors, and on how many features or groups; bounds also say which share of the
    pixels of features their intervals covered that the calibration was fitted without.
    """
    tags = {
        "model": ensemble.name,
        "model_sha256": ensemble.digest,
        "experiment_sha256": digest_experiment(experiment),
        "output": output,
        "statistic": statistic,
        "members": str(len(ensemble.seeds)),
        "seeds": " ".join(map(str, ensemble.seeds)),
        "device": str(ensemble.device),
        "software": f"glacier_inversion {glacier_inversion.__version__}",
    }
    if isinstance(ensemble, Blend):
        tags["models"] = " ".join(part.name for part in ensemble.parts)
    if statistic == "std":
        tags["ddof"] = "1"
    if ensemble.calibration is not None and is_calibrated(statistic):
        bed = experiment.drawing_description.bed
        of = bed.thickness if bed is not None and output == bed.output else output
        tags |= _calibration_tags(ensemble.calibration, of, statistic)
    return tags


def _calibration_tags(
    calibration: Calibration, output: str, statistic: str
) -> dict[str, str]:
    own = calibration.outputs[output]
    tags = {
        "calibration": calibration.source,
        "calibration_sha256": calibration.digest,
        "calibration_features": str(own.n_features),
    }
    if statistic == "uncertainty":
        return tags
    coverage = own.levels[int(statistic[-2:])].coverage
    # whatever the number of features: the factor is not the guaranteed one
    return {**tags, "level": "nominal", "coverage_held_out": f"{coverage:.4f}"}


def digest_inputs(dataset: BuiltDataset, feature: str, rasters: Iterable[str]) -> str:
    """Identify the tiles of a feature that its maps are made from."""
    tiles = dataset.rows[feature]["rasters"]
    digests = {name: tiles[name]["sha256"] for name in rasters}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def describe_band(output: str, statistic: str) -> str:
    """
    Say what the band of a map holds.

    >>> describe_band("ice_thickness", "mean")
    'ice_thickness mean'
    >>> describe_band("ice_thickness", "std")
    'ice_thickness std (spread of members)'
    >>> describe_band("ice_thickness", "uncertainty")
    'ice_thickness uncertainty (calibrated)'
    >>> describe_band("ice_thickness", "noise")
    'ice_thickness noise (in the data, as the members say)'
    """
    of_what = _OF_WHAT.get(statistic, "")
    if is_calibrated(statistic):
        of_what = " (calibrated)"
    return f"{output} {statistic}{of_what}"


def digest_experiment(experiment: Experiment | Application) -> str:
    """Identify an experiment by all that has an effect on a map."""
    content = experiment.model_dump(mode="json", by_alias=True, exclude={"schema_"})
    for which in ("features", "profiles", "models", "blend"):
        del content["drawing_description"][which]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
