"""Evaluate networks at points of a block, in pieces, each on one core or on the GPU."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from glacier_inversion.choices import DrawingMethod
from glacier_inversion.patches.gathering import normalise
from glacier_inversion.patches.lattice import LatticeTiles, Layout
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.network.covering import Part, cut
from glacier_inversion.training.network.dense import DensePlan, Frontier, run_network
from glacier_inversion.training.network.devices import Device
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.network import Network

# Pieces of work for each thread, so that none waits long for the last.
_PIECES = 4
# Fewer multiply-adds than these, some 15 ms of work, take longer by two threads than by
# one: each is started, and prepares its share.
_WORTH_THREADS = 4e8


class BlockInputs:
    """
    The inputs of networks at the points of a block, normalised, NaN as 0.

    Parameters
    ----------
    part : LatticeTiles
    layout : Layout
    scales : mapping of Scale
        Normalisation of the inputs, by name.
    device : torch.device
    dtype : torch.dtype
        Of the networks.
    """

    def __init__(
        self,
        part: LatticeTiles,
        layout: Layout,
        scales: Mapping[str, Scale],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = device
        self._layout = layout
        self._images = {}
        for name, image in {**part.images, **part.scalars}.items():
            values = torch.from_numpy(normalise(image, scales[name]))
            self._images[name] = values.to(device, dtype).view(1, 1, *image.shape)

    def fields(
        self, network: Network, plan: DensePlan, rows: slice, cols: slice
    ) -> list[PatchField]:
        """Return a network's inputs at points, as many as fill whole periods."""
        fields = []
        for name in network.input_names:
            image, is_vector = self._images[name], name in self._layout.scalars
            side = 1 if is_vector else self._layout.patch_px(name)
            spacing = self._layout.images.get(name, 1)
            margin = (side - 1) * spacing
            for axis, points in ((2, rows), (3, cols)):
                n = plan.rounded(points.stop - points.start) + margin
                there = min(n, image.shape[axis] - points.start)
                image = image.narrow(axis, points.start, there)
                if there < n:  # beyond the last points that are wanted
                    beyond = [0, 0] * (3 - axis) + [0, n - there]
                    image = functional.pad(image, beyond)
            fields.append(PatchField.of(image, spacing, side, is_vector))
        return fields


def predict_points(
    networks: Sequence[Network],
    block: BlockInputs,
    wanted: NDArray[np.bool_],
    plan: DensePlan,
    method: DrawingMethod,
    device: Device,
) -> dict[str, Tensor]:
    """
    Predict the outputs of networks at points of a block, in normalised units.

    Parameters
    ----------
    networks : sequence of Network
        Alike but for their weights; on the device.
    wanted : bool array, shape of the block
    plan : DensePlan
        Theirs.
    method : {"auto", "dense", "patches"}
        By dense passes as far as they are exact, where that costs less; everywhere, as
        far as they are exact; or patch by patch alone.

    Returns
    -------
    values : dict of tensors, shape (n_networks, n_units, n_points), by output
        All that a network gives of it: one number, or two, a mean and the logarithm of
        a variance, where the loss is one that learns both. On the CPU, in the dtype of
        the networks, points in row-major order.
    """
    work = _Work(networks, block, wanted, plan, device)
    left, cost = wanted.copy(), 0  # multiply-adds of a network
    pieces: list[Callable[[Sequence[int]], None]] = []
    if method != "patches" and plan.is_partly_dense:
        for part in cut(wanted, plan, device, with_patches=method == "auto"):
            left[part] = False
            sides = (plan.rounded(points.stop - points.start) for points in part)
            cost += plan.multiply_adds(*sides)
            cost += int(wanted[part].sum()) * plan.per_gathered
            pieces.append(partial(work.predict_part, part))
    if left.any():
        cost += int(left.sum()) * plan.per_patch
        everywhere = slice(0, wanted.shape[0]), slice(0, wanted.shape[1])
        fields = block.fields(networks[0], plan, *everywhere)
        frontier = run_network(networks[0], fields, densely=False)  # of any network
        for batch in work.batches(left, work.numbers, work.n_batch):
            pieces.append(partial(work.predict_patches, frontier, batch))
    # where pieces are few, threads share them, each with some of the members
    n_threads = device.n_threads if cost * len(networks) >= _WORTH_THREADS else 1
    n_pieces = _PIECES * n_threads if n_threads > 1 else 1
    n_shares = min(len(networks), -(-n_pieces // max(len(pieces), 1)))
    members = range(len(networks))
    shares = [members[i::n_shares] for i in range(n_shares)]
    work_items = itertools.product(pieces, shares)
    device.map(lambda item: item[0](item[1]), work_items, n_threads)
    return {name: values.cpu() for name, values in work.values.items()}


class _Work:
    """The values at points of a block, and how to find those of some of them."""

    def __init__(
        self,
        networks: Sequence[Network],
        block: BlockInputs,
        wanted: NDArray[np.bool_],
        plan: DensePlan,
        device: Device,
    ) -> None:
        self.networks = networks
        self.block = block
        self.wanted = wanted
        self.plan = plan
        self.n_batch = device.batch(plan.bytes_per_patch)
        self.numbers = np.cumsum(wanted).reshape(wanted.shape) - 1
        n_points, dtype = int(wanted.sum()), next(networks[0].parameters()).dtype
        self.values = {
            name: torch.empty(
                len(networks), n_units, n_points, dtype=dtype, device=block.device
            )
            for name, n_units in networks[0].n_units.items()
        }

    @torch.inference_mode()
    def predict_part(self, part: Part, members: Sequence[int]) -> None:
        """Evaluate members densely, and what remains of them at each point."""
        fields = self.block.fields(self.networks[0], self.plan, *part)
        wanted, numbers = self.wanted[part], self.numbers[part]
        n_batch = wanted.size if self.plan.is_dense else self.n_batch
        batches = self.batches(wanted, numbers, n_batch)
        for member in members:
            frontier = run_network(self.networks[member], fields, densely=True)
            for batch in batches:
                self.predict_patches(frontier, batch, [member])
            del frontier  # its memory is the next one's

    @torch.inference_mode()
    def predict_patches(
        self, frontier: Frontier, points: Tensor, members: Sequence[int]
    ) -> None:
        """Evaluate what remains of members at points, gathered once for all."""
        row, col, places = points.to(self.block.device)
        gathered = frontier.gather(row, col)
        for member in members:
            outputs = frontier.finish(self.networks[member], gathered)
            for name, output in outputs.items():
                self.values[name][member][:, places] = output.T

    def batches(
        self, wanted: NDArray[np.bool_], numbers: NDArray[np.intp], n_batch: int
    ) -> Sequence[Tensor]:
        """Return rows, columns, places among the values of points: shape (3, n)."""
        row, col = np.nonzero(wanted)
        points = torch.from_numpy(np.stack([row, col, numbers[row, col]]))
        return torch.split(points, n_batch, dim=1)
