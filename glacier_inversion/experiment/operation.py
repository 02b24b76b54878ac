"""What the parameters of every operation are, and where those of each are found."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

from glacier_inversion.experiment.named_modules import find_classes
from glacier_inversion.experiment.values import Section


class Operation(Section):
    """
    The parameters of an operation.

    One that an output may end in calls the activation of its last layer
    `last_activation`.

    Attributes
    ----------
    spellings : mapping of str
        Other names that it has, each with the architecture that has it.
    """

    spellings: ClassVar[Mapping[str, str]] = {}

    name: str  # each operation says which

    @classmethod
    def module_name(cls) -> str:
        """Return its own name, which is that of its modules."""
        return cls.__module__.rpartition(".")[2]


@functools.cache
def find_operations() -> Mapping[str, type[Operation]]:
    """
    Find the operations in the folder of their parameters.

    Returns
    -------
    operations : mapping of type
        By each name that they have in experiments, sorted by their own.
    """
    found: dict[str, type[Operation]] = {}
    for name, operation in find_classes("operations").items():
        found |= dict.fromkeys([name, *operation.spellings], operation)
    return found
