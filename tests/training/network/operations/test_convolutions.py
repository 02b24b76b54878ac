"""Convolutions, against the formulas."""

import torch

from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.operations.convolutions import ResidualBlock
from tests.training.network.helpers import block, denses, experiment


def test_residual_block_is_a_sum_of_two_paths():
    "Against the formula, written out with torch's functional convolutions."
    conv = torch.nn.functional.conv2d
    image = torch.randn(2, 3, 9, 10)
    for padding, crop in (("same", slice(None)), ("valid", slice(2, -2))):
        layer = ResidualBlock([(3, 9, 10)], [5, 4], 3, padding)
        first, second, short = *layer.layers, layer.shortcut
        path = conv(image, first.weight, first.bias, padding=padding)
        path = conv(path.relu(), second.weight, second.bias, padding=padding)
        shortcut = conv(image[..., crop, crop], short.weight, short.bias)
        expected = (path + shortcut).relu()
        torch.testing.assert_close(layer([image])[0], expected)


def test_plain_convolutions_are_rectified_each():
    "vggnet: valid padding by default, dense layers with a bias but for the last."
    checked = experiment(
        {"s": (50.0, False, [block(4, 6), {"name": "convolution_1", "filter": 2}])},
        [{"name": "upsample"}],
        {"h": [denses(7, 1)]},
        architecture="vggnet",
    )
    network = Network(checked)
    shapes = [row.shapes for row in network.table]
    assert shapes == [((1, 8, 8),), ((6, 4, 4),), ((2, 4, 4),), ((2, 2, 2),), ((1,),)]
    # 3x3 kernels and biases, 1x1, dense with a bias, dense without
    assert network.n_parameters() == (36 + 4) + (216 + 6) + (12 + 2) + (56 + 7) + 7
    image = torch.randn(2, 1, 8, 8)
    assert (network.inputs["0"]([image])[0] >= 0).all()
