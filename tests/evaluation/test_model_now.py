"""The model that would be trained now is the one that was, as long as nothing changes."""

from glacier_inversion import Workspace, load_experiment, open_dataset
from glacier_inversion.evaluation.model_now import identity_now
from glacier_inversion.training.model.model import read_model


def identity_of(run, **splits):
    """Return what identifies the model now, some features in other splits."""
    experiment = load_experiment(run.file)
    workspace = Workspace(run.root)
    dataset = open_dataset(experiment, workspace)
    dataset.splits.update(splits)
    return identity_now(experiment, workspace, dataset)


def test_it_is_the_model_that_was_trained(finished):
    "Unless it learns from other features; of none it is no model."
    trained = read_model(finished.root / "models/small").identity
    assert identity_of(finished) == trained
    assert identity_of(finished, south="train") not in (trained, None)
    every = ["north-1", "north-2", "west", "east", "south"]
    assert identity_of(finished, **dict.fromkeys(every, "test")) is None
