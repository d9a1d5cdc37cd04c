"""Looking through folders, for every layout."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medsearch.data.cohorts import Finding

_DIGITS = re.compile(r"\d+")


def links_leaving(paths: list[Path], root: Path, subject: str | None = None) -> Iterator[Finding]:
    """Links to places outside, and what lies behind them: the cohort changes with those, and cannot be moved whole."""
    inside = root.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(inside):
            problem, remedy = "is a link that leaves the cohort", "copy the content here to keep the cohort whole"
            yield Finding(subject, path, problem, remedy, fatal=False)


def unexpected(path: Path, subject: str | None = None, remedy: str = "") -> Finding:
    """What lies where the layout has no place for it; it is passed over. A folder may have been a case."""
    elsewhere = "move it elsewhere; if it is a case, give it its images" if path.is_dir() else "move it elsewhere"
    return Finding(subject, path, "is unexpected here", remedy or elsewhere, fatal=False)


def strays_among(empty: Iterable[Path], names: Iterable[str]) -> frozenset[Path]:
    """Of the folders `empty`, which hold no image, those that are no case; the others are cases that lost theirs.

    A folder is a case if its name is formed as one of `names`, those of the cases with images: equal but for the
    numbers in it. So `BraTS20_Training_002` is one beside `BraTS20_Training_001`, `notes` is none.
    """
    forms = {_form(name) for name in names}
    return frozenset(path for path in empty if _form(path.name) not in forms)


def _form(name: str) -> str:
    return _DIGITS.sub("0", name).casefold()
