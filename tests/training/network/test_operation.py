"""Operations: each gives the same to patches and to whole images."""

import importlib

import pytest
import torch

from glacier_inversion.experiment.operation import find_operations
from glacier_inversion.training.network import operations
from glacier_inversion.training.network.activations import ACTIVATIONS
from glacier_inversion.training.network.convolving import PlainConvolutions
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.operation import NotDenseError, Operation
from glacier_inversion.training.network.operations.addition import Addition
from glacier_inversion.training.network.operations.attention import Attention
from glacier_inversion.training.network.operations.concatenation import Concatenation
from glacier_inversion.training.network.operations.convolutions import ResidualBlock
from glacier_inversion.training.network.operations.denses import Denses
from glacier_inversion.training.network.operations.downsample import Downsample
from tests.training.network.helpers import (
    batch_of,
    denses,
    every_point,
    experiment,
    random_field,
)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_last_activation_is_on_the_last_layer_alone(activation):
    "Hidden dense layers have a ReLU."
    checked = experiment(
        {"slope": (50.0, True, [])}, [], {"h": [denses(6, 1, activation=activation)]}
    )
    network = Network(checked)
    first, second = network.outputs["0"][0].layers
    batch = batch_of(checked)
    hidden = (batch["slope"] @ first.weight.T).relu()
    expected = ACTIVATIONS[activation](hidden @ second.weight.T)
    torch.testing.assert_close(network(batch)["h"], expected)


def test_odd_sizes_lose_their_last_row_in_a_pool():
    "As a pool of stride 2 does."
    layer = Downsample([(1, 5, 7)])
    image = torch.arange(35.0).view(1, 1, 5, 7)
    torch.testing.assert_close(
        layer([image])[0][0, 0], torch.tensor([[8.0, 10, 12], [22, 24, 26]])
    )


def test_pools_are_the_same_with_and_without_gradients():
    "Two ways of computing them, odd sizes included."
    layer = Downsample([(3, 7, 6)])
    image = torch.randn(2, 3, 7, 6)
    with_gradients = layer([image.clone().requires_grad_()])[0]
    assert torch.equal(layer([image])[0], with_gradients)


def on(*images, vectors=(), **keys):
    """Return what a test of an operation needs: the shapes of its inputs."""
    return [*images, *((units,) for units in vectors)], keys


OPERATIONS = {
    PlainConvolutions: [
        on((3, 7, 7), vectors=[2], filters=[4, 5], kernel_size=3, padding="valid"),
        on((3, 6, 6), filters=[4], kernel_size=4, padding="valid"),
        on((3, 5, 5), filters=[4], kernel_size=1, padding="same"),
    ],
    ResidualBlock: [
        on((3, 8, 8), filters=[4, 5], kernel_size=3, padding="valid"),
        on((3, 7, 7), vectors=[2], filters=[4], kernel_size=4, padding="valid"),
    ],
    Downsample: [
        on((3, 6, 6)),
        on((3, 7, 7), vectors=[2]),
        on((2, 3, 3)),
    ],
    Concatenation: [on((3, 4, 4), (2, 4, 4), vectors=[2, 3]), on((1, 2, 2))],
    Addition: [on((3, 4, 4), (3, 4, 4), vectors=[2]), on(vectors=[2, 2])],
    Denses: [
        on((3, 4, 4), filters=[6, 2], last_activation="relu", bias=[True, False]),
        on(
            (2, 3, 3),
            vectors=[2, 1],
            filters=[3],
            last_activation="sigmoid",
            bias=[True],
        ),
        on(vectors=[2, 3], filters=[4, 1], last_activation="tanh", bias=[True, True]),
    ],
}
NEVER_DENSE = {Attention: [on((8, 5, 4), vectors=[2], reduction=2)]}
EVERY_CASE = [
    (kind, *case)
    for kind, cases in {**OPERATIONS, **NEVER_DENSE}.items()
    for case in cases
]


def concrete(kind):
    """Return the classes that are made, below a class."""
    below = kind.__subclasses__()
    own = [] if kind.__abstractmethods__ else [kind]
    return own + [found for sub in below for found in concrete(sub)]


def test_every_operation_is_compared():
    "A new one must be added here; one without a dense way cannot even be made."
    for kind in find_operations().values():
        importlib.import_module(f"{operations.__name__}.{kind.module_name()}")
    missing = {*concrete(Operation)} - {*OPERATIONS, *NEVER_DENSE}
    assert not missing, "add it to OPERATIONS, or if it is not dense to NEVER_DENSE"

    class Half(Operation):
        def forward(self, values):
            return values

    with pytest.raises(TypeError, match=r"abstract method '?dense"):
        Half()


@pytest.mark.parametrize("spacing", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "shapes", "keys"),
    [(kind, *case) for kind, cases in OPERATIONS.items() for case in cases],
)
def test_an_operation_gives_each_patch_the_same_both_ways(kind, shapes, keys, spacing):
    "The dense way, gathered at points, and the patches of those points."
    torch.manual_seed(0)
    layer = kind(shapes, **keys).double()
    fields = [
        random_field(shape[0], shape[-1] if len(shape) == 3 else 1, spacing, 12)[0]
        if len(shape) == 3
        else random_field(shape[0], 1, 1, 12, is_vector=True)[0]
        for shape in shapes
    ]
    points = every_point(12)
    with torch.inference_mode():
        expected = layer([field.gather(*points) for field in fields])
        actual = [field.gather(*points) for field in layer.dense(fields)]
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "shapes", "keys"),
    [(kind, *case) for kind, cases in NEVER_DENSE.items() for case in cases],
)
def test_what_is_not_dense_says_why(kind, shapes, keys):
    "In words that follow the operation's place."
    channels, side, _ = shapes[0]
    field = random_field(channels, side, 1)[0]
    with pytest.raises(NotDenseError, match=r"^[a-z]+s \w+"):
        kind(shapes, **keys).double().dense([field])


@pytest.mark.parametrize(("kind", "shapes", "keys"), EVERY_CASE)
def test_a_patch_does_not_depend_on_those_beside_it(kind, shapes, keys):
    "Nor on whether the network is being trained: maps do not know of batches."
    torch.manual_seed(0)
    layer = kind(shapes, **keys).double()
    batch = [torch.randn(5, *shape).double() for shape in shapes]
    with torch.inference_mode():
        together = layer.train()(batch)
        for i in range(5):
            alone = layer.eval()([value[i : i + 1] for value in batch])
            for one, other in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], other[i], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "shapes", "keys"), EVERY_CASE)
def test_weights_can_be_stacked(kind, shapes, keys):
    "As those of members that are trained together on a GPU."
    torch.manual_seed(0)
    layers = [kind(shapes, **keys).double() for _ in range(3)]
    batches = [torch.randn(3, 5, *shape).double() for shape in shapes]
    weights, buffers = torch.func.stack_module_state(layers)

    def apply(own, values):
        return torch.func.functional_call(layers[0], own, (values,))

    stacked = torch.func.vmap(apply)({**weights, **buffers}, batches)
    for i, layer in enumerate(layers):
        alone = layer([values[i] for values in batches])
        for one, other in zip(alone, stacked, strict=True):
            torch.testing.assert_close(one, other[i], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [PlainConvolutions, ResidualBlock])
def test_zero_padding_is_not_dense(kind):
    "A kernel of 1 x 1 pads nothing, whatever it says."
    field = random_field(3, 6, 1)[0].values.float()
    padded = kind([(3, 6, 6)], filters=[2], kernel_size=3, padding="same")
    with pytest.raises(NotDenseError, match="pads with zeros"):
        padded.dense([PatchField(field, 1, 6)])
    kind([(3, 6, 6)], filters=[2], kernel_size=1, padding="same").dense(
        [PatchField(field, 1, 6)]
    )
