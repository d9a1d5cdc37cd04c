"""A report's folder: every file replaced as a whole, the page last."""

from collections.abc import Mapping
from pathlib import Path

from medsearch.core.records import write_bytes

PAGE = "index.html"


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> Path:
    """Write `contents` (name to bytes, the page among them) and return the page's path.

    Whoever reads meanwhile sees an old report or a new one. Figures that are no longer made are removed.
    """
    for name, content in contents.items():
        if name != PAGE:
            write_bytes(folder / name, content)
    write_bytes(folder / PAGE, contents[PAGE])
    for old in (folder / "figures").glob("*"):
        if f"figures/{old.name}" not in contents:
            old.unlink()
    return folder / PAGE
