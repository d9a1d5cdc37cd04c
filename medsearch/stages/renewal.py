"""A finished stage that is trained anew: what it was is kept in its folder until the new one is finished.

Whoever holds the stage moves manifest, outputs and journal to `.replaced`, the manifest first: from then on the stage
is an unfinished one, which is trained, interrupted and resumed as any other. A mark says that the move has begun, so
that whoever holds the stage after a kill ends it. The new manifest names what it replaces.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsearch.core.errors import Damaged
from medsearch.core.records import sync_directory, warn_once, write_bytes
from medsearch.stages.code import recorded
from medsearch.stages.index import INDEX, index_of
from medsearch.stages.manifest import read_manifest
from medsearch.stages.outputs import LOCK, MANIFEST, REPLACED

MOVING = ".replacing"


def is_of(path: Path, finished: float) -> bool:
    """Whether the manifest of a stage lies at `path` that was finished at that time, which tells it from any other."""
    return time_of(path) == finished


def time_of(path: Path) -> float | None:
    """When the stage of a manifest was finished (Unix seconds); None if it is not there, or cannot be read."""
    finished: float | None = _read(path).get("finished")
    return finished


def replaced_time(path: Path) -> float | None:
    """When the stage was finished that the stage of a manifest replaces; None if it replaces none."""
    finished: float | None = _read(path).get("replaces", {}).get("finished")
    return finished


def _read(path: Path) -> Mapping[str, Any]:
    """The manifest in a stage's folder, or of what it replaces; empty if it is not there, or damaged: that is said."""
    folder = path.parent.parent if path.parent.name == REPLACED else path.parent
    try:
        return read_manifest(path, folder.name)
    except OSError:
        return {}
    except Damaged as error:
        warn_once(str(error))
        return {}


def supersede(folder: Path) -> None:
    """Keep what a finished stage is in `.replaced`; it is not finished any more."""
    write_bytes(folder / MOVING, b"")
    shutil.rmtree(folder / REPLACED, ignore_errors=True)
    (folder / REPLACED).mkdir()
    (folder / MANIFEST).rename(folder / REPLACED / MANIFEST)
    sync_directory(folder)
    forget_summary(folder)
    end_move(folder)


def end_move(folder: Path) -> None:
    """End what `supersede` has begun. One that did not get as far as the manifest has not begun."""
    if not (folder / MOVING).exists():
        return
    if not (folder / MANIFEST).exists():
        for entry in sorted(folder.iterdir()):
            if entry.name != LOCK and not entry.name.startswith("."):
                entry.rename(folder / REPLACED / entry.name)
        sync_directory(folder / REPLACED)
    (folder / MOVING).unlink()


def forget_summary(folder: Path) -> None:
    """Have the index of all stages made anew: what it says of this one is not true any more."""
    index_of(folder.parent).forget(folder.name)
    (folder.parent / INDEX).unlink(missing_ok=True)


def replaced(folder: Path) -> dict[str, Any]:
    """For the manifest of a stage that was trained anew: when and by which code it had been, as `replaces`."""
    was = _read(folder / REPLACED / MANIFEST)
    return {"replaces": {"finished": was["finished"], "code": recorded(was).words}} if was.get("finished") else {}
