"""What tells a study from another of the same name on one server: its origin.

On a server a run is <study>/<run> of an origin. The origin is derived from the id of the home and the study's name, and
from no file of the study: whatever is lost of it, the ledger, the receipts or the whole folder, the same command finds
its runs again. Two homes have two ids, so their studies of one name never share a run.

    home's id   in <home>/home.json, so a home that is moved or seen by several machines keeps it. Where that is
                missing it is made of this machine and the home's path, so a home that is lost and begun again at its
                place has the one it had.
    origin      as receipts have it from earlier on, so a study's folder that is moved to another home keeps its own;
                else of the home's id and the study's name. A copy of a home goes on in the runs of its original,
                until home.json and the receipts (studies/<study>/tracking) are removed from it.
"""

import hashlib
import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import locked
from medsearch.core.paths import set_aside
from medsearch.core.recipes import fingerprint
from medsearch.core.records import lacks, read_record, warn_once, write_sealed
from medsearch.study.record.headers import Finished, Started

HOME = "home.json"
MACHINE_ID = Path("/etc/machine-id")
RANDOM = 1 << 40
"""The bit of `uuid.getnode` that says that it was drawn for this process, as on a machine without a network card."""
CONSEQUENCE = (
    "the home's id is made of this machine and its path. If another machine made it, or the home was moved since, "
    "studies whose receipts (studies/<study>/tracking) are lost, too, are sent to MLflow once more, as new runs"
)


def origin_of(folder: Path, first: Started | Finished) -> str:
    """The origin of the study in `folder` (studies/<study>), whose ledger begins with the event `first`."""
    sent: list[dict[str, Any]] = []
    for path in sorted((folder / "tracking").glob("*.json")):
        with suppress(OSError, ValueError, BadInput):
            sent.append(read_record(path))
    sent = [receipt for receipt in sent if "files" in receipt]
    if known := next((str(receipt["origin"]) for receipt in sent if "origin" in receipt), None):
        return known
    if sent:  # by a release that took the first event for the origin
        return hashlib.sha256(f"{first.run} {first.time!r}".encode()).hexdigest()[:16]
    return fingerprint([home_id(folder.resolve().parent.parent), folder.name])


def home_id(home: Path) -> str:
    """The id of a home, which is given one if it has none; processes that do so at once agree on one.

    A damaged one is set aside, with a line on what that means, and another is given.
    """
    path = home / HOME
    try:
        return stored_home_id(home)
    except FileNotFoundError:
        return _given_id(home)
    except Damaged:
        with suppress(OSError), locked(home / f".{HOME}.lock"):
            return _mended_id(home)
        warn_once(f"{path} is damaged, and cannot be set aside here; {CONSEQUENCE}")
        return _made_id(home)


def stored_home_id(home: Path) -> str:
    """The id of a home, as it is stored.

    Raises:
        FileNotFoundError: it has none yet.
        Damaged: its file was cut, or changed since it was written.

    """
    remedy = f"bring it back from a copy; else it is set aside when a study is sent next, and {CONSEQUENCE}"
    return str(read_record(home / HOME, remedy=remedy, fault=lambda of: lacks(of, {"id": str}))["id"])


def _mended_id(home: Path) -> str:
    """The id of a home whose file is damaged, unless another process has mended it by now."""
    try:
        return stored_home_id(home)
    except FileNotFoundError:
        pass
    except Damaged as error:
        there = set_aside(home / HOME)
        warn_once(f"{error.what} {error.problem}; it is {there.name} now: {CONSEQUENCE}")
    return _given_id(home)


def _given_id(home: Path) -> str:
    """Store an id that was made here, unless another process has stored one first; in a home that is only read it is
    made anew each time.
    """
    path, made = home / HOME, _made_id(home)
    content = {"id": made}
    try:
        aside = path.with_name(f".{HOME}.{uuid.uuid4().hex}")
        write_sealed(aside, content)
        try:
            os.link(aside, path)  # whole at once, and never over another
        except FileExistsError:
            pass
        except OSError:  # the file system has no such links
            write_sealed(path, content)
        finally:
            aside.unlink()
        return stored_home_id(home)
    except OSError:
        return made


def _made_id(home: Path) -> str:
    """An id that is the same whenever it is made on this machine for a home at this path."""
    node: int | str = uuid.getnode()
    if isinstance(node, int) and node & RANDOM:
        node = ""
        with suppress(OSError):
            node = MACHINE_ID.read_text().strip()
    return fingerprint([socket.gethostname(), node, str(home)])
