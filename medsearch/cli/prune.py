"""`medsearch prune`: says what it would free, asks, and frees it."""

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.core.errors import BadInput
from medsearch.core.terminal import say
from medsearch.reporting.wording import counted
from medsearch.stages.store import Store

if TYPE_CHECKING:
    from medsearch.stages.prune import Cut, Pruning

UNITS = {"": 1, "B": 1}
UNITS |= {f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", start=1)}
UNITS |= {f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGT", start=1)}

WORDS = {
    "remove": "remove, no study mentions it",
    "thin": "thin, keep numbers and pictures",
    "forget progress": "remove the checkpoint, it will not go on",
}


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `prune` to the commands of the program."""
    command = commands.add_parser(
        "prune",
        help="free the disk of stages that no study needs",
        description="Removes stages that no study in the home mentions. No report changes by it.",
    )
    command.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
    command.add_argument(
        "--keep-best",
        action="store_true",
        help="drop the weights and volumes of trials and candidates that lost, too; their numbers stay",
    )
    command.add_argument("--budget", type=size, metavar="50GB", help="stop once the store takes no more than this")
    command.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(do=prune)


def size(text: str) -> int:
    """Bytes from a number with a unit: 50GB, 1.5 TB, 200MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text.strip())
    if match is None or match[2].upper() not in UNITS:
        msg = f"{text!r} is no size such as 50GB or 200MiB"
        raise argparse.ArgumentTypeError(msg)
    return int(float(match[1]) * UNITS[match[2].upper()])


def prune(options: argparse.Namespace) -> int:
    """Say what would be freed; free it unless told not to.

    Raises:
        BadInput: there is no such home, its stages are another's, or nobody can be asked and there is no `--yes`.

    """
    from medsearch.stages.prune import carry_out

    home = options.home.resolve()
    if not home.is_dir():
        msg = f"no home {home}; name the folder that studies were run with: --home DIR"
        raise BadInput(msg)
    if (home / "stages").is_symlink():
        msg = f"{home / 'stages'} is a link, so other homes may need what is in it; prune the home that it belongs to"
        raise BadInput(msg)
    planned = _plan(home, options)
    _say_plan(planned, options.budget)
    if options.dry_run or not planned.cuts or not (options.yes or _agreed(planned)):
        return 0
    now = _plan(home, options)  # studies may have been begun while the question stood
    allowed = {(cut.act, cut.stage.key) for cut in now.cuts}
    store = Store(home / "stages")
    done = list(carry_out(store, planned.cuts, still=lambda cut: (cut.act, cut.stage.key) in allowed))
    say(f"freed {_shown(sum(cut.frees for cut in done))} in {counted(len(done), 'stage')}")
    if len(done) < len(planned.cuts):
        say(f"left alone, because they are in use by now: {counted(len(planned.cuts) - len(done), 'stage')}")
    return 0


def _plan(home: Path, options: argparse.Namespace) -> "Pruning":
    from medsearch.stages.prune import plan
    from medsearch.study.record.referenced_stages import referenced_stages

    found = referenced_stages(home)
    spare = found.spare if options.keep_best else frozenset()
    return plan(Store(home / "stages"), kept=found.keys, spare=spare, budget=options.budget)


def _agreed(planned: "Pruning") -> bool:
    if not sys.stdin.isatty():
        msg = f"nothing was removed: say --yes to free {_shown(planned.frees)}, as nobody can be asked here"
        raise BadInput(msg)
    sys.stdout.write("go on? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say_plan(planned: "Pruning", budget: int | None) -> None:
    for cut in planned.cuts:
        say(_line(cut))
    left = planned.total - planned.frees
    say(f"{counted(planned.stages, 'stage')}, {_shown(planned.total)}; {_shown(left)} after this")
    if planned.held:
        say(f"left alone, because a process holds them: {counted(planned.held, 'stage')}")
    if budget is not None and left > budget:
        say(f"that is more than {_shown(budget)}, but studies in this home need what is left")


def _line(cut: "Cut") -> str:
    day = time.strftime("%Y-%m-%d", time.localtime(cut.stage.time))
    return f"{cut.stage.key}  {_shown(cut.frees):>9}  {day}  {WORDS[cut.act]}"


def _shown(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
