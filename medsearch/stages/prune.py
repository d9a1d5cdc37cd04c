"""Free the disk of a store: remove stages that nothing mentions, and what is heavy of stages that nothing takes.

    remove          a whole stage, finished or not
    thin            the weights and volumes of a finished stage; manifest, journal and pictures stay: reports do
    forget progress the checkpoint of a stage that nobody will go on with

A stage that a process holds is never touched. A kill in the middle leaves whole stages, thinned ones, and leftovers
that the next prune removes. Of a store at a URI, this frees the node's mirror; the URI keeps what it has.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from medsearch.core.locks import free
from medsearch.core.records import sync_directory, write_json
from medsearch.stages.manifest import ASIDE, CHECKPOINT, JOURNAL, LOCK, MANIFEST, THINNED, is_light, own_files
from medsearch.stages.store import Store

REMOVED = ".removed-"
"""Begins the name of a stage's folder once it is no stage any more."""

Act = Literal["remove", "thin", "forget progress"]


@final
@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a stage takes on the disk, bytes. time: when it was last written, Unix seconds."""

    key: str
    whole: int
    heavy: int
    progress: int
    finished: bool
    time: float


@final
@dataclass(frozen=True, kw_only=True)
class Cut:
    """One thing to do, and the bytes that it frees."""

    act: Act
    stage: Stored
    frees: int


@final
@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What a prune would do, oldest first. total: bytes that all stages take. held: how many a process holds."""

    cuts: tuple[Cut, ...]
    total: int
    stages: int
    held: int

    @property
    def frees(self) -> int:
        """Bytes that all of it frees."""
        return sum(cut.frees for cut in self.cuts)


def plan(store: Store, *, kept: Iterable[str], spare: Iterable[str] = (), budget: int | None = None) -> Pruning:
    """What to do until the store takes no more than `budget` bytes; None: all that may go.

    kept: stages that a study mentions, which stay together with whatever they take. spare: those of them that nobody
    needs whole. Stages that nothing mentions go first.
    """
    stages = sorted(_stages(store.root), key=lambda stage: stage.time)
    mentioned = _with_upstream(store, set(kept))
    thin = set(spare) - _with_upstream(store, set(kept) - set(spare))
    removals = [Cut(act="remove", stage=stage, frees=stage.whole) for stage in stages if stage.key not in mentioned]
    thinnings = []
    for stage in stages:
        act: Act = "thin" if stage.finished else "forget progress"
        frees = stage.heavy if stage.finished else stage.progress
        if stage.key in thin and frees:
            thinnings.append(Cut(act=act, stage=stage, frees=frees))
    free_cuts = [cut for cut in (*removals, *thinnings) if not _is_held(store.folder(cut.stage.key))]
    total = sum(stage.whole for stage in stages)
    chosen, left = [], total
    for cut in free_cuts:
        if budget is None or left > budget:
            chosen.append(cut)
            left -= cut.frees
    held = len(removals) + len(thinnings) - len(free_cuts)
    return Pruning(cuts=tuple(chosen), total=total, stages=len(stages), held=held)


def carry_out(store: Store, cuts: Iterable[Cut], *, still: Callable[[Cut], bool]) -> Iterator[Cut]:
    """Do it, yielding what was done. `still`: asked of each right before, when the stage cannot be taken any more."""
    for removed in store.root.glob(f"{REMOVED}*"):
        shutil.rmtree(removed, ignore_errors=True)
    for cut in cuts:
        folder = store.folder(cut.stage.key)
        with free(folder / LOCK) as mine:
            if not mine or not still(cut):
                continue
            if cut.act == "remove":  # by another name first, so that no half of it is ever taken for a stage
                removed = folder.with_name(f"{REMOVED}{folder.name}-{time.time_ns()}")
                folder.rename(removed)
                sync_directory(folder.parent)
                shutil.rmtree(removed, ignore_errors=True)
            elif cut.act == "thin":  # the mark first, so that a stage that lacks something never counts as whole
                sizes, _ = _measured(folder)
                heavy = {name: size for name, size in sizes.items() if not own_files(name) and not is_light(name)}
                write_json(folder / THINNED, {"files": heavy, "time": time.time()})
                for name in heavy:
                    (folder / name).unlink(missing_ok=True)
            else:
                shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
                shutil.rmtree(folder / ASIDE, ignore_errors=True)
        yield cut


def _stages(root: Path) -> Iterator[Stored]:
    for entry in os.scandir(root) if root.exists() else ():
        if not entry.is_dir() or entry.name.startswith("."):
            continue
        sizes, newest = _measured(Path(entry.path))
        if any(name.split("/")[0] in (MANIFEST, JOURNAL, LOCK, CHECKPOINT) for name in sizes):
            outputs = {name: size for name, size in sizes.items() if not own_files(name)}
            yield Stored(
                key=entry.name,
                whole=sum(sizes.values()),
                heavy=sum(size for name, size in outputs.items() if not is_light(name)),
                progress=sum(size for name, size in sizes.items() if name.startswith((f"{CHECKPOINT}/", f"{ASIDE}/"))),
                finished=MANIFEST in sizes,
                time=newest,
            )


def _measured(folder: Path) -> tuple[dict[str, int], float]:
    """Bytes of every file by name, and when the newest was written; files that go meanwhile do not count."""
    sizes, newest = {}, 0.0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118  thousands of them
            try:
                stat = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                continue
            sizes[os.path.relpath(path, folder)] = stat.st_size
            newest = max(newest, stat.st_mtime if name != LOCK else 0.0)
    return sizes, newest


def _with_upstream(store: Store, keys: set[str]) -> set[str]:
    """These stages and all that they took, as far as manifests say."""
    known, reached, pending = store.summaries(), set(keys), list(keys)
    while pending:
        manifest = known.get(pending.pop())
        for taken in manifest.upstream.values() if manifest else ():
            if taken not in reached:
                reached.add(taken)
                pending.append(taken)
    return reached


def _is_held(folder: Path) -> bool:
    if not (folder / LOCK).exists():
        return False
    with free(folder / LOCK) as mine:
        return not mine
