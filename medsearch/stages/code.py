"""The code that stages are trained by: what a manifest says of it (`TrainingCode`), and how it compares with today's.

Of a stage from before this was recorded, the code is unknown.
"""

import dataclasses
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, final

import medsearch
from medsearch.core import sources
from medsearch.core.recipes import fingerprint
from medsearch.core.repository import Commit, commit_of
from medsearch.core.sources import Source, Tree, closure
from medsearch.stages.manifest import EarlierCode, Manifest, TrainingCode
from medsearch.stages.stage import Stage

CodeStatus = Literal["current", "changed", "upstream changed", "unknown"]
"""Of a stored stage beside today's code; "upstream changed": its own is the same, but not that of what it took."""

PACKAGE = Path(medsearch.__file__).parent
MAIN = "__main__"
SHOWN = 4
"""Changed modules that a line names."""


@final
@dataclass(frozen=True, kw_only=True)
class Code:
    """The code of a stage. modules: by name, digests of what is reached in them. commit: of the stage's own module.

    package: of this package, where that lies in another repository.
    """

    modules: Mapping[str, str]
    commit: Commit | None = None
    package: Commit | None = None

    @cached_property
    def digest(self) -> str:
        """Changes when any definition does that training reaches."""
        return fingerprint(self.modules)

    @property
    def words(self) -> str:
        """Whose code it is, for a sentence."""
        return f"commit {self.commit}" if self.commit else "code of no commit"


def code_of(stage: Stage) -> Code | None:
    """The code that trains `stage`, by the sources as this process read them first; None if there are none.

    It begins at the classes of the stage and of its recipes. Followed are this package and the folder or package that
    the stage's own modules lie in, not what is installed beside them.
    """
    return _code_of(type(stage), frozenset(_parts(stage)))


def _parts(stage: Stage) -> Iterator[type]:
    """The classes of the recipes and configs among a stage's fields."""
    values = (getattr(stage, part.name) for part in dataclasses.fields(stage))  # type: ignore[arg-type]
    return (type(value) for value in values if dataclasses.is_dataclass(value))


@cache
def _is_own(module: str) -> bool:
    """Whether a module is the user's: the program that is run, or a file beside it, which other nodes need not have."""
    tree = _tree_of(module)
    return module == MAIN or (tree is not None and tree.top is None)


def code_that_travels(stage: Stage) -> Code | None:
    """`code_of` a stage that workers may not find the source of: the user's own, in the program or a file beside it."""
    return code_of(stage) if any(_is_own(kind.__module__) for kind in (type(stage), *_parts(stage))) else None


def own_sources(stages: Iterable[Stage]) -> dict[str, tuple[Path, bytes]]:
    """The user's own modules that workers need for `stages`, as path and content by name, `__main__` left out.

    They are those that its modules beside the program import, from their folders. Workers get the program itself with
    the stage.
    """
    return _own_sources(frozenset(kind.__module__ for stage in stages for kind in (type(stage), *_parts(stage))))


@cache
def _own_sources(modules: frozenset[str]) -> dict[str, tuple[Path, bytes]]:
    own = {name: tree for name in sorted(modules) if _is_own(name) and (tree := _tree_of(name))}
    main = _main_source() if MAIN in own else None
    files = sources.imported_files(own, tuple(own.values()), main=main, besides=PACKAGE.name)
    return {name: (path, path.read_bytes()) for name, path in files.items()}


def forget() -> None:
    """Look at sources and repositories anew: a session that goes on for days runs one study after another."""
    _code_of.cache_clear()
    _own_sources.cache_clear()
    commit_of.cache_clear()
    sources.forget()


@cache
def _code_of(kind: type, recipes: frozenset[type]) -> Code | None:
    names: dict[str, list[str]] = {}
    for cls in (kind, *sorted(recipes, key=lambda recipe: recipe.__qualname__)):
        names.setdefault(cls.__module__, []).append(cls.__qualname__.partition(".")[0])
    own = {Tree(PACKAGE.parent, PACKAGE.name): None} | {tree: None for name in names if (tree := _tree_of(name))}
    main = _main_source() if MAIN in names else None
    if main and not main.defined.keys() >= set(names[MAIN]):
        return None
    modules = closure(names, tuple(own), main)
    if kind.__module__ not in modules:
        return None
    file = _file_of(kind.__module__)
    commit, package = commit_of(file) if file else None, commit_of(PACKAGE)
    return Code(modules=modules, commit=commit, package=package if package != commit else None)


def _file_of(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).resolve() if file else None


def _tree_of(module: str) -> Tree | None:
    """What is followed of a module that is no part of this package: its folder, or of installed ones its package."""
    file, name = _file_of(module), module
    if file is None and module == MAIN:  # a session, which imports from where it is
        return Tree(Path.cwd())
    if file is None or module.partition(".")[0] == PACKAGE.name:
        return None
    if module == MAIN:  # python -m package.study
        package = getattr(sys.modules[MAIN], "__package__", None)
        name = f"{package}.{file.stem}" if package else file.stem
    folder = file.parents[name.count(".") + (file.name == "__init__.py")]
    installed = [*site.getsitepackages(), site.getusersitepackages(), *sysconfig.get_paths().values()]
    is_installed = folder in {Path(path).resolve() for path in installed}
    return Tree(folder, name.partition(".")[0] if is_installed else None)


def _main_source() -> Source | None:
    """The program that is run: its file, or the cells of a notebook in the order in which they were run."""
    main, file = sys.modules[MAIN], _file_of(MAIN)
    if file is not None:
        return Source(file.read_bytes(), package=getattr(main, "__package__", None) or "") if file.exists() else None
    cells = getattr(main, "In", None)
    if not isinstance(cells, list):
        return None
    contents = []
    for cell in cells:
        lines = [line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!", "?"))]  # IPython's own
        contents.append("\n".join(lines).encode())
    return Source(*contents, interactive=True)


def training_code(
    code: Code | None, *, upstream: Mapping[str, Manifest], journal: Sequence[Mapping[str, Any]]
) -> TrainingCode:
    """What a manifest says of the code that trained a stage.

    upstream: the manifests of what the stage took, by role. journal: of its epochs, each with the code that trained it.
    """
    commit, digest = code.commit if code else None, code.digest if code else None
    others = {line.get("code"): line.get("commit") for line in journal if line.get("code") != digest}
    return TrainingCode(
        commit=commit.name if commit else None,
        dirty=commit.dirty if commit else None,
        digest=digest,
        upstream={role: manifest.lineage for role, manifest in upstream.items()},
        package=str(code.package) if code and code.package else "",
        earlier=tuple(EarlierCode(digest=other, commit=of) for other, of in others.items()),
    )


def mark(code: Code | None) -> dict[str, str]:
    """What a line of a journal says of the code that trained the epoch."""
    return {"code": code.digest, **({"commit": str(code.commit)} if code.commit else {})} if code else {}


@final
@dataclass(frozen=True, kw_only=True)
class Trained:
    """Stored stages of one name that one code has trained. code, now: in words, theirs and today's.

    modules: that differ between the two, as far as that is known.
    """

    stage: str
    count: int
    code_status: CodeStatus
    code: str
    commits: tuple[str, ...] = ()
    now: str = ""
    modules: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether today's code would not train them alike; of unknown code there is no telling."""
        return self.code_status in ("changed", "upstream changed")

    def __str__(self) -> str:
        what = f"{self.stage}: {self.count} trained by {self.code}"
        if self.code_status == "upstream changed":
            return f"{what}, on stages whose code has changed since"
        if self.code_status == "changed":
            shown = ", ".join(self.modules[:SHOWN])
            more = f" and {len(self.modules) - SHOWN} more" if len(self.modules) > SHOWN else ""
            now = f"; now {self.now}" if self.now != self.code else ""
            return f"{what}, which has changed since{f' ({shown}{more})' if shown else ''}{now}"
        return what


def trained(
    manifests: Mapping[str, Manifest],
    today: Mapping[str, Code],
    keys: Iterable[str],
    modules_of: Callable[[str], Mapping[str, str]],
) -> tuple[Trained, ...]:
    """By which code the stages `keys` were trained, those that are stored, beside today's code by names of stages.

    manifests: of all stored stages, by key. modules_of: a key's field `modules`, which indexes leave out.
    """
    alike: dict[tuple[object, ...], list[str]] = {}
    statuses = code_statuses(manifests, today, keys)
    for key, code_status in statuses.items():
        code = manifests[key].training_code
        kind = manifests[key].stage, code_status, code.digest, code.commits, bool(code.earlier)
        alike.setdefault(kind, []).append(key)
    trained_by = []
    for key, count in ((same[0], len(same)) for same in alike.values()):
        stage, code = manifests[key].stage, manifests[key].training_code
        now, code_status = today.get(stage), statuses[key]
        theirs = modules_of(key) if now and code_status == "changed" else {}
        ours = now.modules if now and theirs else {}
        trained_by.append(
            Trained(
                stage=stage,
                count=count,
                code_status=code_status,
                code=code.words,
                commits=code.commits,
                now=now.words if now else "",
                modules=tuple(name for name in sorted({**theirs, **ours}) if theirs.get(name) != ours.get(name)),
            )
        )
    return tuple(sorted(trained_by, key=lambda of: (of.stage, of.code_status, of.code)))


def code_statuses(
    manifests: Mapping[str, Manifest], today: Mapping[str, Code], keys: Iterable[str]
) -> dict[str, CodeStatus]:
    """How stored stages stand beside today's code, by key; of stages that `today` does not name it is not asked.

    manifests: of all stored stages, by key. today: by the names of stages.
    """

    @cache
    def code_status(key: str) -> CodeStatus:
        manifest = manifests[key]
        code_today, code = today.get(manifest.stage), manifest.training_code
        if code_today is None:
            return "current"
        if code.digest is None:
            return "unknown"
        if code.earlier or code.digest != code_today.digest:
            return "changed"
        for role, taken in manifest.upstream.items():
            if taken in manifests:
                other = code.upstream.get(role) != manifests[taken].lineage
                if other or code_status(taken) in ("changed", "upstream changed"):
                    return "upstream changed"
        return "current"

    return {key: code_status(key) for key in keys if key in manifests}
