"""Where the package joins paths, and what it joins to them, found in its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

# Methods and attributes of a path that give paths, and those that give many.
_GIVE_PATHS = {
    *("parent", "resolve", "absolute", "expanduser", "cwd", "home"),
    *("joinpath", "with_name", "with_stem", "with_suffix", "relative_to"),
}
_GIVE_MANY = {"iterdir", "glob", "rglob", "parents"}
_MAKE = {"Path", "PurePath", "ArchivedFile"}
_JOIN = {"joinpath", "with_name", "with_stem", "with_suffix"}
# What a path itself is called.
_OWN = {"name", "stem", "suffix"}


def find_joins(trees: dict[str, ast.AST]) -> Iterator[tuple[str, ast.AST, ast.expr]]:
    """
    Yield what is joined to paths: the module, the joining expression, what is joined.

    Paths are what is annotated as `Path`, or is made of that: every function and class
    of the package is annotated, which mypy sees to. Names count as paths in the whole
    module where they are paths anywhere in it.
    """
    members = _Types(trees)
    for module, tree in trees.items():
        paths = members.paths_of(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                if paths.is_path(node.left) or _is_text(node.right):
                    yield module, node, node.right
            elif isinstance(node, ast.Call):
                name = _last_word(node.func)
                if name in _JOIN | _MAKE or _is_os_join(node.func):
                    for argument in node.args:
                        yield module, node, argument


def is_constant(joined: ast.expr, constants: set[str]) -> bool:
    """
    Tell whether what is joined to a path is no name that a user gave.

    It is a text, a name in capitals, one of *constants*, part of the name of a path, or
    a text that is put together of these.
    """
    if isinstance(joined, ast.Constant):
        return True
    if isinstance(joined, ast.JoinedStr):
        return all(is_constant(part, constants) for part in joined.values)
    if isinstance(joined, ast.FormattedValue):
        return is_constant(joined.value, constants)
    if isinstance(joined, ast.Starred):
        return is_constant(joined.value, constants)
    if isinstance(joined, ast.Attribute):
        return joined.attr in _OWN or joined.attr.isupper()
    if isinstance(joined, ast.Name):
        return joined.id.isupper() or joined.id in {"__file__", *constants}
    return False


def loops_over_constants(tree: ast.AST) -> set[str]:
    """Return the names that take only constants, in loops over those, in a module."""
    taken: dict[str, list[bool]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension) and isinstance(
            node.target, ast.Name
        ):
            over = node.iter
            parts = over.elts if isinstance(over, ast.Tuple | ast.List) else [over]
            known = all(is_constant(part, set()) for part in parts)
            taken.setdefault(node.target.id, []).append(known)
    return {name for name, known in taken.items() if all(known)}


def _last_word(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2] if not _is_text(node) else ""


def _is_text(node: ast.expr) -> bool:
    is_constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_constant or isinstance(node, ast.JoinedStr)


def _is_os_join(node: ast.expr) -> bool:
    return ast.unparse(node) in ("os.path.join", "path.join")


def _names_path(annotation: ast.expr | None) -> bool:
    """Tell whether an annotation is `Path`, or one of several that are."""
    if annotation is None:
        return False
    if isinstance(annotation, ast.BinOp):
        return _names_path(annotation.left) or _names_path(annotation.right)
    return ast.unparse(annotation) in ("Path", "pathlib.Path", "PurePath")


def _holds_paths(annotation: ast.expr | None) -> bool:
    """Tell whether an annotation is a list, mapping or other holder of paths."""
    if not isinstance(annotation, ast.Subscript):
        return False
    return any(
        isinstance(node, ast.Name) and node.id == "Path"
        for node in ast.walk(annotation.slice)
    )


class _Types:
    """What is a path, and what holds paths, in the package and in a module."""

    def __init__(self, trees: dict[str, ast.AST]) -> None:
        self.names: set[str] = set()
        self.members: set[str] = set(_GIVE_PATHS | _MAKE)
        self.holders: set[str] = set(_GIVE_MANY)
        for tree in trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self._note(node.name, node.returns)
                elif isinstance(node, ast.ClassDef):
                    for inner in node.body:
                        if isinstance(inner, ast.AnnAssign):
                            self._note(ast.unparse(inner.target), inner.annotation)

    def _note(self, name: str, annotation: ast.expr | None) -> None:
        if _names_path(annotation):
            self.members.add(name)
        elif _holds_paths(annotation):
            self.holders.add(name)

    def paths_of(self, tree: ast.AST) -> "_Types":
        """Return the same with the names of a module."""
        own = _Types({})
        own.members, own.holders = self.members, set(self.holders)
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                own._note_name(node.arg, node.annotation)
            elif isinstance(node, ast.AnnAssign):
                own._note_name(ast.unparse(node.target), node.annotation)
        n_known = -1
        while n_known != len(own.names):  # what is made of what is made of a path
            n_known = len(own.names)
            for node in ast.walk(tree):
                own._follow(node)
        return own

    def _note_name(self, name: str, annotation: ast.expr | None) -> None:
        if _names_path(annotation):
            self.names.add(name)
        elif _holds_paths(annotation):
            self.holders.add(name)

    def _follow(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values = [node.value]
            if isinstance(node.value, ast.Tuple):
                targets = [e for t in targets for e in getattr(t, "elts", [])]
                values = node.value.elts
            for target, value in zip(targets, values, strict=False):
                if self.is_path(value):
                    self.names.add(ast.unparse(target))
        elif isinstance(node, ast.For | ast.comprehension) and self._is_many(node.iter):
            self.names |= {n.id for n in ast.walk(node.target) if hasattr(n, "id")}

    def _is_many(self, node: ast.expr) -> bool:
        return any(
            (isinstance(part, ast.Name) and part.id in self.holders)
            or (isinstance(part, ast.Attribute) and part.attr in self.holders)
            for part in ast.walk(node)
        )

    def is_path(self, node: ast.expr) -> bool:
        """Tell whether an expression is a path."""
        if isinstance(node, ast.Name):
            return node.id in self.names
        if isinstance(node, ast.Attribute):
            return node.attr in self.members or ast.unparse(node) in self.names
        if isinstance(node, ast.Call):
            return _last_word(node.func) in self.members
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self.is_path(node.left)
        return False


def parse(files: dict[str, Path]) -> dict[str, ast.AST]:
    """Parse modules, given by their names."""
    return {m: ast.parse(p.read_text(encoding="utf-8")) for m, p in files.items()}
