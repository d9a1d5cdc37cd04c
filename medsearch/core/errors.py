"""What can go wrong, and which exit code it means.

    MedsearchError      1   the study failed
    ├── BadInput        2   a file, a case or a knob is wrong: one line, with a remedy
    │   └── Damaged         a file that this program wrote is not as it was written
    ├── StudyFailed     1   nothing of a study came to its end
    ├── UndeclaredRead  1   a stage asked for data that it did not declare
    ├── Diverged        1   a loss became non-finite: this trial failed, the others go on
    └── Interrupted   130   the user stopped the study, or its Ray cluster died; it can go on later

Every message says what is wrong, where (case, file, knob), and what to do about it, in one line that a terminal shows
as it is.
"""

import errno
import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

REMEDIES = {
    errno.ENOSPC: "free the disk",
    errno.EDQUOT: "free some of your quota, or name another folder",
    errno.EROFS: "it is on a file system that is read-only: name another folder",
    errno.EACCES: "see who may read and write it, or name another folder",
    errno.EPERM: "see who may read and write it, or name another folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "the machine has no more files to open: end other programs",
    errno.ENOMEM: "end other programs, or run fewer at a time",
    errno.EIO: "look at the disk",
    errno.ESTALE: "the file system was mounted anew: open the folder again",
}
LEAST = 1 << 20
"""Bytes; a file system with less is full."""

_ENDS_OF_LINES = re.compile(r"[\t\n\r]+")
_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_SHOWN = "\n\t\u200c\u200d"
"""Of these categories: what lays out lines, and what joins and parts the letters of a word, as Persian needs it."""
_UNDECODED = range(0xDC80, 0xDD00)
"""How Python holds the bytes of a file name that are no UTF-8."""


def printable(text: str) -> str:
    """`text` on one line, with control and format characters spelt out by their codes, and so in any encoding.

    What files and folders are called, and what they hold, then moves no cursor of a terminal, and colours, hides or
    turns round nothing that it shows.
    """
    return spelt_out(_ENDS_OF_LINES.sub(" ", text))


def spelt_out(text: str) -> str:
    """As `printable`, with lines and tabs as they are."""
    return text if text.isprintable() else "".join(map(_sign, text))


def _sign(sign: str) -> str:
    if unicodedata.category(sign) not in _UNSHOWN or sign in _SHOWN:
        return sign
    code = ord(sign)
    if code in _UNDECODED:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class MedsearchError(Exception):
    """Root of every error that the user is meant to read; printed as one line, never as a traceback."""

    exit_code = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class BadInput(MedsearchError):
    """The user's input cannot be used as it is."""

    exit_code = 2


class Damaged(BadInput):
    """A file that this program wrote is not as it was written: cut, changed, or another's. It must not be used.

    what: the file, or a line of it. problem: what was found, as in "ends in the middle". remedy: what to do.
    """

    def __init__(self, what: object, problem: str, remedy: str) -> None:
        super().__init__(f"{what} {problem}; {remedy}")
        self.what, self.problem, self.remedy = str(what), problem, remedy

    def __reduce__(self) -> tuple[type["Damaged"], tuple[str, str, str]]:
        """It travels from workers to the driver."""
        return Damaged, (self.what, self.problem, self.remedy)


class StudyFailed(MedsearchError):
    """What every run of a study stands on could not be trained, or no run came to its end."""


class UndeclaredRead(MedsearchError):
    """A stage asked for a part of the task outside what it declared to read."""


class Diverged(MedsearchError):
    """Training produced a non-finite loss; repeating it would do so again."""


class Interrupted(MedsearchError):
    """The study was asked to stop, or lost what it ran on; what is finished is stored."""

    exit_code = 130


def explained(error: OSError, places: Sequence[Path]) -> str:
    """What the system refused, where, and what to do. places: folders of which one may lie on a full disk."""
    where = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    if not where and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = ", ".join(str(place) for place in dict.fromkeys(places) if _full(place)) or str(places[-1])
    remedy = REMEDIES.get(error.errno or 0, "check the path" if where else "")
    what = ": ".join(filter(None, [error.strerror or str(error), where]))
    return f"{what}; {', then '.join(filter(None, [remedy, 'run again']))}"


def _full(place: Path) -> bool:
    """Whether the file system that `place` is or will be on has neither bytes nor entries left."""
    while not place.exists() and place != place.parent:
        place = place.parent
    with suppress(OSError):
        found = os.statvfs(place)
        return found.f_bavail * found.f_frsize < LEAST or (found.f_files > 0 and found.f_favail == 0)
    return False
