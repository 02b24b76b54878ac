"""Coordinate attention: its formula, and what it means for dense passes."""

import json

import numpy as np
import pytest
import rasterio
import torch

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.training.batch import Patches, predict_stacked
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.data import prepare
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.operation import ShapeError
from glacier_inversion.training.network.operations.attention import Attention
from glacier_inversion.training.stacked import train_stacked
from tests import synthetic
from tests.stand_in_gpu import StandInGpu
from tests.training.helpers import Hearing, compare_members, some_tiles
from tests.training.network.helpers import (
    CONCATENATION,
    DOWN,
    assert_same,
    batch_of,
    block,
    by_hand,
    conv,
    denses,
    experiment,
    predictions,
    tiles_for,
)

ATTENTION = {"name": "attention"}
MEANS = "takes means along whole rows and columns, which end with the patch"


def by_loops(layer, image):
    """Weight an image of shape (channels, rows, cols), value by value."""

    def convolved(convolution, values):
        kernel = convolution.weight.detach().numpy()[:, :, 0, 0]
        return kernel @ values + convolution.bias.detach().numpy()

    def weights(convolution, line):
        joint = convolved(layer.joint, np.array([row.mean() for row in line]))
        swish = joint * np.clip(joint + 3, 0, 6) / 6
        return 1 / (1 + np.exp(-convolved(convolution, swish)))

    n_rows, n_cols = image.shape[1:]
    weighted = np.empty_like(image)
    for i in range(n_rows):
        for j in range(n_cols):
            of_row = weights(layer.of_rows, image[:, i, :])
            of_col = weights(layer.of_cols, image[:, :, j])
            weighted[:, i, j] = image[:, i, j] * of_row * of_col
    return weighted


@pytest.mark.parametrize("reduction", [1, 3, 32])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 5, 4), (3, 1, 6), (3, 7, 1), (40, 4, 5)]
)
def test_it_is_the_formula(shape, reduction):
    "Images of any shape; vectors pass by."
    torch.manual_seed(0)
    layer = Attention([shape, (2,)], reduction).double()
    for bias in (layer.joint.bias, layer.of_rows.bias, layer.of_cols.bias):
        torch.nn.init.normal_(bias)
    images, vectors = 3 * torch.randn(3, *shape).double(), torch.randn(3, 2).double()
    with torch.inference_mode():
        weighted, passed = layer([images, vectors])
    assert passed is vectors
    for image, one in zip(images.numpy(), weighted.numpy(), strict=True):
        np.testing.assert_allclose(one, by_loops(layer, image), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("channels", "reduction", "between"), [(1, 32, 8), (64, 4, 16), (512, 32, 16)]
)
def test_it_starts_as_convolutions_do(channels, reduction, between):
    "Eight channels in between at least; kernels drawn for a ReLU, biases of 0."
    layer = Attention([(channels, 3, 4)], reduction)
    sizes = [(channels, between), (between, channels), (between, channels)]
    layers = [layer.joint, layer.of_rows, layer.of_cols]
    for convolution, (before, after) in zip(layers, sizes, strict=True):
        assert convolution.weight.shape == (after, before, 1, 1)
        bound = (6 / before) ** 0.5
        assert 0.5 * bound < convolution.weight.abs().max() <= bound
        assert not convolution.bias.any()
    names = [name for name, _ in layer.named_parameters()]
    assert names[::2] == ["joint.weight", "of_rows.weight", "of_cols.weight"]


def test_gradients_are_those_of_differences():
    "In the image and in every weight."
    torch.manual_seed(1)
    layer = Attention([(2, 3, 4)], 1).double()
    image = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    weights = dict(layer.named_parameters())

    def apply(image, *values):
        named = dict(zip(weights, values, strict=True))
        return torch.func.functional_call(layer, named, ([image],))[0]

    assert torch.autograd.gradcheck(apply, (image, *weights.values()))


def test_a_patch_does_not_depend_on_those_beside_it():
    "Nor on whether the network is being trained."
    torch.manual_seed(0)
    layer = Attention([(8, 5, 5)], 32).double()
    patches = torch.randn(6, 8, 5, 5).double()
    together = layer.train()([patches])[0]
    for patch, one in zip(patches, together, strict=True):
        alone = layer.eval()([patch[None]])[0][0]
        torch.testing.assert_close(alone, one, rtol=1e-14, atol=1e-14)


def test_too_many_weights_are_refused_before_there_are_any():
    "With what they come to."
    with pytest.raises(ShapeError, match="comes to 12,884,901,888 weights"):
        Attention([(65_536, 8, 8)], 1)


@pytest.mark.parametrize(
    ("reduction", "message"),
    [(0, "greater than or equal to 1"), (2.0, "valid integer"), (True, "integer")],
)
def test_what_is_no_reduction_is_refused(reduction, message):
    "A whole number, 1 or more."
    operation = ATTENTION | {"reduction": reduction}
    with pytest.raises(ExperimentError, match=rf"\[0\]\.reduction: .*{message}"):
        experiment({"a": (50.0, False, [operation])}, [], {"h": [denses(1)]})


def attentive(**keys):
    """Return an experiment whose network is dense up to the attention in its middle."""
    return experiment(
        {
            "s": (12.5, False, [conv(3), DOWN]),
            "v": (25.0, False, [conv(4, kernel_size=2)]),
            "z": (12.5, True, []),
        },
        [CONCATENATION, ATTENTION, conv(5)],
        {"h": [denses(6, 1)], "w": [ATTENTION, denses(1, activation="sigmoid")]},
        area_size=16 * 12.5,
        **keys,
    )


def test_the_table_counts_it():
    "Three convolutions of 1 x 1, the first over rows and columns together."
    (row,) = [r for r in Network(attentive()).table if r.name == "main[1] attention"]
    assert row.shapes == ((7, 7, 7), (1,))
    assert row.parameters == 3 * 7 * 8 + 8 + 7 + 7
    assert row.multiply_adds == 7 * 8 * 14 + 2 * 8 * 7 * 7


@pytest.mark.parametrize("architecture", architectures())
def test_patches_are_gathered_where_it_begins(architecture):
    "What lies before is evaluated densely; all ways equal patches cut out by hand."
    checked = attentive(architecture=architecture)
    torch.manual_seed(0)
    network = Network(checked)
    plan = plan_dense(network, Layout.of(checked))
    assert plan.obstacles == [f"main[1] {MEANS}"]
    assert plan.is_partly_dense
    tiles = tiles_for(checked, 9, seed=2, unknown=0.08)
    for method in ("auto", "dense", "patches"):
        usable, values = predictions(checked, tiles, method, torch.float64, network)
        assert usable.any()
        for name, expected in by_hand(checked, tiles, network, usable).items():
            assert_same(values[name], expected, 1e-12)


def test_a_network_that_begins_with_it_is_evaluated_patch_by_patch():
    "There is nothing to be saved."
    checked = experiment(
        {"s": (12.5, False, [ATTENTION, conv(3)])}, [], {"h": [denses(1)]}
    )
    plan = plan_dense(Network(checked), Layout.of(checked))
    assert plan.obstacles == [f"inputs.s[0] {MEANS}"]
    assert not plan.is_partly_dense


def test_it_cannot_be_trained_in_crops():
    "The message says why."
    checked = attentive(sampling={"spacing": 50.0, "dense": 4})
    with pytest.raises(ExperimentError, match=rf"sampling\.dense: main\[1\] {MEANS}\."):
        make_batches(checked, Network(checked))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_stacked_networks_give_each_its_own_outputs_and_gradients(device):
    "As one by one, but for rounding."
    checked, results = attentive(), []
    with StandInGpu():
        networks, batches = [], []
        for seed in range(3):
            torch.manual_seed(seed)
            networks.append(Network(checked).to(device))
            inputs = {name: v.to(device) for name, v in batch_of(checked, 5).items()}
            batches.append(Patches(inputs, torch.rand(5, 2, device=device)))
        for together in (False, True):
            if together:
                outputs = predict_stacked(networks, batches)
            else:
                pairs = zip(networks, batches, strict=True)
                outputs = [batch.predict(network) for network, batch in pairs]
            values = [value for output in outputs for value in output.values()]
            for network in networks:
                network.zero_grad()
            sum(value.square().sum() for value in values).backward()
            gradients = [w.grad for n in networks for w in n.parameters()]
            results.append([v.detach().cpu().clone() for v in (*values, *gradients)])
    for one, stacked in zip(*results, strict=True):
        largest = max(float(one.abs().max()), 1e-6)
        torch.testing.assert_close(stacked, one, rtol=0, atol=2e-5 * largest)


def with_attention(**keys):
    """Return the region's experiment, unpadded, with an attention in its middle."""
    raw = synthetic.experiment() | {"epochs": 2} | keys
    inputs = raw["model_description"]["inputs"]
    inputs["slope"]["operations"] = [conv(8), DOWN]
    inputs["speed"]["operations"] = [conv(8, kernel_size=2)]
    raw["model_description"]["main"]["operations"] = [
        CONCATENATION,
        ATTENTION | {"reduction": 2},
        block(16),
    ]
    return raw


def test_members_trained_together_on_a_gpu_are_those_trained_alone(tmp_path):
    "Two at a time, within the tolerance."
    checked = check_experiment(with_attention(), "exp")
    data, members = prepare(checked, some_tiles()), {}
    for device in ("cpu", "cuda"):
        hearing = Hearing()
        members[device] = {seed: tmp_path / f"{device}/{seed}" for seed in range(2)}
        with StandInGpu():
            own = data.to(torch.device(device))
            stop, n_at_once = Flag(), 1 + (device == "cuda")
            train_stacked(checked, own, members[device], n_at_once, stop, hearing)
        assert hearing.ended == dict.fromkeys(range(2))
    for seed, folder in members["cpu"].items():
        compare_members(folder, members["cuda"][seed])


@pytest.mark.slow
def test_from_the_experiment_to_the_maps(run):
    "Checked, trained and drawn by each method, to the same maps."
    run.file.write_text(json.dumps(with_attention()))
    report = json.loads(run("check", "--json").stdout)
    names = [row["name"] for row in report["network"]["operations"]]
    assert "main[1] attention" in names
    for command in ("build-dataset", "train"):
        assert run(command).exit_code == 0
    maps = []
    for method in ("auto", "dense", "patches"):
        result = run("draw", "--method", method)
        assert result.exit_code == 0, result.output
        path = run.root / "drawings/small/south/thickness_mean.tif"
        with rasterio.open(path) as src:
            maps.append(src.read(1))
    assert np.isfinite(maps[0]).any()
    for drawn in maps[1:]:
        np.testing.assert_allclose(drawn, maps[0], rtol=1e-5, atol=1e-4)
