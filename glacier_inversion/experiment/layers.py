"""Where the operations of a raw experiment stand, what they end in, their number."""

from __future__ import annotations

from collections.abc import Iterator

from glacier_inversion.experiment.operation import find_operations
from glacier_inversion.experiment.raw import RawExperiment
from glacier_inversion.json_files import Problem

# To build as many and try them on a patch takes 10 s. The deepest networks for images
# have as many; those of this kind have 5 to 50.
_MOST_LAYERS = 1000


def operation_lists(view: RawExperiment) -> Iterator[tuple[str, ...]]:
    """Yield the keys that lead to each list of operations."""
    prefixes: list[tuple[str, ...]] = [("main",), ("main", "main")]
    for section in ("inputs", "outputs"):
        prefixes += [(section, n) for n in view.section("model_description", section)]
    for prefix in prefixes:
        yield "model_description", *prefix, "operations"


def find_last_activation(view: RawExperiment, output: str) -> tuple[str, str | None]:
    """
    Return the path to the last operation towards an output, and its activation.

    None where it has none, or the file does not say.
    """
    branches = (("outputs", output), ("main",), ("main", "main"))
    keys = [("model_description", *branch, "operations") for branch in branches]
    path, operation = next(
        (view.items(*k)[-1] for k in keys if view.items(*k)), ("", {})
    )
    kind = find_operations().get(operation.get("name", ""))
    if kind is None or "last_activation" not in kind.model_fields:
        return path, None
    default = kind.model_fields["last_activation"].default
    activation = operation.get("last_activation", default)
    return path, activation if isinstance(activation, str) else None


def find_too_many_layers(view: RawExperiment) -> Iterator[Problem]:
    """
    Yield a problem if the network has more layers than can be tried in some seconds.

    An operation is one layer, or as many as it has filters. Entries of variables that
    the experiment does not have make none.
    """
    used = {*view.names("inputs"), *view.names("outputs")}
    n_layers = 0
    for keys in operation_lists(view):
        if keys[1] != "main" and keys[2] not in used:
            continue
        for _, item in view.items(*keys):
            filters = item.get("filters")
            n_layers += len(filters) if isinstance(filters, list) else 1
    if n_layers > _MOST_LAYERS:
        yield (
            "model_description",
            f"has {n_layers:,} layers. Must have at most {_MOST_LAYERS:,}, those of "
            "all operations and their filters together. Use fewer",
        )
