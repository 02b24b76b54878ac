"""Folders that hold a module for each kind of a section: their classes, by name."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any


def find_classes(folder: str) -> dict[str, Any]:
    """
    Find the classes in a folder, sorted by the names of their modules.

    half_width.py holds the class HalfWidth.

    >>> list(find_classes("operations"))[:4]
    ['addition', 'attention', 'concatenation', 'convolution_1']
    """
    package = importlib.import_module(f"glacier_inversion.experiment.{folder}")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    found = {}
    for name in names:
        module = importlib.import_module(f"{package.__name__}.{name}")
        class_name = "".join(part.capitalize() for part in name.split("_"))
        found[name] = getattr(module, class_name)
    return found
