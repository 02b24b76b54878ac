"""Devices: what a GPU's errors are told apart from, and what is given to it."""

import dataclasses
import pickle

import pytest
import torch

from glacier_inversion.errors import DeviceError, DeviceMemoryError
from glacier_inversion.training.network.devices import (
    CPU,
    Device,
    open_device,
    watching_gpu,
)
from tests.stand_in_gpu import StandInGpu

NEED = "Must hold the samples. Say --device cpu."
LONG = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of "
    "79.10 GiB of which 1.05 GiB is free. See documentation for Memory Management"
)
OUT_OF_MEMORY = [
    torch.cuda.OutOfMemoryError(LONG),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]
FAILURES = [
    RuntimeError("CUDA error: uncorrectable ECC error encountered\nCUDA kernel"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("No CUDA GPUs are available"),
]
BUGS = [
    RuntimeError("Expected all tensors to be on the same device, but found at least"),
    RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    IndexError("index 3 is out of bounds"),
]
if hasattr(torch, "AcceleratorError"):
    FAILURES.append(torch.AcceleratorError("CUDA error: an illegal memory access", 700))


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_no_memory_is_a_message_with_what_to_do(error):
    "Torch's first words, and ours."
    with pytest.raises(DeviceMemoryError) as caught, watching_gpu(NEED):
        raise error
    text = str(caught.value)
    assert text.startswith("--device: the GPU's memory does not suffice (")
    assert text.endswith(f"). {NEED}")
    assert "\n" not in text
    assert "total capacity" not in text
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", FAILURES, ids=str)
def test_a_gpu_that_fails_is_named(error):
    "It is none of the memory's errors."
    words = r"cannot be used.*--device cpu"
    with pytest.raises(DeviceError, match=words) as caught, watching_gpu(NEED):
        raise error
    assert type(caught.value) is DeviceError


@pytest.mark.parametrize("error", [*BUGS, DeviceError("CUDA error: said")], ids=str)
def test_what_is_no_failure_of_the_gpu_stays_what_it_is(error):
    "A bug of ours is none of the user's doing."
    with pytest.raises(type(error)) as caught, watching_gpu(NEED):
        raise error
    assert caught.value is error


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_says_that_it_has_no_memory():
    "As it is taken for that; it goes on."
    with pytest.raises(DeviceMemoryError, match="to allocate"), watching_gpu(NEED):
        torch.empty(2**50, dtype=torch.uint8, device="cuda")
    assert float(torch.ones(3, device="cuda").sum()) == 3


def test_a_gpu_that_fails_when_it_is_opened_is_named(monkeypatch):
    "Whatever torch says then."
    with StandInGpu():
        monkeypatch.setattr(torch.cuda, "mem_get_info", _fail)
        with pytest.raises(DeviceError, match="driver shutting down"):
            open_device("auto")


def _fail():
    message = "driver shutting down"
    raise RuntimeError(message)


def test_another_process_opens_the_same_device():
    "As it is; but a GPU by its name, whose memory is that of its machine."
    device = dataclasses.replace(CPU, block_px=64, most_bytes=1e6)
    assert open_device(pickle.loads(pickle.dumps(device.elsewhere))) == device
    with StandInGpu():
        assert open_device("auto").elsewhere == "cuda"


def test_a_gpu_works_on_one_feature_at_a_time():
    "Another device on as many as are asked for, and on one where none is."
    with StandInGpu():
        assert [open_device("cuda").jobs(n) for n in (None, 1, 8)] == [1, 1, 1]
    assert [CPU.jobs(n) for n in (None, 1, 8)] == [1, 1, 8]


def test_a_device_is_given_less_until_that_is_too_little():
    "A quarter of the points, the patches and the memory each time."
    device: Device | None = dataclasses.replace(CPU, block_px=1024, most_patches=40)
    sides = []
    while device is not None:
        sides.append((device.block_px, device.most_patches))
        device = device.smaller()
    assert sides == [(1024, 40), (512, 10), (256, 2), (128, 1), (64, 1), (32, 1)]
