"""What training points look like, kept with the model to tell where it applies."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from glacier_inversion.errors import ModelError
from glacier_inversion.files import remove
from glacier_inversion.patches.patch_statistics import (
    gathered_statistics,
    n_statistics,
)
from glacier_inversion.patches.samples import Samples
from glacier_inversion.patches.symmetries import allowed_turns, turn_vectors
from glacier_inversion.training.model.applicability import (
    APPLICABILITY,
    choose_points,
    fit_applicability,
    read_applicability,
    write_applicability,
)
from glacier_inversion.training.model.model import Model

_N_GATHERED = 256  # patches at once


def keep_training_points(train: Samples, folder: Path, model: Model) -> None:
    """
    Write what training points look like into a model's folder, unless it is there.

    One that is damaged, or of another model, is written anew, or removed where all
    points are of one feature: then none is written. Where vectors turn with the image,
    points are kept in every turn that training draws: turned components are other
    numbers.

    Parameters
    ----------
    train : Samples
        Those of training; the nominal ones of an epoch are taken.
    model : Model

    Raises
    ------
    WorkspaceError
        It cannot be written or removed.
    """
    with suppress(ModelError):
        layout = train.source.layout
        read_applicability(folder, model.identity, n_statistics(layout))
        return
    augmentation = model.experiment.augmentation
    vectors = augmentation.vectors if augmentation else []
    turns = allowed_turns(augmentation) if vectors else None
    turns = torch.zeros(1, dtype=torch.int64) if turns is None else turns
    index = train.nominal().index
    kept = index[choose_points(len(index), len(turns))]
    points = train.points[kept].repeat_interleave(len(turns), dim=0)
    turn_of = turns.repeat(len(kept))
    statistics = []
    for begin in range(0, len(points), _N_GATHERED):
        part = slice(begin, begin + _N_GATHERED)
        patches = train.source.gather(points[part], turn_of[part])
        turn_vectors(patches, vectors, turn_of[part])
        statistics.append(gathered_statistics(patches, train.source.layout))
    feature = points[:, 0].numpy()
    applicability = fit_applicability(np.concatenate(statistics), feature)
    if applicability is None:
        remove(folder / APPLICABILITY)
    else:
        write_applicability(applicability, folder, model.identity)
