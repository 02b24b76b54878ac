"""Samples that a network is evaluated on together: patches, or places in crops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, vmap
from torch.func import functional_call

from glacier_inversion.training.network.dense import run_network
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.network import Network


class Batch(ABC):
    """
    Samples that are evaluated together.

    Attributes
    ----------
    targets : float32 tensor, shape (n, n_outputs)
        In the targets' own units, NaN where unknown.
    """

    targets: Tensor

    @abstractmethod
    def predict(self, network: Network) -> dict[str, Tensor]:
        """Return the outputs, shape (n, units), in normalised units."""

    @abstractmethod
    def first(self, n: int) -> Batch:
        """Return a batch of the first samples."""

    @abstractmethod
    def joined(self, other: Batch) -> Batch:
        """Return a batch of these samples and, behind them, those of another."""


@dataclass(frozen=True)
class Patches(Batch):
    """A patch of every input for each sample."""

    inputs: dict[str, Tensor]
    targets: Tensor

    def predict(self, network: Network) -> dict[str, Tensor]:
        """Evaluate the patches."""
        return network(self.inputs)  # type: ignore[no-any-return]

    def first(self, n: int) -> Patches:
        """Return the first patches."""
        inputs = {name: values[:n] for name, values in self.inputs.items()}
        return Patches(inputs, self.targets[:n])

    def joined(self, other: Batch) -> Patches:
        """Put the patches of another behind these."""
        assert isinstance(other, Patches)
        inputs = {n: torch.cat([v, other.inputs[n]]) for n, v in self.inputs.items()}
        return Patches(inputs, torch.cat([self.targets, other.targets]))


@dataclass(frozen=True)
class Crops(Batch):
    """Crops of every input, and the samples' rows, columns and crops."""

    inputs: list[PatchField]
    row: Tensor
    col: Tensor
    crop: Tensor
    targets: Tensor

    def predict(self, network: Network) -> dict[str, Tensor]:
        """Evaluate all points of the crops in one pass, and pick the samples'."""
        frontier = run_network(network, self.inputs, densely=True)
        gathered = frontier.gather(self.row, self.col, self.crop)
        return frontier.finish(network, gathered)

    def first(self, n: int) -> Crops:
        """Return the first samples; all crops stay."""
        part = self.row[:n], self.col[:n], self.crop[:n], self.targets[:n]
        return Crops(self.inputs, *part)

    def joined(self, other: Batch) -> Crops:
        """Put the crops of another behind these."""
        assert isinstance(other, Crops)
        pairs = zip(self.inputs, other.inputs, strict=True)
        own = self.inputs[0]
        n_crops = len(own.values) // own.spacing**2
        return Crops(
            [replace(a, values=torch.cat([a.values, b.values])) for a, b in pairs],
            torch.cat([self.row, other.row]),
            torch.cat([self.col, other.col]),
            torch.cat([self.crop, other.crop + n_crops]),
            torch.cat([self.targets, other.targets]),
        )


def predict_stacked(
    networks: Sequence[Network], batches: Sequence[Batch]
) -> list[dict[str, Tensor]]:
    """
    Return what each of several networks, alike but for their weights, makes of its own.

    Patches are evaluated with stacked weights, every operation once for all networks,
    if there are as many for each; the same numbers as one by one within rounding.
    """
    inputs = [batch.inputs for batch in batches if isinstance(batch, Patches)]
    alike = len(inputs) == len(batches) > 1
    if not alike or len({len(batch.targets) for batch in batches}) > 1:
        pairs = zip(networks, batches, strict=True)
        return [batch.predict(network) for network, batch in pairs]
    weights = [
        {**dict(network.named_parameters()), **dict(network.named_buffers())}
        for network in networks
    ]
    stacked = {name: torch.stack([of[name] for of in weights]) for name in weights[0]}
    images = {name: torch.stack([of[name] for of in inputs]) for name in inputs[0]}

    def predict(own: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = functional_call(networks[0], own, (batch,))
        return outputs

    outputs = vmap(predict)(stacked, images)
    return [
        {name: values[i] for name, values in outputs.items()}
        for i in range(len(networks))
    ]
