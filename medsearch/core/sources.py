"""Python sources, read but never run: which definitions a piece of a program stands on, and a digest of what they say.

A closure begins at definitions of a module and takes in what these refer to: in the module itself, and through imports,
at its top or in functions, in other modules, down to the definitions that are used there. A name that a package only
passes on, as `from .dice import dice` in its `__init__` does, leads to the module that defines it. What a module does
when it is imported, beside defining names, counts wherever it is imported; what only type checkers import does not.
Where the names that are used cannot be seen, as after `import module`, the whole module counts.

Digests leave out docstrings, comments, layout and the order of imports. They hold neither paths nor what differs from
one version of Python to the next, so equal programs have equal digests on every machine.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import final

EVERYTHING = "*"
"""In place of a name: all that a module defines."""

PURE = frozenset(
    {"dataclass", "recipe", "final", "cache", "lru_cache", "contextmanager", "overload", "runtime_checkable"}
)
"""Decorators that hand on what they decorate and do nothing else; any other may put it into a registry."""

UNSAID = frozenset({"ctx", "kind", "type_comment"})
"""Fields of the syntax tree that do not change what a program does."""


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
    """By module, the digest of those of its definitions that are reached from `names`, by module as well.

    Only modules that lie in `trees` are followed. main: the module `__main__`, whose own doings do not count: they
    run the program.
    """
    found = _Closure(tuple(trees), main)
    for module, asked in names.items():
        for name in asked:
            found.ask(module, name)
    return found.digests()


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
class Source:
    """The statements of a module, as far as they do anything.

    contents: its text, or the pieces that it was typed in. interactive: a name means what it was given last, and a
    piece that is no Python was not run. package: that it belongs to, for its relative imports.
    """

    def __init__(self, *contents: bytes, interactive: bool = False, package: str = "") -> None:
        self.package = package
        self.interactive = interactive
        self.broken = b""
        self._said: dict[int, tuple[str, frozenset[str], tuple[_Import, ...]]] = {}
        body: list[ast.stmt] = []
        for content in contents:
            try:
                body += ast.parse(content).body
            except (SyntaxError, ValueError):  # whoever imports it is told so
                self.broken = b"" if interactive else content
        self.body = [node for node in _executed(body) if not _says_nothing(node)]
        self.defined: dict[str, list[int]] = {}
        self.imported: dict[str, list[_Import]] = {}
        for place, node in enumerate(self.body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias, one in zip(node.names, _imports_of(node), strict=True):
                    self.imported.setdefault(_bound_by(node, alias), []).append(one)
                continue
            for name in dict.fromkeys(_bound(node)):
                self.defined[name] = [place] if interactive else [*self.defined.get(name, []), place]

    @cached_property
    def doings(self) -> tuple[int, ...]:
        """The places of statements that do something beside defining names."""
        return tuple(place for place, node in enumerate(self.body) if _does(node))

    def say(self, place: int) -> tuple[str, frozenset[str], tuple[_Import, ...]]:
        """Of one statement: its digest, the names that it uses, and what is imported in it."""
        if place not in self._said:
            saying = _Saying()
            saying.body([self.body[place]])
            digest = _hash("".join(saying.words).encode(errors="surrogatepass"))
            self._said[place] = digest, frozenset(saying.used), tuple(saying.imports)
        return self._said[place]


@final
class _Closure:
    """What has been reached so far: by module, the places of statements and the names of imports."""

    def __init__(self, trees: tuple[Tree, ...], main: Source | None) -> None:
        self.trees = trees
        self.main = main
        self.sources: dict[str, Source] = {}
        self._packages: dict[str, str] = {}
        self._places: dict[str, set[int]] = {}
        self._aliases: dict[str, set[str]] = {}
        self._asked: set[tuple[str, str]] = set()
        self._open: list[tuple[str, str]] = []

    def ask(self, module: str, name: str) -> None:
        """Take in the definition of `name` in `module`, or EVERYTHING, and all that it stands on."""
        self._open.append((module, name))
        while self._open:
            asked = self._open.pop()
            if asked not in self._asked:
                self._asked.add(asked)
                self._take(*asked)

    def digests(self) -> dict[str, str]:
        """By module, of all that was reached in it; modules in which nothing was are left out."""
        return {name: said for name in sorted(self.sources) if (said := self._digest(name))}

    def _digest(self, module: str) -> str:
        source = self.sources[module]
        said = [source.say(place)[0] for place in sorted(self._places[module])]
        said = sorted(said) if source.interactive else said  # cells may be run in any order
        said += sorted(f"{name}={source.imported[name]}" for name in self._aliases[module])
        return _hash(source.broken + "\n".join(said).encode()) if said or source.broken else ""

    def _take(self, module: str, name: str) -> None:
        source = self._source(module)
        if source is None:
            if name not in ("", EVERYTHING):
                self._open.append((f"{module}.{name}", EVERYTHING))  # of a folder without __init__.py
            return
        if name == EVERYTHING:
            self._reach(module, range(len(source.body)))
            for alias in source.imported:
                self._follow(module, alias)
        elif name in source.defined or name in source.imported:
            self._reach(module, source.defined.get(name, ()))
            self._follow(module, name)
        elif name and _find(f"{module}.{name}", self.trees):
            self._open.append((f"{module}.{name}", EVERYTHING))
        elif name:
            self._open.append((module, EVERYTHING))

    def _source(self, module: str) -> Source | None:
        """The source of a module; when it is first seen, also what it and the packages above it do when imported."""
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
        self._places[module], self._aliases[module] = set(), set()
        if source is not self.main:
            self._reach(module, source.doings)
            self._follow(module, EVERYTHING)
        if above := module.rpartition(".")[0]:
            self._open.append((above, ""))
        return source

    def _reach(self, module: str, places: Iterable[int]) -> None:
        source, reached = self.sources[module], self._places[module]
        for place in places:
            if place in reached:
                continue
            reached.add(place)
            _, used, imports = source.say(place)
            self._open += [(module, name) for name in used if name in source.defined or name in source.imported]
            for one in imports:
                self._lead(module, one)

    def _follow(self, module: str, alias: str) -> None:
        """What a name leads to that the module imports."""
        for one in self.sources[module].imported.get(alias, ()):
            self._aliases[module].add(alias)
            if one.within(self._packages[module]) == _Import(module, alias):  # a package's own submodule
                self._open.append((f"{module}.{alias}", EVERYTHING))
            else:
                self._lead(module, one)

    def _lead(self, module: str, one: _Import) -> None:
        there = one.within(self._packages[module])
        self._open.append((there.module, EVERYTHING if there.name is None else there.name))


@cache
def _find(name: str, trees: tuple[Tree, ...]) -> Path | None:
    return next((path for tree in trees if (path := tree.find(name))), None)


@cache
def _read(path: Path) -> Source:
    return Source(path.read_bytes())


def _imported_by_name(node: ast.Call) -> Iterator[_Import]:
    """What `import_module` is asked for by a name that is written out."""
    of = node.args[0] if _last_name(node.func) == "import_module" and len(node.args) == 1 else None
    if isinstance(of, ast.Constant) and isinstance(of.value, str):
        yield _Import(of.value)


def _imports_of(node: ast.Import | ast.ImportFrom) -> list[_Import]:
    if isinstance(node, ast.Import):
        return [_Import(alias.name) for alias in node.names]
    return [_Import(node.module or "", alias.name, node.level) for alias in node.names]


def _bound_by(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    if alias.asname:
        return alias.asname
    return alias.name if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement gives to its module; those inside of functions and classes are their own."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (_bound_by(node, alias) for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _bound(child)


def _does(node: ast.stmt) -> bool:
    """Whether a statement of a module does more than give names to values."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        called = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
        return any(_last_name(one) not in PURE for one in called)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(one, ast.Attribute | ast.Subscript) for target in targets for one in ast.walk(target))
    if isinstance(node, ast.If) and "__name__" in {one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)}:
        return False
    inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt | ast.ExceptHandler)]
    if not inner:
        return not _says_nothing(node)
    return any(_does(child) for child in inner if isinstance(child, ast.stmt))


def _says_nothing(node: ast.AST) -> bool:
    """Docstrings, wherever they stand, and `pass`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str) or node.value.value is ...
    return isinstance(node, ast.Pass)


def _executed(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements without what only type checkers see; of `if TYPE_CHECKING`, what stands under `else` is run."""
    for node in body:
        if _is_for_checkers(node):
            yield from _executed(node.orelse)  # type: ignore[attr-defined]
        else:
            yield node


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING"


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@final
class _Saying:
    """What statements say, in words that hash; the names that they use, and what is imported in them."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.used: set[str] = set()
        self.imports: list[_Import] = []

    def body(self, body: Sequence[ast.stmt]) -> None:
        """Statements that do something; imports that stand together in the order of their names."""
        together: set[str] = set()
        for node in _executed(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = _imports_of(node)
                self.imports += found
                together.update(f"{one} as {alias.asname}" for one, alias in zip(found, node.names, strict=True))
                continue
            if together:
                self.words.append(f"{sorted(together)}")
                together.clear()
            if not _says_nothing(node):
                self.node(node)
        self.words += [f"{sorted(together)}"] * bool(together)

    def node(self, node: ast.AST) -> None:
        """A node by its kind and its fields. What is empty is not said: later versions of Python have more fields."""
        self.words.append(f"({type(node).__name__}")
        if isinstance(node, ast.Name):
            self.used.add(node.id)
        elif isinstance(node, ast.Call):
            self.imports += _imported_by_name(node)
        elif isinstance(node, ast.Constant):
            self.words.append(f" {node.value!r})")
            return
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or name in UNSAID:
                continue
            if isinstance(value, list):
                self._all(name, value)
                continue
            self.words.append(f" {name}=")
            self._one(value)
        self.words.append(")")

    def _all(self, name: str, values: Sequence[object]) -> None:
        if not values:
            return
        self.words.append(f" {name}:")
        if isinstance(values[0], ast.stmt):
            self.body(values)  # type: ignore[arg-type]
        else:
            for one in values:
                self._one(one)

    def _one(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.node(value)
        else:
            self.words.append(f" {value!r}")
