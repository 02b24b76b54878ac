"""The modules of the package, and what each imports."""

import ast
from pathlib import Path

from tests.helpers import ROOT

PACKAGE = ROOT / "glacier_inversion"


def modules() -> dict[str, Path]:
    """Return the modules of the package, by their dotted names."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts).removesuffix(".__init__")] = path
    return names


MODULES = modules()


def imports(module: str, at_once: bool = False) -> set[str]:
    """
    Return what a module imports, of the package's modules and of other packages.

    The package's own `__init__` imports nothing: its names are loaded when they are
    first used.
    """
    if module == PACKAGE.name:
        return set()
    found = set()
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    nodes = tree.body if at_once else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            own = inner & MODULES.keys()
            found |= own | ({node.module} if own != inner else set())
    return found
