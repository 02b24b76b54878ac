"""The network and the values for its training that a first experiment has."""

from __future__ import annotations

from typing import Any

WINDOW_PX = 16
OUTPUT = "ice_thickness"


def needed_buffer(area_size: float, coarsest: float) -> float:
    """Return the buffer with which margins are drawn: half a patch and two pixels."""
    return area_size / 2 + 2 * coarsest


def propose_training(name: str, inputs: list[str], resolution: float) -> dict[str, Any]:
    """
    Return all of an experiment but for its dataset and its drawings.

    That which was chosen for the Great Aletsch Glacier by leaving out one of its basins
    after the other: windows of 16 pixels, and a small network without padding, so that
    maps are drawn in dense passes.
    """
    convolutions = {"name": "convolutions", "filters": [16, 16]}
    denses = {"name": "denses", "filters": [32, 1], "last_activation": "softplus"}
    return {
        "batch_size": 32,
        "epochs": 60,
        "patience": 3,
        "learning_rate": 0.001,
        "learning_rate_factor": 0.3,
        "min_learning_rate": 1e-5,
        "optimizer_name": "adam",
        "weight_decay": 0.001,
        "criterion": "loss",
        "model_name": name,
        "model_architecture": "vggnet",
        "area_size": WINDOW_PX * resolution,
        "seeds_number": 5,
        "inputs": [{"name": name, "resolution": resolution} for name in inputs],
        "outputs": [{"name": OUTPUT, "resolution": resolution, "scalar": True}],
        "losses_name": {OUTPUT: "nan_mae"},
        "metrics_name": {OUTPUT: ["nan_mae", "nan_rmse", "nan_bias"]},
        "sampling": {"spacing": 2 * resolution},
        "augmentation": {"flips": True, "rotations": True},
        "model_description": {
            "inputs": {name: {"operations": []} for name in inputs},
            "main": {
                "operations": [
                    {"name": "concatenation"},
                    convolutions,
                    {"name": "downsample"},
                    convolutions,
                ]
            },
            "outputs": {OUTPUT: {"operations": [denses]}},
        },
    }
