"""The stand-in for a GPU refuses and allows what CUDA does."""

import copy
import io
import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn, vmap
from torch.func import functional_call

from tests.stand_in_gpu import StandInGpu

REAL = pytest.param(
    nullcontext,
    id="real",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    ],
)
GPUS = pytest.mark.parametrize("gpu", [pytest.param(StandInGpu, id="stand-in"), REAL])

TOGETHER = "Expected all tensors to be on the same device|two devices|same device"
INDICES = "indices should be either on"


class Places:
    """Tensors of the processor and of a device."""

    def __init__(self, there="cuda"):
        self.there = there
        self.cpu = torch.arange(6.0).reshape(2, 3)
        self.gpu = torch.arange(1.0, 7.0).reshape(2, 3).to(there)
        self.number = torch.tensor(2.0)
        self.gpu_number = torch.tensor(2.0, device=there)
        self.index = torch.tensor([1, 0])
        self.gpu_index = self.index.to(device=there)
        self.column = torch.zeros(2, 1, dtype=torch.int64)


REFUSED = {
    "add": (lambda p: p.cpu + p.gpu, TOGETHER),
    "add in place": (lambda p: p.gpu.add_(p.cpu), TOGETHER),
    "add on the cpu": (lambda p: p.cpu.add_(p.gpu), TOGETHER),
    "number of the gpu": (lambda p: p.cpu * p.gpu_number, TOGETHER),
    "into a number": (lambda p: p.number.add_(p.gpu_number), TOGETHER),
    "matmul": (lambda p: p.gpu @ p.cpu.T, TOGETHER),
    "cat": (lambda p: torch.cat([p.gpu, p.cpu]), TOGETHER),
    "stack": (lambda p: torch.stack([p.cpu, p.gpu]), TOGETHER),
    "stack numbers": (lambda p: torch.stack([p.number, p.gpu_number]), TOGETHER),
    "where": (lambda p: torch.where(p.gpu > 1, p.cpu, p.gpu), TOGETHER),
    "gather": (lambda p: p.gpu.gather(1, p.column), TOGETHER),
    "index_select": (lambda p: p.gpu.index_select(0, p.index), TOGETHER),
    "view": (lambda p: p.gpu.T[1:] + p.cpu.T[1:], TOGETHER),
    "index by the gpu": (lambda p: p.cpu[p.gpu_index], INDICES),
    "mask of the gpu": (lambda p: p.cpu[p.gpu > 1], INDICES),
    "put": (lambda p: p.gpu.__setitem__(p.gpu_index, p.cpu), TOGETHER),
    "put by the gpu": (lambda p: p.cpu.__setitem__(p.gpu_index, p.cpu), INDICES),
    "equal": (lambda p: torch.equal(p.cpu, p.gpu), "different devices|same device"),
    "conv2d": (
        lambda p: nn.functional.conv2d(p.gpu[None, None], p.cpu[None, None]),
        "same device|same type|same",
    ),
    "linear": (lambda p: nn.functional.linear(p.gpu, p.cpu), TOGETHER),
    "minimum": (lambda p: torch.minimum(p.gpu, p.cpu), TOGETHER),
    "foreach": (
        lambda p: torch._foreach_add_([p.gpu, p.gpu.T], [p.cpu, p.cpu.T]),
        TOGETHER,
    ),
    "generator": (
        lambda p: torch.rand(3, generator=torch.Generator(), device="cuda"),
        "'cuda' device type for generator",
    ),
    "generator in place": (
        lambda p: p.gpu.normal_(generator=torch.Generator()),
        "'cuda' device type for generator",
    ),
    "numpy": (lambda p: p.gpu.numpy(), "can't convert cuda"),
    "asarray": (lambda p: np.asarray(p.gpu), "can't convert cuda"),
    "vmap": (lambda p: vmap(torch.add)(p.gpu, p.cpu), TOGETHER),
    "vmap over another": (lambda p: vmap(lambda v: v + p.cpu[0])(p.gpu), TOGETHER),
    "module": (lambda p: nn.Linear(3, 2).to("cuda")(p.cpu), TOGETHER),
    "functional_call": (
        lambda p: functional_call(
            nn.Linear(3, 2), {"weight": p.gpu, "bias": p.gpu[:, 0]}, (p.cpu,)
        ),
        TOGETHER,
    ),
}

ALLOWED = {
    "number": (lambda p: p.gpu + p.number, "cuda"),
    "number first": (lambda p: p.number * p.gpu, "cuda"),
    "numbers": (lambda p: p.number * p.gpu_number, "cuda"),
    "python's": (lambda p: 2 * p.gpu - 1, "cuda"),
    "index": (lambda p: p.gpu[p.index], "cuda"),
    "mask": (lambda p: p.gpu[p.cpu > 1], "cuda"),
    "index of numbers": (lambda p: p.gpu[0, 1], "cuda"),
    "put a number": (lambda p: put(p.gpu, p.index, p.number), "cuda"),
    "put by the cpu": (lambda p: put(p.gpu, p.index, p.gpu + 1), "cuda"),
    "put a slice": (lambda p: put(p.gpu, slice(0, 1), p.cpu[:1]), "cuda"),
    "put a slice down": (lambda p: put(p.cpu, slice(0, 1), p.gpu[:1]), "cpu"),
    "copy_ up": (lambda p: p.gpu.copy_(p.cpu), "cuda"),
    "copy_ down": (lambda p: p.cpu.copy_(p.gpu), "cpu"),
    "to": (lambda p: p.gpu.to("cpu"), "cpu"),
    "to and dtype": (lambda p: p.cpu.to(torch.device(p.there), torch.float64), "cuda"),
    "to another's": (lambda p: p.cpu.to(p.gpu), "cuda"),
    "dtype": (lambda p: p.gpu.to(torch.float64).double(), "cuda"),
    "cpu": (lambda p: p.gpu.cpu(), "cpu"),
    "zeros": (lambda p: torch.zeros(3, device=p.gpu.device), "cuda"),
    "arange": (lambda p: torch.arange(3, device=torch.device(p.there)), "cuda"),
    "tensor": (lambda p: torch.tensor([1.0, 2.0], device=p.there), "cuda"),
    "as_tensor": (lambda p: torch.as_tensor(p.cpu, device=p.there), "cuda"),
    "zeros_like": (lambda p: torch.zeros_like(p.gpu), "cuda"),
    "zeros_like elsewhere": (lambda p: torch.zeros_like(p.gpu, device="cpu"), "cpu"),
    "new_zeros": (lambda p: p.gpu.new_zeros(3), "cuda"),
    "views": (lambda p: p.gpu.T.unfold(0, 2, 1).flatten()[1:].view(-1, 1), "cuda"),
    "where": (lambda p: torch.where(p.gpu > 1, p.gpu, p.number), "cuda"),
    "unique": (lambda p: torch.unique(p.gpu, return_inverse=True)[1], "cuda"),
    "deepcopy": (lambda p: copy.deepcopy(p.gpu), "cuda"),
    "data": (lambda p: p.gpu.data.detach(), "cuda"),
    "generator of the cpu": (
        lambda p: torch.randperm(3, generator=torch.Generator().manual_seed(0)).to(
            p.there
        ),
        "cuda",
    ),
    "vmap": (lambda p: vmap(torch.sum)(p.gpu), "cuda"),
    "vmap inside": (lambda p: vmap(lambda v: v * p.gpu[0])(p.gpu), "cuda"),
    "module": (lambda p: nn.Linear(3, 2).to(p.there)(p.gpu), "cuda"),
}


def put(tensor, index, value):
    """Return a tensor after its values at an index were set."""
    tensor[index] = value
    return tensor


@GPUS
@pytest.mark.parametrize("name", REFUSED)
def test_what_cuda_refuses_is_refused(gpu, name):
    "With its words."
    work, words = REFUSED[name]
    with gpu():
        places = Places()
        with pytest.raises((RuntimeError, TypeError), match=words):
            work(places)


@GPUS
@pytest.mark.parametrize("name", ALLOWED)
def test_what_cuda_allows_is_allowed(gpu, name):
    "And lies where it does there; the numbers are the processor's."
    work, place = ALLOWED[name]
    with gpu(), torch.random.fork_rng():
        torch.manual_seed(0)
        made = work(Places())
        assert made.device.type == place
        assert made.is_cuda == (place == "cuda")
        values = made.detach().cpu().numpy()
        torch.manual_seed(0)
        expected = work(Places("cpu")).detach().numpy()
        np.testing.assert_allclose(values, expected, rtol=1e-6)


@GPUS
def test_gradients_lie_where_the_weights_do(gpu):
    "Those of a move come back; a loss that mixes is refused in the forward pass."
    with gpu():
        weight = torch.ones(3, requires_grad=True)
        (weight.to("cuda") * torch.arange(3.0, device="cuda")).sum().backward()
        assert weight.grad.device.type == "cpu"
        assert weight.grad.tolist() == [0, 1, 2]
        images = torch.rand(2, 1, 8, 8).cuda().requires_grad_()
        layers = nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(27, 1),
        ).to("cuda")  # fmt: skip
        index = torch.tensor([0, 0, 1])
        layers(images[index][:, :, :8]).square().sum().backward()
        for tensor in (images, *layers.parameters()):
            assert tensor.grad.device.type == "cuda"
            assert (tensor.grad + tensor).device.type == "cuda"


@GPUS
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    "kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.NAdam]
)
def test_optimizers_step_on_it_and_refuse_what_lies_elsewhere(gpu, kind, fused):
    "Fused ones and those that take all weights at once."
    options = {"fused": fused} if kind is not torch.optim.NAdam else {}
    with gpu():
        weight = nn.Parameter(torch.ones(3, device="cuda"))
        optimizer = kind([weight], lr=0.1, **options)
        for _ in range(2):
            optimizer.zero_grad(set_to_none=True)
            weight.square().sum().backward()
            optimizer.step()
        assert weight.device.type == "cuda"
        assert float(weight.detach().max()) < 1
        again = kind([weight], lr=0.1, **options)
        again.load_state_dict(optimizer.state_dict())
        weight.square().sum().backward()
        again.step()
        moments = [
            value
            for value in again.state[weight].values()
            if torch.is_tensor(value) and value.dim()
        ]
        for moment in moments:
            moment.data = moment.cpu()
        if moments:
            with pytest.raises(RuntimeError):
                again.step()


@GPUS
def test_what_is_saved_from_it_needs_it(gpu):
    "Where there is none, or the reader says where else."
    content = io.BytesIO()
    with gpu():
        torch.save({"a": torch.ones(2).cuda(), "b": torch.ones(2)}, content)
    there = b"cuda:0" in content.getvalue()
    assert there


def test_what_was_saved_from_it_is_not_read_without_it():
    "As torch refuses it."
    content = io.BytesIO()
    with StandInGpu():
        torch.save(torch.ones(2).cuda(), content)
    content.seek(0)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="deserialize object on a CUDA device"):
            torch.load(content, weights_only=True)


def test_its_memory_ends():
    "What is no more is free again; the processor's does not count."
    with StandInGpu(capacity=1000) as gpu:
        assert gpu.taken == 0
        one = torch.zeros(150, device="cuda")
        torch.zeros(10_000)
        with pytest.raises(torch.cuda.OutOfMemoryError, match="CUDA out of memory"):
            one + 1
        assert gpu.taken == 600
        del one
        assert gpu.taken == 0
        torch.zeros(200, device="cuda").add_(1)
        assert (gpu.peak, gpu.n_refused) == (800, 1)


def test_nothing_is_left_of_it():
    "Torch finds no GPU that is not there, and asks nobody."
    before = torch.cuda.is_available()
    with StandInGpu() as gpu:
        assert torch.cuda.is_available()
        assert math.isinf(gpu.capacity)
    assert torch.cuda.is_available() == before
    assert torch.ones(2).device.type == "cpu"
