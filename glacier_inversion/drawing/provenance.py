"""Provenance: what a map says of how it came about."""

from __future__ import annotations

import hashlib
import json

import glacier_inversion
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.ensemble import Ensemble


def tags_of(
    experiment: Experiment | Application,
    ensemble: Ensemble,
    output: str,
    statistic: str,
) -> dict[str, str]:
    """
    Return the tags of a map.

    They are the same whenever and in whatever folder it is drawn. The digests (SHA-256)
    tell whether two maps come from the same experiment, with what it leaves out filled
    in, and from the same model.
    """
    tags = {
        "model": ensemble.name,
        "model_sha256": ensemble.digest,
        "experiment_sha256": _digest(experiment),
        "output": output,
        "statistic": statistic,
        "members": str(len(ensemble.seeds)),
        "seeds": " ".join(map(str, ensemble.seeds)),
        "device": str(ensemble.device),
        "software": f"glacier_inversion {glacier_inversion.__version__}",
    }
    return {**tags, "ddof": "1"} if statistic == "std" else tags


def describe_band(output: str, statistic: str) -> str:
    """
    Say what the band of a map holds.

    >>> describe_band("ice_thickness", "mean")
    'ice_thickness mean'
    >>> describe_band("ice_thickness", "std")
    'ice_thickness std (spread of members)'
    """
    of_what = " (spread of members)" if statistic == "std" else ""
    return f"{output} {statistic}{of_what}"


def _digest(experiment: Experiment | Application) -> str:
    """Identify an experiment by all that has an effect."""
    content = experiment.model_dump(mode="json", by_alias=True, exclude={"schema_"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
