"""The names that an experiment file, or the command line, may choose from."""

import math
from typing import Literal

Loss = Literal[
    "mae",
    "mse",
    "huber",
    "binary_crossentropy",
    "gaussian_nll",
    "nan_mae",
    "nan_mse",
    "nan_huber",
    "nan_binary_crossentropy",
    "nan_gaussian_nll",
]
Metric = Literal[
    "mae",
    "mse",
    "rmse",
    "bias",
    "huber",
    "binary_accuracy",
    "binary_crossentropy",
    "nan_mae",
    "nan_mse",
    "nan_rmse",
    "nan_bias",
    "nan_huber",
    "nan_binary_accuracy",
    "nan_binary_crossentropy",
]
Activation = Literal[
    "linear", "relu", "sigmoid", "softplus", "tanh", "elu", "selu", "gelu", "swish"
]
NONNEGATIVE: tuple[Activation, ...] = ("relu", "softplus")
"""Activations of quantities that cannot be below 0."""
RANGES: dict[str, tuple[float, float]] = {
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "elu": (-1.0, math.inf),
    "selu": (-1.758099, math.inf),
    "gelu": (-0.169972, math.inf),
    "swish": (-0.278465, math.inf),
}
"""What activations give, of those that do not give everything."""
Resampling = Literal[
    "nearest",
    "bilinear",
    "cubic",
    "cubic_spline",
    "lanczos",
    "average",
    "mode",
    "max",
    "min",
    "med",
    "q1",
    "q3",
    "rms",
]
MEMBER_STATISTIC = "mean|std|median|min|max|q[0-9][0-9]"
"""The names of statistics over the members of an ensemble, as a pattern."""

FeatureGroup = Literal["all", "train", "validation", "test"]

OptimizerName = Literal["adam", "adamw", "nadam", "rmsprop", "sgd"]

DeviceName = Literal["auto", "cpu", "cuda"]
DrawingMethod = Literal["auto", "dense", "patches"]

UNKNOWN_LEFT_OUT = "nan_"
"""What the names of losses and metrics that leave unknown targets out begin with."""
