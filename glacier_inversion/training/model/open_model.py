"""Open a trained model, to predict on arrays of one's own."""

from __future__ import annotations

from pathlib import Path

from glacier_inversion.choices import DeviceName
from glacier_inversion.errors import ModelError
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import find_unusable_members, read_model
from glacier_inversion.training.network.devices import open_device
from glacier_inversion.workspace import Workspace


def open_model(
    place: Path | str | Workspace,
    name: str | None = None,
    *,
    device: DeviceName = "auto",
) -> Ensemble:
    """
    Open a trained model, to predict on one's own arrays.

    Parameters
    ----------
    place : Path, str or Workspace
        The model's folder; with a name, the workspace that it is in.
    name : str, optional
        Of the model.
    device : {"auto", "cpu", "cuda"}

    Raises
    ------
    ModelError
        The model is missing, broken, or none of its members is finished.
    DeviceError
        There is no such device.
    """
    if name is not None:
        place = place if isinstance(place, Workspace) else Workspace(place)
        folder = place.model(name)
    elif isinstance(place, Workspace):
        message = "Invalid name None. Must be that of a model in the workspace."
        raise ValueError(message)
    else:
        folder = Path(place)
    model = read_model(folder)
    if problems := find_unusable_members(folder, model):
        raise ModelError("\n".join(problems))
    ensemble = Ensemble(folder, model, device=open_device(device))
    if not ensemble.seeds:
        message = (
            f"{folder}: has no finished member. Must have one at least. Run 'ginv "
            "train'."
        )
        raise ModelError(message)
    return ensemble
