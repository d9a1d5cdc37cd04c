"""Looking through folders, for every layout."""

from collections.abc import Iterator
from pathlib import Path

from medsearch.data.cohorts import Finding


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, in the order of names, hidden entries apart."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def links_leaving(paths: list[Path], root: Path, subject: str | None = None) -> Iterator[Finding]:
    """Links to places outside, and what lies behind them: the cohort changes with those, and cannot be moved whole."""
    inside = root.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(inside):
            problem, remedy = "is a link that leaves the cohort", "copy the content here to keep the cohort whole"
            yield Finding(subject, path, problem, remedy, fatal=False)
