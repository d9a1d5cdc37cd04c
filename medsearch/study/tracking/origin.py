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
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import fingerprint
from medsearch.core.records import read_json, read_record, write_json

HOME = "home.json"


def origin_of(folder: Path, first: Mapping[str, Any]) -> str:
    """The origin of the study in `folder` (studies/<study>), whose ledger begins with the event `first`."""
    sent = list(_receipts(folder / "tracking"))
    if known := next((str(receipt["origin"]) for receipt in sent if "origin" in receipt), None):
        return known
    if sent:  # by a release that took the first event for the origin
        return hashlib.sha256(f"{first['run']} {first['time']!r}".encode()).hexdigest()[:16]
    return fingerprint([home_id(folder.resolve().parent.parent), folder.name])


def home_id(home: Path) -> str:
    """The id of a home, which is given one if it has none."""
    path = home / HOME
    with suppress(OSError, ValueError, KeyError, TypeError, BadInput):
        return str(read_json(path)["id"])
    made = fingerprint([socket.gethostname(), uuid.getnode(), str(home)])
    with suppress(OSError):  # in a home that is only read the id is made anew each time
        write_json(path, {"id": made})
    return made


def _receipts(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, BadInput):
            receipt = read_record(path)
            if "files" in receipt:
                yield receipt
