"""The commit that a file of a program stands at."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import final

SHOWN = 12
"""Digits of a commit that are shown."""


@final
@dataclass(frozen=True)
class Commit:
    """A commit by its whole hash. dirty: whether tracked files of its repository, or the file, differ from it."""

    name: str
    dirty: bool

    def __str__(self) -> str:
        return f"{self.name[:SHOWN]}{'-dirty' if self.dirty else ''}"


@cache
def commit_of(path: Path) -> Commit | None:
    """Where the repository stands that a file or folder lies in; asked once in a process.

    None without git or a repository, before its first commit, and for a file that the repository ignores, as it does
    what is installed into an environment within it.
    """
    folder = path if path.is_dir() else path.parent
    said = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if said is None:
        return None
    lines = said.splitlines()
    name = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
    if not name.isalnum():  # "(initial)"
        return None
    tracked = path.is_dir() or _git(folder, "ls-files", "--error-unmatch", "--", path.name) is not None
    if not tracked and _git(folder, "check-ignore", "-q", "--", path.name) is not None:
        return None
    return Commit(name, dirty=not tracked or any(not line.startswith("#") for line in lines))


def _git(folder: Path, *command: str) -> str | None:
    """What git says; None where it does not, or takes longer than 5 s."""
    asked = ["git", "--no-optional-locks", "-C", str(folder), *command]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, errors="replace", timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git, or none that answers
        return None
    return answer.stdout if answer.returncode == 0 else None
