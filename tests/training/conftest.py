"""Models that several modules read."""

import pytest

from tests.training.helpers import experiment, train_all


@pytest.fixture(scope="session")
def two_models(tmp_path_factory):
    """Two finished members, and those of another experiment of the same shapes."""
    root = tmp_path_factory.mktemp("two")
    train_all(experiment(epochs=1, seeds_number=2), root)
    other = experiment(epochs=1, seeds_number=2, model_name="other", batch_size=16)
    train_all(other, root)
    return root
