"""Images that are joined."""

import torch

from glacier_inversion.training.network.network import Network
from tests.training.network.helpers import batch_of, denses, experiment


def test_fusion_is_an_addition():
    "Of images of one shape."
    checked = experiment(
        {"a": (50.0, False, []), "b": (50.0, False, [])},
        [{"name": "fusion"}],
        {"h": [denses(1)]},
        architecture="vggnet",
    )
    network = Network(checked)
    batch = batch_of(checked)
    weight = network.outputs["0"][0].layers[0].weight
    expected = (batch["a"] + batch["b"]).flatten(1) @ weight.T
    torch.testing.assert_close(network(batch)["h"], expected)
