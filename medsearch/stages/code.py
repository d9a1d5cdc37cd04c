"""The code that stages are trained by: what a manifest says of it, and how it compares with today's.

    manifest["code"]      commit, dirty      where the repository of the stage's own module stood
                          package            where this package's did, if that is another repository
                          digest             of the definitions that training reaches (`core.sources`)
                          upstream           role -> the lineage of what the stage took: that stage's digest and its own
                                             upstream's, as one digest
                          earlier            commits and digests of other code that trained its first epochs, if any did
    manifest["modules"]   module -> digest of what is reached in it, to name what has changed

Of a stage from before this was recorded, the code is unknown.
"""

import dataclasses
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, final

import medsearch
from medsearch.core import sources
from medsearch.core.recipes import fingerprint
from medsearch.core.repository import Commit, commit_of
from medsearch.core.sources import Source, Tree, closure
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
    """The classes of its recipes."""
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
    for one in (kind, *sorted(recipes, key=lambda recipe: recipe.__qualname__)):
        names.setdefault(one.__module__, []).append(one.__qualname__.partition(".")[0])
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
    return Tree(folder, name.partition(".")[0] if folder in _installed() else None)


@cache
def _installed() -> frozenset[Path]:
    known = [*site.getsitepackages(), site.getusersitepackages(), *sysconfig.get_paths().values()]
    return frozenset(Path(path).resolve() for path in known)


def _main_source() -> Source | None:
    """The program that is run: its file, or the cells of a notebook in the order in which they were run."""
    main, file = sys.modules[MAIN], _file_of(MAIN)
    if file is not None:
        return Source(file.read_bytes(), package=getattr(main, "__package__", None) or "") if file.exists() else None
    cells = getattr(main, "In", None)
    if not isinstance(cells, list):
        return None
    return Source(*(_python(cell).encode() for cell in cells), interactive=True)


def _python(cell: str) -> str:
    """A cell without the lines that are IPython's own."""
    return "\n".join(line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!", "?")))


def record(
    code: Code | None, *, upstream: Mapping[str, Mapping[str, Any]], journal: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a manifest says of the code: its fields `code` and `modules`.

    upstream: the manifests of what the stage took, by role. journal: of its epochs, each with the code that trained it.
    """
    taken = {role: lineage(manifest) for role, manifest in upstream.items()}
    digest = code.digest if code else None
    said = {
        "commit": None,
        "dirty": None,
        **_commit(code.commit if code else None),
        "digest": digest,
        "upstream": taken,
    }
    if code and code.package:
        said["package"] = str(code.package)
    others = {line.get("code"): line.get("commit") for line in journal if line.get("code") != digest}
    if others:
        said["earlier"] = [{"digest": other, "commit": commit} for other, commit in others.items()]
    return {"code": said, "modules": dict(code.modules) if code else {}}


def mark(code: Code | None) -> dict[str, str]:
    """What a line of a journal says of the code that trained the epoch."""
    return {"code": code.digest, **({"commit": str(code.commit)} if code.commit else {})} if code else {}


def _commit(commit: Commit | None) -> dict[str, Any]:
    return {"commit": commit.name, "dirty": commit.dirty} if commit else {}


@final
@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a manifest says of the code; `digest` None: it says nothing. commits: whose code trained it, as shown."""

    digest: str | None = None
    commits: tuple[str, ...] = ()
    upstream: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    mixed: bool = False

    @property
    def words(self) -> str:
        """Whose code it is, for a sentence."""
        if self.digest is None:
            return "unknown code"
        return f"commit {' and '.join(self.commits)}" if self.commits else "code of no commit"


def recorded(manifest: Mapping[str, Any]) -> Recorded:
    """What a manifest says of the code that its numbers come from."""
    code = manifest.get("code")
    if not isinstance(code, Mapping) or not code.get("digest"):
        return Recorded()
    own = [str(Commit(code["commit"], bool(code.get("dirty"))))] if code.get("commit") else []
    earlier = code.get("earlier", ())
    before = [one["commit"] for one in earlier if one.get("commit")]
    return Recorded(
        digest=code["digest"],
        commits=tuple(dict.fromkeys([*before, *own])),
        upstream=code.get("upstream", {}),
        mixed=bool(earlier),
    )


def lineage(manifest: Mapping[str, Any]) -> str | None:
    """A digest of the code behind a stage's outputs, all that it stands on included; None where that is unknown.

    Outputs that were pruned and trained again are of the code of that time.
    """
    again = manifest.get("again", {})
    of = recorded(again if "code" in again else manifest)
    return None if of.digest is None else fingerprint([of.digest, of.upstream, of.mixed and of.commits])


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
    manifests: Mapping[str, Mapping[str, Any]],
    today: Mapping[str, Code],
    keys: Iterable[str],
    modules_of: Callable[[str], Mapping[str, str]],
) -> tuple[Trained, ...]:
    """By which code the stages `keys` were trained, those that are stored, beside today's code by names of stages.

    manifests: of all stored stages, by key. modules_of: a key's field `modules`, which indexes leave out.
    """
    alike: dict[tuple[str, CodeStatus, Recorded], list[str]] = {}
    for key, code_status in code_statuses(manifests, today, keys).items():
        of = recorded(manifests[key])
        alike.setdefault((manifests[key].get("stage", ""), code_status, replace(of, upstream={})), []).append(key)
    found = []
    for (stage, code_status, of), same in alike.items():
        now = today.get(stage)
        theirs = modules_of(same[0]) if now and code_status == "changed" else {}
        found.append(
            Trained(
                stage=stage,
                count=len(same),
                code_status=code_status,
                code=of.words,
                commits=of.commits,
                now=now.words if now else "",
                modules=_differing(theirs, now.modules) if now and theirs else (),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.stage, one.code_status, one.code)))


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in sorted({**one, **other}) if one.get(name) != other.get(name))


def code_statuses(
    manifests: Mapping[str, Mapping[str, Any]], today: Mapping[str, Code], keys: Iterable[str]
) -> dict[str, CodeStatus]:
    """How stored stages stand beside today's code, by key; of stages that `today` does not name it is not asked.

    manifests: of all stored stages, by key. today: by the names of stages.
    """
    known: dict[str, CodeStatus] = {}

    def code_status(key: str) -> CodeStatus:
        if key not in known:
            known[key] = _code_status(key)
        return known[key]

    def _code_status(key: str) -> CodeStatus:
        manifest = manifests[key]
        ours, theirs = today.get(manifest.get("stage", "")), recorded(manifest)
        if ours is None:
            return "current"
        if theirs.digest is None:
            return "unknown"
        if theirs.mixed or theirs.digest != ours.digest:
            return "changed"
        for role, taken in manifest.get("upstream", {}).items():
            if taken in manifests:
                other = theirs.upstream.get(role) != lineage(manifests[taken])
                if other or code_status(taken) in ("changed", "upstream changed"):
                    return "upstream changed"
        return "current"

    return {key: code_status(key) for key in keys if key in manifests}
