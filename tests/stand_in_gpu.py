"""
A GPU where there is none: tensors of the processor that are said to lie on 'cuda'.

What is moved or made on 'cuda' is computed by the processor, but bears a tag, and so
does all that is made of it. Torch's own calls are asked at two places: what a program
says about devices (`.to`, `device=`, `.device`, `.numpy()`) where it calls torch, and
whether the tensors of an operation lie together where torch computes, so within
autograd, optimizers and vmap, too. What CUDA refuses is refused with its own words; what
it allows is allowed: see the table in test_stand_in_gpu.py, which a real GPU is tested
with as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glacier_inversion.patches.symmetries import _every_turn


class _Tag(NamedTuple):
    """What is said of a storage: where it lies, since which stand-in."""

    storage: StorageWeakRef
    n_bytes: int
    device: torch.device
    gpu: StandInGpu


CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
# Made by torch within a computation, which says 'cpu' where it would have said 'cuda':
# it lies where its fellows do.
ANYWHERE = torch.device("meta")

# By the address of the storage, which is not used anew while it is referred to.
_TAGS: dict[int, _Tag] = {}

# Indices of these may lie on the CPU where the tensor does not.
_INDEXED = ("index.", "index_put", "_index_put_impl_", "_unsafe_index")
# These take no number from the CPU.
_STRICT = ("_fused", "cat", "stack", "gather", "scatter", "index_select", "index_add")

_FREE = 64_000_000_000  # bytes

_IS_ON = {"device": None, "is_cuda": GPU, "is_cpu": CPU}


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    while wrapped(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor.untyped_storage()


def where(tensor: Tensor) -> torch.device:
    """Tell where a tensor is said to lie."""
    with torch._C.DisableTorchFunction():
        tag = _TAGS.get(_storage(tensor)._cdata)
    return CPU if tag is None else tag.device


def _tensors(*values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _forget_the_dead() -> None:
    for key in [key for key, tag in _TAGS.items() if tag.storage.expired()]:
        del _TAGS[key]


def _is_gpu(device: Any) -> bool:
    return torch.device(device).type == "cuda"


class StandInGpu:
    """
    A GPU that is there while the context lasts, in the thread that enters it.

    Parameters
    ----------
    capacity : float
        Bytes that tensors on it may take, beyond which there is no memory. What torch
        says is free does not tell, as where another program takes memory later.
    fail_at : int, optional
        Number of the tensor for which there is no memory, once.

    Attributes
    ----------
    peak : int
        The most bytes that were taken at a time.
    n_made : int
        Tensors that were put on it.
    n_refused : int
        How often there was no memory.
    """

    def __init__(self, capacity: float = math.inf, fail_at: int | None = None) -> None:
        self.capacity = capacity
        self.fail_at = fail_at
        self.n_made = 0
        self.peak = 0
        self.n_refused = 0
        self._at_most = 0  # what was freed since it was counted is in it
        self._stack = ExitStack()

    def __enter__(self) -> StandInGpu:
        """Let torch find it."""
        # what the code under test keeps is not for another GPU
        self._stack.callback(_every_turn.cache_clear)
        _every_turn.cache_clear()
        cuda, enter = torch.cuda, self._stack.enter_context
        for name, value in {
            "is_available": lambda: True,
            "mem_get_info": lambda device=None: (_FREE, _FREE),
            "get_device_name": lambda device=None: "stand-in",
            "is_current_stream_capturing": lambda: False,
        }.items():
            enter(mock.patch.object(cuda, name, value))
        if hasattr(torch, "accelerator"):  # optimizers ask what a GPU of torch's does
            none = mock.Mock(return_value=None)
            enter(mock.patch.object(torch.accelerator, "current_accelerator", none))
        # what torch.save writes beside a storage, and torch.load asks for
        location_tag = torch.serialization.location_tag

        def tell(storage: Any) -> str:
            untyped = getattr(storage, "_untyped_storage", storage)
            tag = _TAGS.get(untyped._cdata)
            return "cuda:0" if tag and tag.device == GPU else location_tag(storage)

        enter(mock.patch.object(torch.serialization, "location_tag", tell))
        computing = enter(_Computing(self))
        enter(_Calling(computing))
        return self

    def __exit__(self, *error: object) -> None:
        """Take it away."""
        self._stack.close()

    @property
    def taken(self) -> int:
        """Memory of the tensors that lie on it."""
        _forget_the_dead()
        tags = (tag for tag in _TAGS.values() if tag.gpu is self)
        return sum(tag.n_bytes for tag in tags if tag.device == GPU)

    def put(self, tensor: Tensor, device: torch.device) -> None:
        """Let a tensor lie on a device, if that has the memory."""
        with torch._C.DisableTorchFunction():
            storage = _storage(tensor)
            if device == CPU:
                _TAGS.pop(storage._cdata, None)
                return
            n_bytes = storage.nbytes()
            if device == GPU:
                self._at_most += n_bytes
                if self._at_most > min(self.peak, self.capacity):
                    self._at_most = self.taken + n_bytes
                self.n_made += 1
                if self._at_most > self.capacity or self.n_made == self.fail_at:
                    self.n_refused += 1
                    message = (
                        f"CUDA out of memory. Tried to allocate {n_bytes} bytes. GPU 0 "
                        f"has a total capacity of {self.capacity} bytes."
                    )
                    raise torch.cuda.OutOfMemoryError(message)
                self.peak = max(self.peak, self._at_most)
            reference = StorageWeakRef(storage)
            _TAGS[storage._cdata] = _Tag(reference, n_bytes, device, self)


class _Move(torch.autograd.Function):
    """A copy on another device; its gradient comes back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, device: torch.device, gpu: StandInGpu) -> Any:
        ctx.before, ctx.gpu = where(tensor), gpu
        return _copy(tensor, device, gpu)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _copy(gradients[0], ctx.before, ctx.gpu), None, None


def _copy(tensor: Tensor, device: torch.device, gpu: StandInGpu) -> Tensor:
    with torch.utils._python_dispatch._disable_current_modes():
        moved = tensor.detach().clone()
    gpu.put(moved, device)
    return moved


class _Calling(TorchFunctionMode):
    """Where a program calls torch: what it says about devices."""

    def __init__(self, computing: _Computing) -> None:
        super().__init__()
        self.computing = computing
        self.gpu = computing.gpu

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "__get__" and isinstance(func.__self__, type(Tensor.device)):
            attribute = func.__self__.__name__
            if attribute in _IS_ON:
                place = where(args[0])
                place = CPU if place == ANYWHERE else place
                return place if attribute == "device" else place == _IS_ON[attribute]
        if name in ("numpy", "__array__") and where(args[0]) == GPU:
            message = (
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
            raise TypeError(message)
        if name == "get_device" and _tensors(args):
            return 0 if where(args[0]) == GPU else -1
        if name in ("to", "cuda", "cpu") and isinstance(args[0], Tensor):
            return self._move(name, *args, **kwargs)
        tensors = _tensors(args, kwargs)
        asked = kwargs.pop("device", None)
        if asked is not None:
            place = GPU if _is_gpu(asked) else CPU
        elif tensors:
            place = ANYWHERE
        else:
            place = CPU
        given = {_storage(tensor)._cdata for tensor in tensors}
        with self.computing.making(place):
            result = func(*args, **kwargs)
        if asked is None:
            places = {where(tensor) for tensor in tensors}
            for made in _tensors(result) if GPU in places else ():
                # a deep copy's storage is copied without a call
                if where(made) == ANYWHERE or name == "__deepcopy__":
                    self.gpu.put(made, GPU)
        elif isinstance(result, Tensor) and where(result) != place:
            if _storage(result)._cdata in given:  # of as_tensor, say
                return _Move.apply(result, place, self.gpu)
            self.gpu.put(result, place)
        return result

    def _move(self, name: str, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if name != "to":
            device, rest = (GPU if name == "cuda" else CPU), {}
        else:
            kwargs.pop("copy", None)
            if args and isinstance(args[0], Tensor):
                args = (where(args[0]), args[0].dtype, *args[1:])
            device, dtype, _, layout = torch._C._nn._parse_to(*args, **kwargs)
            rest = {"dtype": dtype, "memory_format": layout}
            rest = {key: value for key, value in rest.items() if value is not None}
        if device is not None:
            device = GPU if _is_gpu(device) else CPU
            if device != where(tensor):
                tensor = _Move.apply(tensor, device, self.gpu)
        return tensor.to(**rest) if rest else tensor


class _Computing(TorchDispatchMode):
    """Where torch computes: whether the tensors of an operation lie together."""

    def __init__(self, gpu: StandInGpu) -> None:
        super().__init__()
        self.gpu = gpu
        self.place = CPU

    @contextmanager
    def making(self, place: torch.device) -> Iterator[None]:
        """Let tensors that are made of none lie there."""
        before, self.place = self.place, place
        try:
            yield
        finally:
            self.place = before

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        tensors = _tensors(args, kwargs)
        place = self._common(func, args, tensors) if tensors else self.place
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.Generator) and place == GPU:
                message = "Expected a 'cuda' device type for generator but found 'cpu'"
                raise RuntimeError(message)
        with torch._C.DisableTorchFunction():
            given = {_storage(tensor)._cdata for tensor in tensors}
        result = func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            for made in _tensors(result):
                key = _storage(made)._cdata
                if key not in given and key not in _TAGS:
                    self.gpu.put(made, place)
        return result

    def _common(
        self, func: Any, args: Sequence[Any], tensors: list[Tensor]
    ) -> torch.device:
        """Return where an operation is computed, or refuse it."""
        name = func.__name__ if "." in func.__name__ else f"{func.__name__}."
        places = {where(tensor) for tensor in tensors} - {ANYWHERE}
        if len(places) < 2:
            return places.pop() if places else ANYWHERE
        if name.startswith("copy_."):
            return where(args[0])
        if name.startswith(_INDEXED):
            return self._common_of_indexed(args)
        written = self._written(func, args)
        for tensor in tensors:
            scalar = tensor.dim() == 0 and not name.startswith(_STRICT)
            if where(tensor) == CPU and (not scalar or id(tensor) in written):
                self._refuse(func)
        return GPU

    def _common_of_indexed(self, args: Sequence[Any]) -> torch.device:
        """Indices may lie on the CPU; what is put there is a number, or lies there."""
        place = where(args[0])
        if place == CPU and any(where(index) == GPU for index in _tensors(args[1])):
            message = (
                "indices should be either on cpu or on the same device as the indexed "
                "tensor (cpu)"
            )
            raise RuntimeError(message)
        for value in _tensors(args[2:]):
            if where(value) != place and (value.dim() > 0 or place == CPU):
                self._refuse("index_put_")
        return place

    @staticmethod
    def _written(func: Any, args: Iterable[Any]) -> set[int]:
        """Identify the tensors that an operation changes."""
        arguments = zip(func._schema.arguments, args, strict=False)
        changed = [
            value
            for argument, value in arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        return {id(tensor) for tensor in _tensors(changed)}

    @staticmethod
    def _refuse(func: Any) -> None:
        message = (
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, cuda:0 and cpu! ({func})"
        )
        raise RuntimeError(message)
