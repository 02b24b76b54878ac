"""Steps of the optimizers: gradient and penalty."""

import safetensors.torch
import torch

from glacier_inversion.training.data import prepare
from glacier_inversion.training.member import build_member
from tests.training.helpers import experiment, run_member, some_tiles, train_member


def test_weight_decay_shrinks_kernels_of_convolutions_alone(tmp_path):
    "The L2 penalty is on them, not on dense layers or biases."
    norms = {}
    for decay in (0.0, 1.0):
        folder = tmp_path / str(decay)
        run_member(
            experiment(epochs=3, weight_decay=decay, optimizer_name="sgd"), folder
        )
        weights = safetensors.torch.load_file(folder / "best.safetensors")
        norms[decay] = {key: float(value.norm()) for key, value in weights.items()}
    kernels = [k for k in norms[0.0] if k.endswith("weight") and "main" in k]
    assert kernels
    for key in kernels:
        assert norms[1.0][key] < 0.99 * norms[0.0][key]


def test_sgd_step_equals_the_gradient_of_loss_and_penalty(tmp_path):
    "One step, against autograd on loss + weight_decay * sum of squares."
    checked = experiment(
        epochs=1, batch_size=10_000, weight_decay=0.03, optimizer_name="sgd",
        criterion="loss", sampling={"spacing": 100.0, "jitter": False},
    )  # fmt: skip
    data = prepare(checked, some_tiles())
    network = build_member(checked, 0, data.train, data.starts)
    ((_, batch, targets),) = data.train.batches(data.train.nominal(), 10_000)
    std = data.scales.outputs["thickness"].std
    loss = (network(batch)["thickness"][:, 0] - targets[:, 0] / std).abs().mean()
    loss = loss + 0.03 * sum(kernel.square().sum() for kernel in network.kernels())
    loss.backward()
    expected = {
        name: parameter - 3e-3 * parameter.grad
        for name, parameter in network.named_parameters()
    }
    train_member(checked, data, 0, tmp_path, lambda *_: None)
    weights = safetensors.torch.load_file(tmp_path / "best.safetensors")
    for name, value in expected.items():  # float32; another order of the samples
        torch.testing.assert_close(weights[name], value.detach(), rtol=1e-4, atol=1e-6)
