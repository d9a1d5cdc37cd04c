"""Digests of Python sources, which are parsed but never run: of the definitions that a class of a program depends on.

A closure begins at definitions of a module and includes what these refer to: in the module itself, and through imports,
at its top or in functions, in other modules, down to the definitions that are used there. A name that a package only
re-exports, as `from .dice import dice` in its `__init__` does, leads to the module that defines it. Statements with
side effects, which run when a module is imported, are included wherever the module is imported; what only type checkers
import is not. Where the names that are used cannot be seen, as after `import module`, the whole module is included.

Digests leave out docstrings, comments, layout and the order of imports. They hold neither paths nor what differs from
one version of Python to the next, so equal programs have equal digests on every machine.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import final

EVERYTHING = "*"
"""In place of a name: every definition of a module."""

TRANSPARENT_DECORATORS = frozenset(
    {"dataclass", "recipe", "final", "cache", "lru_cache", "contextmanager", "overload", "runtime_checkable"}
)
"""Decorators that return what they decorate, or a wrapper of it, and have no side effect; any other may register it."""

IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment"})
"""Fields of nodes of the syntax tree that do not change what a program does: left out of digests."""


@final
@dataclass(frozen=True)
class Tree:
    """A folder on Python's path. top: the one top-level module or package of it that is followed; None: all of it."""

    folder: Path
    top: str | None = None

    def find(self, name: str) -> Path | None:
        """The source of the module `name`: a file, or a folder without `__init__.py`; None if it is not in here."""
        parts = name.split(".")
        if not all(parts) or self.top not in (None, parts[0]):
            return None
        base = self.folder.joinpath(*parts)
        files = (base / "__init__.py", base.with_name(f"{base.name}.py"))
        return next((path for path in files if path.is_file()), base if base.is_dir() else None)


def closure(names: Mapping[str, Iterable[str]], trees: Sequence[Tree], main: "Source | None" = None) -> dict[str, str]:
    """By module, the digest of those of its definitions that `names`, by module as well, depend on, and are themselves.

    Only modules that lie in `trees` are followed. main: the module `__main__`, whose side effects are left out: they
    run the program.
    """
    included = _Closure(tuple(trees), main)
    for module, definitions in names.items():
        for name in definitions:
            included.include(module, name)
    return included.digests()


def imported_files(
    modules: Iterable[str], trees: Sequence[Tree], *, main: "Source | None" = None, besides: str = ""
) -> dict[str, Path]:
    """By module, the files in `trees` of `modules` and of all that they import, at their top or in functions.

    main: the module `__main__`, if it is among `modules`. besides: a top-level package that is not followed.
    """
    files: dict[str, Path] = {}
    pending, seen = list(modules), {""}
    while pending:
        name = pending.pop()
        if name in seen or name.partition(".")[0] == besides:
            continue
        seen.add(name)
        path = _find(name, tuple(trees))
        if name == "__main__" and main is not None:
            source, package = main, main.package
        elif path is None or path.is_dir():
            continue
        else:
            files[name], source = path, _read(path)
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        inner = (one for position in range(len(source.body)) for one in source.statement(position).imports)
        for one in chain(chain.from_iterable(source.imported.values()), inner):
            there = one.within(package)
            pending += [there.module, f"{there.module}.{there.name}"]
        pending += [name.rpartition(".")[0]]
    return files


def forget() -> None:
    """Read files anew from now on. Until then a process keeps to what it has read, as it does to what it imported."""
    _read.cache_clear()
    _find.cache_clear()


@final
@dataclass(frozen=True)
class _Import:
    """`import module` (name None), or `from module import name`; level counts the dots in front."""

    module: str
    name: str | None = None
    level: int = 0

    def within(self, package: str) -> "_Import":
        """The same without dots, as a module of `package` means it."""
        if not self.level:
            return self
        parts = package.split(".")
        base = parts[: len(parts) - self.level + 1]
        return _Import(".".join([*base, *([self.module] if self.module else [])]), self.name)


@final
@dataclass(frozen=True)
class _Statement:
    """One statement of a module. names: that it uses. imports: that are made in it, as in functions."""

    digest: str
    names: frozenset[str]
    imports: tuple[_Import, ...]


@final
class Source:
    """The statements of a module, without docstrings, `pass`, and what only type checkers see.

    contents: its text, or the pieces that it was typed in. interactive: a name means what it was given last, and a
    piece that is no Python was not run. package: that it belongs to, for its relative imports.
    """

    def __init__(self, *contents: bytes, interactive: bool = False, package: str = "") -> None:
        self.package = package
        self.interactive = interactive
        self.broken = b""
        self._statements: dict[int, _Statement] = {}
        body: list[ast.stmt] = []
        for content in contents:
            try:
                body += ast.parse(content).body
            except (SyntaxError, ValueError):  # whoever imports it is told so
                self.broken = b"" if interactive else content
        self.body = [node for node in _without_type_checking(body) if not _is_docstring_or_pass(node)]
        self.defined: dict[str, list[int]] = {}
        self.imported: dict[str, list[_Import]] = {}
        for position, node in enumerate(self.body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias, imported in zip(node.names, _imports_of(node), strict=True):
                    self.imported.setdefault(_imported_as(node, alias), []).append(imported)
                continue
            for name in dict.fromkeys(_names_defined(node)):
                self.defined[name] = [position] if interactive else [*self.defined.get(name, []), position]

    @cached_property
    def side_effects(self) -> tuple[int, ...]:
        """The positions of statements that do more than define names when the module is imported."""
        return tuple(position for position, node in enumerate(self.body) if _has_side_effects(node))

    def statement(self, position: int) -> _Statement:
        """The digest of one statement, and what it refers to."""
        if position not in self._statements:
            reader = _StatementReader()
            reader.read_body([self.body[position]])
            digest = _hash("".join(reader.text).encode(errors="surrogatepass"))
            self._statements[position] = _Statement(digest, frozenset(reader.names), tuple(reader.imports))
        return self._statements[position]


@final
class _Closure:
    """What a closure includes so far: by module, the positions of statements and the names of imports."""

    def __init__(self, trees: tuple[Tree, ...], main: Source | None) -> None:
        self.trees = trees
        self.main = main
        self.sources: dict[str, Source] = {}
        self._packages: dict[str, str] = {}
        self._included: dict[str, set[int]] = {}
        self._aliases: dict[str, set[str]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._pending: list[tuple[str, str]] = []

    def include(self, module: str, name: str) -> None:
        """Include the definition of `name` in `module`, or EVERYTHING, and all that it depends on."""
        self._pending.append((module, name))
        while self._pending:
            following = self._pending.pop()
            if following not in self._seen:
                self._seen.add(following)
                self._include_name(*following)

    def digests(self) -> dict[str, str]:
        """By module, the digest of all that is included of it; modules of which nothing is are left out."""
        digests = {}
        for module, source in sorted(self.sources.items()):
            lines = [source.statement(position).digest for position in sorted(self._included[module])]
            lines = sorted(lines) if source.interactive else lines  # cells may be run in any order
            lines += sorted(f"{name}={source.imported[name]}" for name in self._aliases[module])
            if lines or source.broken:
                digests[module] = _hash(source.broken + "\n".join(lines).encode())
        return digests

    def _include_name(self, module: str, name: str) -> None:
        source = self._source(module)
        if source is None:
            if name not in ("", EVERYTHING):
                self._pending.append((f"{module}.{name}", EVERYTHING))  # of a folder without __init__.py
            return
        if name == EVERYTHING:
            self._include_statements(module, range(len(source.body)))
            for alias in source.imported:
                self._follow_names(module, alias)
        elif name in source.defined or name in source.imported:
            self._include_statements(module, source.defined.get(name, ()))
            self._follow_names(module, name)
        elif name and _find(f"{module}.{name}", self.trees):
            self._pending.append((f"{module}.{name}", EVERYTHING))
        elif name:
            self._pending.append((module, EVERYTHING))

    def _source(self, module: str) -> Source | None:
        """The source of a module; when it is first seen, its side effects and those of its packages are included."""
        if module in self.sources:
            return self.sources[module]
        path = _find(module, self.trees)
        if module == "__main__" and self.main is not None:
            source, self._packages[module] = self.main, self.main.package
        elif path is None or path.is_dir():
            return None
        else:
            source = _read(path)
            self._packages[module] = module if path.name == "__init__.py" else module.rpartition(".")[0]
        self.sources[module] = source
        self._included[module], self._aliases[module] = set(), set()
        if source is not self.main:
            self._include_statements(module, source.side_effects)
            self._follow_names(module, EVERYTHING)
        if above := module.rpartition(".")[0]:
            self._pending.append((above, ""))
        return source

    def _include_statements(self, module: str, positions: Iterable[int]) -> None:
        source, included = self.sources[module], self._included[module]
        for position in positions:
            if position in included:
                continue
            included.add(position)
            statement = source.statement(position)
            known = (name for name in statement.names if name in source.defined or name in source.imported)
            self._pending += [(module, name) for name in known]
            for imported in statement.imports:
                self._follow_import(module, imported)

    def _follow_names(self, module: str, alias: str) -> None:
        """Include what the module imports as `alias`."""
        for imported in self.sources[module].imported.get(alias, ()):
            self._aliases[module].add(alias)
            if imported.within(self._packages[module]) == _Import(module, alias):  # a package's own submodule
                self._pending.append((f"{module}.{alias}", EVERYTHING))
            else:
                self._follow_import(module, imported)

    def _follow_import(self, module: str, imported: _Import) -> None:
        """Include what an import in `module` names in the module that it is from."""
        there = imported.within(self._packages[module])
        self._pending.append((there.module, EVERYTHING if there.name is None else there.name))


@cache
def _find(name: str, trees: tuple[Tree, ...]) -> Path | None:
    return next((path for tree in trees if (path := tree.find(name))), None)


@cache
def _read(path: Path) -> Source:
    return Source(path.read_bytes())


def _imports_of(node: ast.Import | ast.ImportFrom) -> list[_Import]:
    if isinstance(node, ast.Import):
        return [_Import(alias.name) for alias in node.names]
    return [_Import(node.module or "", alias.name, node.level) for alias in node.names]


def _imported_as(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    if alias.asname:
        return alias.asname
    return alias.name if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]


def _names_defined(node: ast.AST) -> Iterator[str]:
    """The names that a statement gives to its module; those inside of functions and classes are their own."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (_imported_as(node, alias) for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _names_defined(child)


def _has_side_effects(node: ast.stmt) -> bool:
    """Whether a statement at the top of a module does more than give names to values when it is imported."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        decorators = (of.func if isinstance(of, ast.Call) else of for of in node.decorator_list)
        return any(_last_name(decorator) not in TRANSPARENT_DECORATORS for decorator in decorators)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(part, ast.Attribute | ast.Subscript) for target in targets for part in ast.walk(target))
    if isinstance(node, ast.If) and any(isinstance(of, ast.Name) and of.id == "__name__" for of in ast.walk(node.test)):
        return False
    inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt | ast.ExceptHandler)]
    if not inner:
        return not _is_docstring_or_pass(node)
    return any(_has_side_effects(child) for child in inner if isinstance(child, ast.stmt))


def _is_docstring_or_pass(node: ast.AST) -> bool:
    """Whether a statement is a string or `...` by itself, wherever it stands, or `pass`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str) or node.value.value is ...
    return isinstance(node, ast.Pass)


def _without_type_checking(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements without what only type checkers see; of `if TYPE_CHECKING`, what stands under `else` is run."""
    for node in body:
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            yield from _without_type_checking(node.orelse)
        else:
            yield node


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@final
class _StatementReader:
    """Writes statements down as text to be hashed, and gathers the names that they use and what they import."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.names: set[str] = set()
        self.imports: list[_Import] = []

    def read_body(self, body: Sequence[ast.stmt]) -> None:
        """Statements without docstrings and `pass`; imports that stand together in the order of their names."""
        together: set[str] = set()
        for node in _without_type_checking(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports = _imports_of(node)
                self.imports += imports
                together.update(f"{of} as {alias.asname}" for of, alias in zip(imports, node.names, strict=True))
                continue
            if together:
                self.text.append(f"{sorted(together)}")
                together.clear()
            if not _is_docstring_or_pass(node):
                self.read_node(node)
        self.text += [f"{sorted(together)}"] * bool(together)

    def read_node(self, node: ast.AST) -> None:
        """A node by its kind and its fields, without empty ones: later versions of Python have more of them."""
        self.text.append(f"({type(node).__name__}")
        if isinstance(node, ast.Name):
            self.names.add(node.id)
        elif isinstance(node, ast.Call) and _last_name(node.func) == "import_module" and len(node.args) == 1:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                self.imports.append(_Import(argument.value))
        elif isinstance(node, ast.Constant):
            self.text.append(f" {node.value!r})")
            return
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or name in IGNORED_FIELDS:
                continue
            is_list = isinstance(value, list)
            values = value if is_list else [value]
            if values:
                self.text.append(f" {name}{':' if is_list else '='}")
            if is_list and values and isinstance(values[0], ast.stmt):
                self.read_body(values)
                continue
            for part in values:
                if isinstance(part, ast.AST):
                    self.read_node(part)
                else:
                    self.text.append(f" {part!r}")
        self.text.append(")")
