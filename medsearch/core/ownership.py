"""Who may read and write what is made here: folders of one user alone, homes shared with a group, files without links.

A home holds pictures, arrays and predictions of patients. A new one is its owner's alone (0700), or, where that was
asked for, its group's too (2770): folders in it inherit the group, and whoever writes in it lets the group write
(umask 007). The home's own mode is the only record of that, so workers on other nodes need not be told.
"""

import errno
import logging
import os
import stat
from pathlib import Path
from typing import IO, Any

from medsearch.core.errors import BadInput

GROUP = 0o2770
PRIVATE = 0o700
LOG = logging.getLogger(__name__)


def unlinked(path: str, flags: int) -> int:
    """An opener (see `open`) that refuses a link that somebody has put in the place of the file.

    Raises:
        OSError: ELOOP, if `path` is a symbolic link.

    """
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def open_unlinked(path: Path, mode: str) -> IO[Any]:
    """Open a file of the program's own for writing, never through a link.

    Raises:
        BadInput: a symbolic link is in its place.
        OSError: it cannot be opened.

    """
    try:
        return open(path, mode, opener=unlinked)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        remedy = f"see who can write to {path.parent}, then remove it"
        msg = f"{path} is a link, which no file of this program is: somebody has put it there; {remedy}"
        raise BadInput(msg) from error


def private_folder(path: Path) -> Path:
    """Make the folder `path` for this user alone (0700); one that is there must be this user's, and no link.

    One that others may read, but not write to, is made this user's alone, too, and that is said.

    Raises:
        BadInput: it is a link or no folder, belongs to somebody else, or others can write to it.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=PRIVATE)
        return path
    except FileExistsError:
        there = path.lstat()
    problem, remedy = "", "name a folder that does not exist yet, or one of your own"
    if not stat.S_ISDIR(there.st_mode):
        problem = "is a link" if stat.S_ISLNK(there.st_mode) else "is no folder"
    elif there.st_uid != os.geteuid():
        problem = f"belongs to user {there.st_uid}, not to {os.geteuid()}"
    elif there.st_mode & 0o022:
        problem = f"can be written to by others (mode {there.st_mode & 0o7777:o})"
        remedy = f"if nobody has, chmod 700 {path}; else {remedy}"
    if problem:
        msg = f"{path} {problem}, so what lies in it cannot be trusted; {remedy}"
        raise BadInput(msg)
    if there.st_mode & 0o077:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(handle, PRIVATE)
        finally:
            os.close(handle)
        LOG.warning("%s could be read by others (mode %o); it is yours alone now", path, there.st_mode & 0o7777)
    return path


def prepare_home(home: Path, *, group: bool = False) -> str | None:
    """Make a new home, its owner's alone or its group's too; let what this process writes have the home's way.

    Returns a line on a home that was just made. One that is there is left as it is.

    Raises:
        BadInput: it is to be the group's, and is there already without being so.

    """
    made = None
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        mode, whose = (GROUP, "yours and your group's") if group else (PRIVATE, "yours alone; --group-home shares one")
        home.mkdir(mode=mode, exist_ok=True)
        home.chmod(mode)  # the umask takes from what mkdir was told
        made = f"made {home} (mode {mode:o}: {whose})"
    elif group and not _is_group_s(home):
        mend = f"chmod -R g+rwX {home} && find {home} -type d -exec chmod g+s {{}} +"
        msg = f"--group-home: {home} is there already, and not your group's; to make it so: {mend}"
        raise BadInput(msg)
    adopt_umask(home)
    return made


def adopt_umask(home: Path) -> None:
    """Let what this process writes have the way of a home that is there: what is a group's, its group may write."""
    if home.exists() and _is_group_s(home):
        os.umask(0o007)


def _is_group_s(home: Path) -> bool:
    return home.stat().st_mode & GROUP == GROUP
