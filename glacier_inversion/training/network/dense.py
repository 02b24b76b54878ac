"""
Evaluate a network at every point of blocks: densely as far as that is exact.

An operation that treats all places alike is applied to the whole block at once, instead
of to the patch of every point: a patch of 32 x 32 pixels shares all but 32 of them with
its neighbour's. From the first operation on that does not (padding with zeros: where
they lie depends on where the patch ends) patches are gathered from what was computed so
far, and the rest of the network is applied to them. If that is the first operation of
all, the whole network is evaluated patch by patch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn

from glacier_inversion.patches.lattice import Layout
from glacier_inversion.training.network.counting import MultiplyAdds
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.operation import NotDenseError, Operation

# Blocks are multiples of the period in size; one this long would make them too large.
_LONGEST_PERIOD = 512

# Of the largest field or patch there are at most these many in memory at once: what an
# operation reads, what it makes, and the shortcut beside it. Branches that wait to be
# joined are smaller, as a rule.
_COPIES = 3
_FLOAT = 4  # bytes

Stage = Literal["inputs", "main", "outputs"]


@dataclass(frozen=True)
class Frontier:
    """
    How far a network has been evaluated densely.

    Attributes
    ----------
    stage : {"inputs", "main", "outputs"}
        The branches of the network that were reached last.
    fields : list of lists of PatchField
        What each of them made.
    done : list of int
        By how many of its operations.
    obstacles : list of str
        Why it was not gone further: where, and what is in the way.
    """

    stage: Stage
    fields: list[list[PatchField]]
    done: list[int]
    obstacles: list[str]

    def gather(
        self, row: Tensor, col: Tensor, block: Tensor | int = 0
    ) -> list[list[Tensor]]:
        """Return patches, shape (n, ...), of the fields at points of the blocks."""
        return [
            [part.gather(row, col, block) for part in parts] for parts in self.fields
        ]

    def finish(
        self, network: Network, gathered: list[list[Tensor]]
    ) -> dict[str, Tensor]:
        """Apply the rest of the network to patches; outputs of shape (n, units)."""
        branches = {
            "inputs": network.input_branches(),
            "main": [("main", network.main)],
            "outputs": network.output_branches(),
        }[self.stage]
        values = [
            branch[done:](patches)
            for (_, branch), done, patches in zip(
                branches, self.done, gathered, strict=True
            )
        ]
        if self.stage == "inputs":
            values = [network.main([value for part in values for value in part])]
        if self.stage != "outputs":
            values = [branch(values[0]) for _, branch in network.output_branches()]
        return {
            name: value[0]
            for name, value in zip(network.output_names, values, strict=True)
        }


def run_network(
    network: Network,
    inputs: Sequence[PatchField],
    densely: bool,
    watch: Callable[[list[PatchField]], None] | None = None,
) -> Frontier:
    """
    Evaluate a network densely as far as that is exact; not at all unless *densely*.

    Parameters
    ----------
    inputs : sequence of PatchField
        In the order of the network's, all of the same blocks.
    watch : callable, optional
        Is shown what there is before the first operation and after each.
    """
    way = _Pass(densely, watch)
    stage: Stage = "inputs"
    fields, done = [], []
    for (name, branch), own in zip(network.input_branches(), inputs, strict=True):
        after, n = way.advance(f"inputs.{name}", branch, [own])
        fields.append(after)
        done.append(n)
    if not way.blocked:
        joined = [part for parts in fields for part in parts]
        joined, n = way.advance("main", network.main, joined)
        stage, fields, done = "main", [joined], [n]
    if not way.blocked:
        stage, fields, done = "outputs", [], []
        for name, branch in network.output_branches():
            after, n = way.advance(f"outputs.{name}", branch, joined)
            fields.append(after)
            done.append(n)
    return Frontier(stage, fields, done, way.obstacles)


@dataclass
class _Pass:
    """A dense pass through a network, as far as it comes."""

    densely: bool
    watch: Callable[[list[PatchField]], None] | None
    blocked: bool = False
    obstacles: list[str] = field(default_factory=list)

    def advance(
        self, path: str, branch: nn.Sequential, fields: list[PatchField]
    ) -> tuple[list[PatchField], int]:
        """Return what the operations make of fields, and how many were applied."""
        self._show(fields)
        for i, layer in enumerate(branch):
            try:
                if not self.densely:
                    raise NotDenseError
                fields = cast(Operation, layer).dense(fields)
            except NotDenseError as error:
                self.obstacles.append(f"{path}[{i}] {error}")
                self.blocked = True
                return fields, i
            self._show(fields)
        return fields, len(branch)

    def _show(self, fields: list[PatchField]) -> None:
        if self.watch is not None:
            self.watch(fields)


@dataclass(frozen=True)
class DensePlan:
    """
    What it takes to evaluate a network at the points of a block.

    Attributes
    ----------
    obstacles : list of str
        Why not all of it is evaluated densely.
    period : int
        Blocks of a dense pass have multiples of it as numbers of rows and columns.
    terms : list of tuple
        Multiply-adds of a dense pass, by convolution: those of a point, and the rows
        and columns that it needs beyond those of the block.
    widths : list of tuple
        Likewise the channels of every field on the way.
    per_gathered : int
        Multiply-adds for each point whose patches are gathered after a dense pass.
    per_patch : int
        Multiply-adds for each point without any dense pass.
    bytes_per_patch : int
        Memory of a patch in a batch.
    """

    obstacles: list[str]
    period: int
    terms: list[tuple[int, int]]
    widths: list[tuple[int, int]]
    per_gathered: int
    per_patch: int
    bytes_per_patch: int

    @property
    def is_dense(self) -> bool:
        """Tell whether the whole network is evaluated densely."""
        return not self.obstacles

    @property
    def is_partly_dense(self) -> bool:
        """Tell whether a dense pass saves any arithmetic."""
        return self.per_gathered < self.per_patch

    def multiply_adds(self, n_rows: int, n_cols: int) -> int:
        """Return those of a dense pass over a block."""
        return sum(n * (n_rows + more) * (n_cols + more) for n, more in self.terms)

    def n_bytes(self, n_rows: int, n_cols: int) -> int:
        """Return the memory of a dense pass over a block, besides its inputs."""
        largest = max(n * (n_rows + more) * (n_cols + more) for n, more in self.widths)
        return _COPIES * _FLOAT * largest

    def rounded(self, n: int) -> int:
        """Round a number of rows or columns up to a multiple of the period."""
        return -(-n // self.period) * self.period


@torch.inference_mode()
def plan_dense(network: Network, layout: Layout) -> DensePlan:
    """Send a block of zeros through a network to see how far, and at what cost."""
    period = _period(network, layout)
    densely = period <= _LONGEST_PERIOD
    if not densely:
        period = math.lcm(*layout.images.values())
    widths = set()

    def watch(fields: list[PatchField]) -> None:
        for part in fields:
            n_phases, channels, m_rows, _ = part.values.shape
            widths.add((channels, m_rows * math.isqrt(n_phases) - period))

    with MultiplyAdds() as counted:
        inputs = _zeros(network, layout, period)
        frontier = run_network(network, inputs, densely, watch)
    terms = []
    for (n_phases, channels, m_rows, _), n in counted.calls:
        terms.append((channels * n, m_rows * math.isqrt(n_phases) - period))
    point = torch.zeros(1, dtype=torch.int64, device=_device(network))
    with MultiplyAdds() as counted:
        frontier.finish(network, frontier.gather(point, point))
    obstacles = frontier.obstacles
    if not densely:
        obstacles = [f"patches coincide only every {period} of the finest pixels"]
    shapes = [shape for row in network.table for shape in row.shapes]
    return DensePlan(
        obstacles,
        period,
        terms,
        sorted(widths),
        counted.total,
        sum(row.multiply_adds for row in network.table),
        _COPIES * _FLOAT * max(math.prod(shape) for shape in shapes),
    )


def _period(network: Network, layout: Layout) -> int:
    """Return the rows and columns after which the phases of all fields repeat."""
    spacings = [
        layout.images.get(name, 1) * _stride(branch)
        for name, branch in network.input_branches()
    ]
    strides = [_stride(branch) for _, branch in network.output_branches()]
    return math.lcm(*spacings) * _stride(network.main) * math.lcm(*strides)


def _stride(branch: nn.Sequential) -> int:
    return math.prod(layer.stride for layer in branch if isinstance(layer, Operation))


def _device(network: Network) -> torch.device:
    weights = network.parameters()
    return next((weight.device for weight in weights), torch.device("cpu"))


def _zeros(network: Network, layout: Layout, n_points: int) -> list[PatchField]:
    fields, device = [], _device(network)
    for name in network.input_names:
        spacing, is_vector = layout.images.get(name, 1), name in layout.scalars
        side = 1 if is_vector else layout.patch_px(name)
        n = n_points + (side - 1) * spacing
        zeros = torch.zeros(1, 1, n, n, device=device)
        fields.append(PatchField.of(zeros, spacing, side, is_vector))
    return fields
