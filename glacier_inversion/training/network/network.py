"""The network that an experiment describes."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, cast

import torch
from torch import Tensor, nn

from glacier_inversion.errors import ExperimentError, first_line
from glacier_inversion.experiment import operation, sections
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.counting import probe
from glacier_inversion.training.network.losses import (
    predicts_logit,
    predicts_variance,
)
from glacier_inversion.training.network.operation import (
    Ending,
    Operation,
    Shape,
    ShapeError,
    check_size,
)


@dataclass(frozen=True)
class Row:
    """
    One line of the table of a network: an operation and what comes out of it.

    Attributes
    ----------
    name : str
    shapes : tuple of Shape
        Of one sample.
    parameters : int
    multiply_adds : int
        For one sample.
    """

    name: str
    shapes: tuple[Shape, ...]
    parameters: int
    multiply_adds: int

    def __str__(self) -> str:
        """Write the line."""
        shapes = ", ".join(" x ".join(map(str, shape)) for shape in self.shapes)
        return f"  {self.name:<44} {shapes:<32} {self.parameters:>9,}"


class Network(nn.Module):
    """
    Branches for the inputs, a common part, and branches towards the outputs.

    Forward takes the inputs by name, images of shape (n, 1, side, side) and scalars of
    shape (n, 1), and returns the outputs by name, of shape (n, 1), in normalised units.
    An output with the loss gaussian_nll, or nan_gaussian_nll, has shape (n, 2): its
    mean, with the last activation, and the logarithm of its variance, without. One with
    a crossentropy is the logit of its probability.

    Parameters
    ----------
    experiment : Experiment

    Attributes
    ----------
    table : list of Row
        The operations with the shapes of what comes out of them.
    n_units : dict of int
        How many numbers there are of each output, 1 or 2.

    Raises
    ------
    ExperimentError
        An operation does not fit, which a table of those before it shows.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        description = experiment.model_description
        self.table: list[Row] = []
        architecture = importlib.import_module(
            f"glacier_inversion.training.architectures.{experiment.model_architecture}"
        )
        self._conventions: Conventions = architecture.CONVENTIONS
        self.inputs, self.outputs = nn.ModuleDict(), nn.ModuleDict()
        self.input_names = [variable.name for variable in experiment.inputs]
        self.output_names = [variable.name for variable in experiment.outputs]
        shapes: list[Shape] = []
        for i, variable in enumerate(experiment.inputs):
            side = round(experiment.area_size / variable.resolution)
            shape: Shape = (1,) if variable.scalar else (1, side, side)
            self.table.append(Row(f"inputs.{variable.name}", (shape,), 0, 0))
            branch = description.inputs.get(variable.name)
            path = f"inputs.{variable.name}"
            self.inputs[str(i)], after = self._branch(branch, path, [shape])
            shapes += after
        self.main, shapes = self._branch(description.main, "main", shapes)
        self.n_units: dict[str, int] = {}
        self._endings: dict[str, Ending] = {}
        for i, variable in enumerate(experiment.outputs):
            path = f"outputs.{variable.name}"
            branch = description.outputs[variable.name]
            layers, after = self._branch(branch, path, shapes)
            self.outputs[str(i)] = layers
            n_units = (
                2 if predicts_variance(experiment.losses_name[variable.name]) else 1
            )
            self.n_units[variable.name] = n_units
            self._check_last(path, after, n_units)
            if n_units == 2:
                self._ending(path, layers, after).linear_from = 1
            alone = len(experiment.outputs) == 1
            own = self.main if alone and not len(layers) else layers
            if predicts_logit(experiment.losses_name[variable.name]):
                self._ending(path, own, after).linear_from = 0
            if experiment.start == "mean":
                self._endings[variable.name] = self._ending(path, own, after)
        self.start_at(dict.fromkeys(self._endings, 0.0))
        self._apply_channels_last()

    def _branch(
        self,
        branch: sections.Branch | None,
        path: str,
        shapes: Sequence[Shape],
    ) -> tuple[nn.Sequential, list[Shape]]:
        layers = nn.Sequential()
        for i, given in enumerate(branch.operations if branch else []):
            name = f"{path}[{i}] {given.name}"
            try:
                layer = self._build(given, shapes)
                n_parameters = sum(p.numel() for p in layer.parameters())
                shapes_after, multiply_adds = probe(layer, shapes)
                check_size(
                    n_parameters + sum(row.parameters for row in self.table),
                    multiply_adds + sum(row.multiply_adds for row in self.table),
                    sum(math.prod(shape) for shape in shapes_after),
                )
            except ShapeError as error:
                self._refuse(name, str(error), shapes)
            except RuntimeError as error:  # torch's word for no memory
                self._refuse(name, f"cannot be built: {first_line(error)}", shapes)
            shapes = shapes_after
            self.table.append(Row(name, tuple(shapes), n_parameters, multiply_adds))
            layers.append(layer)
        return layers, list(shapes)

    def _build(self, given: operation.Operation, shapes: Sequence[Shape]) -> Operation:
        """Build the operation that is found by name."""
        module = importlib.import_module(
            f"glacier_inversion.training.network.operations.{given.module_name()}"
        )
        layer: Operation = module.build(given, shapes, self._conventions)
        return layer

    def _refuse(self, name: str, problem: str, shapes: Sequence[Shape]) -> NoReturn:
        given = ", ".join(" x ".join(map(str, shape)) for shape in shapes)
        table = "\n".join(str(row) for row in self.table)
        message = (
            f"model_description.{name} {problem}. Given: {given}. Up to there:\n{table}"
        )
        raise ExperimentError(message)

    def _check_last(self, path: str, shapes: Sequence[Shape], units: int) -> None:
        if list(shapes) != [(units,)]:
            problem = (
                f"must end in a vector of {units}: end it with denses [..., {units}]"
            )
            self._refuse(path, problem, shapes)

    def _ending(
        self, path: str, branch: nn.Sequential, shapes: Sequence[Shape]
    ) -> Ending:
        last = branch[-1] if len(branch) else None
        if not isinstance(last, Ending):
            self._refuse(path, "must end in denses of its own: add them", shapes)
        return last

    def _apply_channels_last(self) -> None:
        """Lay kernels out as the fast convolutions of CPUs and GPUs want them."""
        for kernel in self.kernels():
            kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)

    def start_at(self, starts: Mapping[str, float]) -> None:
        """Add these to the outputs, by name, before the last activation."""
        for name in starts.keys() & self._endings.keys():
            self._endings[name].start = torch.tensor(starts[name])

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predict every output."""
        values: list[Tensor] = []
        for name, branch in self.input_branches():
            values += branch([batch[name]])
        values = self.main(values)
        return {name: branch(values)[0] for name, branch in self.output_branches()}

    def input_branches(self) -> list[tuple[str, nn.Sequential]]:
        """Return the names of the inputs, each with its operations."""
        return list(zip(self.input_names, self._sequentials(self.inputs), strict=True))

    def output_branches(self) -> list[tuple[str, nn.Sequential]]:
        """Return the names of the outputs, each with its operations."""
        return list(
            zip(self.output_names, self._sequentials(self.outputs), strict=True)
        )

    @staticmethod
    def _sequentials(branches: nn.ModuleDict) -> list[nn.Sequential]:
        return cast(list[nn.Sequential], list(branches.values()))

    def kernels(self) -> list[Tensor]:
        """Return the kernels of the convolutions, which weight decay is for."""
        return [m.weight for m in self.modules() if isinstance(m, nn.Conv2d)]

    def n_parameters(self) -> int:
        """Count the parameters."""
        return sum(parameter.numel() for parameter in self.parameters())
