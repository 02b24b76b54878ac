"""What training points look like, kept with the model to tell where it applies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from glacier_inversion.patches.patch_statistics import gathered_statistics
from glacier_inversion.patches.samples import Samples
from glacier_inversion.training.model.applicability import (
    APPLICABILITY,
    choose_points,
    fit_applicability,
    write_applicability,
)

_N_GATHERED = 256  # patches at once


def keep_training_points(train: Samples, folder: Path, identity: str) -> None:
    """
    Write what training points look like into a model's folder, unless it is there.

    It is not written where all of them are of one feature.

    Parameters
    ----------
    train : Samples
        Those of training; the nominal ones of an epoch are taken.
    identity : str
        Of the model, as `Model.identity` has it.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    if (folder / APPLICABILITY).exists():
        return
    index = train.nominal().index
    points = train.points[index[choose_points(len(index))]]
    statistics = [
        gathered_statistics(train.source.gather(part), train.source.layout)
        for part in torch.split(points, _N_GATHERED)
    ]
    feature = points[:, 0].cpu().numpy()
    applicability = fit_applicability(np.concatenate(statistics), feature)
    if applicability is not None:
        write_applicability(applicability, folder, identity)
