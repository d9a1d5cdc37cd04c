"""`medsearch verify`: says what of a home is not as it was written, and what to do about each."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.core.errors import BadInput, printable
from medsearch.core.terminal import say
from medsearch.reporting.wording import counted
from medsearch.stages.store import Store

if TYPE_CHECKING:
    from medsearch.cli.verification import Verification


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `verify` to the commands of the program."""
    command = commands.add_parser(
        "verify",
        help="check that all that a home stores is as it was written",
        description=(
            "Reads every manifest, output, prepared array, header and ledger of a home, and says what is damaged: one "
            "line each, with what to do. Exit code 0: nothing is; 2: something is. Studies check what they use by "
            "themselves; this checks the rest, too."
        ),
    )
    command.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
    command.add_argument("--store", metavar="URI", help="what the studies were given as --store")
    command.add_argument("--quick", action="store_true", help="do not read again what has not changed since it was")
    command.add_argument(
        "--set-aside",
        action="store_true",
        help="give damaged stages and arrays another name: they are made anew",
    )
    command.set_defaults(do=verify)


def verify(options: argparse.Namespace) -> int:
    """Say what is damaged; set it aside if asked to.

    Raises:
        BadInput: there is no such home.

    """
    from medsearch.cli.verification import set_aside
    from medsearch.cli.verification import verify as verified

    home, began = options.home.resolve(), time.monotonic()
    if not home.is_dir():
        msg = f"no home {home}; name the folder that studies were run with: --home DIR"
        raise BadInput(msg)
    store = Store(home / "stages", options.store)
    found = verified(home, store, again=not options.quick)
    for finding in found.findings:
        say(printable(f"error: {finding}"))
    for note in found.notes:
        say(printable(f"note: {note}"))
    if options.set_aside:
        for line in set_aside(found, store):
            say(printable(line))
    for line in _summary(found, time.monotonic() - began):
        say(printable(line))
    return BadInput.exit_code if found.findings else 0


def _summary(found: "Verification", seconds: float) -> list[str]:
    looked = f"{counted(found.stages, 'stage')}, {counted(found.cohorts, 'prepared cohort')}"
    studies = f"{found.studies} {'study' if found.studies == 1 else 'studies'}"
    lines = [f"{looked}, {studies} in {seconds:.1f} s: {counted(len(found.findings), 'finding')}"]
    if found.unverifiable:
        lines.append(f"from before digests were kept, so that nobody can tell if they changed: {found.unverifiable}")
    if found.left:
        shown = ", ".join(map(str, found.left[:3])) + (", ..." if len(found.left) > 3 else "")
        lines.append(f"set aside, to be looked at and removed: {len(found.left)} ({shown})")
    return lines
