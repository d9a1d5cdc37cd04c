"""The files of a stage by name: the store's own, and which outputs are light.

Light is what reports and trackers show, as against what only a later stage reads: weights and volumes.
"""

from pathlib import PurePosixPath

MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"
CHECKPOINT = "checkpoint"
LOCK = "lock"
ASIDE = ".aside"
FETCHING = ".fetching"
THINNED = "thinned.json"
"""What was pruned of a stage."""
REPLACED = ".replaced"
"""What a stage was that is trained anew, until it is finished."""

LIGHT_FOLDERS = ("pictures", "tiles")
LIGHT_SUFFIXES = frozenset({".json", ".jsonl", ".csv", ".md", ".txt", ".html", ".png", ".svg"})


def own_files(name: str) -> bool:
    """Whether `name`, a path relative to the stage's folder, is the store's and no output."""
    first = PurePosixPath(name).parts[0]
    return first.startswith(".") or first in (MANIFEST, JOURNAL, CHECKPOINT, LOCK, THINNED)


def is_light(name: str) -> bool:
    """Whether the output `name`, a path relative to the stage's folder, is light."""
    path = PurePosixPath(name)
    return path.parts[0] in LIGHT_FOLDERS or path.suffix.lower() in LIGHT_SUFFIXES
