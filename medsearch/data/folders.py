"""What a folder holds, without what file servers, archives and desktops leave among anybody's files."""

from pathlib import Path

_CLUTTER = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@tmp",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "icon\r",
        "lost+found",
        "network trash folder",
        "recycled",
        "recycler",
        "system volume information",
        "temporary items",
        "thumbs.db",
        "~snapshot",
    }
)
"""Folders and files that nobody put there, by their names in lower case: of Synology, QNAP and NetApp servers, Windows,
macOS and ext file systems."""


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, in the order of names; hidden entries (.DS_Store, ._x, .snapshot) and clutter apart.

    Raises:
        OSError: the folder cannot be read.
    """
    return sorted(entry for entry in folder.iterdir() if not is_clutter(entry.name))


def is_clutter(name: str) -> bool:
    """Whether nobody put an entry of that name there: a hidden one, or a server's, an archive's or a desktop's own."""
    return name.startswith(".") or name.casefold() in _CLUTTER
