"""`medsearch prune`: says what it would free, asks, and frees it."""

import argparse
import sys
import time
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.core.terminal import say
from medsearch.reporting.wording import counted
from medsearch.stages.prune import Pruning, carry_out, plan
from medsearch.stages.store import Store
from medsearch.study.record.referenced_stages import referenced_stages

WORDS = {
    "remove": "remove, no study mentions it",
    "thin": "thin, keep numbers and pictures",
    "forget progress": "remove the checkpoint, it will not go on",
}


def prune(options: argparse.Namespace) -> int:
    """Say what would be freed; free it unless told not to.

    Raises:
        BadInput: there is no such home, its stages are another's, or nobody can be asked and there is no `--yes`.

    """
    home = options.home.resolve()
    if not home.is_dir():
        msg = f"no home {home}; name the folder that studies were run with: --home DIR"
        raise BadInput(msg)
    if (home / "stages").is_symlink():
        msg = f"{home / 'stages'} is a link, so other homes may need what is in it; prune the home that it belongs to"
        raise BadInput(msg)
    planned = _plan(home, options)
    for cut in planned.cuts:
        day = time.strftime("%Y-%m-%d", time.localtime(cut.stage.time))
        say(f"{cut.stage.key}  {_shown(cut.frees):>9}  {day}  {WORDS[cut.act]}")
    left = planned.total - planned.frees
    say(f"{counted(planned.stages, 'stage')}, {_shown(planned.total)}; {_shown(left)} after this")
    if planned.held:
        say(f"left alone, because a process holds them: {counted(planned.held, 'stage')}")
    if options.budget is not None and left > options.budget:
        say(f"that is more than {_shown(options.budget)}, but studies in this home need what is left")
    if options.dry_run or not planned.cuts:
        return 0
    if not options.yes:
        if not sys.stdin.isatty():
            msg = f"nothing was removed: say --yes to free {_shown(planned.frees)}, as nobody can be asked here"
            raise BadInput(msg)
        sys.stdout.write("go on? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 0
    now = _plan(home, options)  # studies may have been begun while the question stood
    allowed = {(cut.act, cut.stage.key) for cut in now.cuts}
    store = Store(home / "stages")
    done = list(carry_out(store, planned.cuts, still=lambda cut: (cut.act, cut.stage.key) in allowed))
    say(f"freed {_shown(sum(cut.frees for cut in done))} in {counted(len(done), 'stage')}")
    if len(done) < len(planned.cuts):
        say(f"left alone, because they are in use by now: {counted(len(planned.cuts) - len(done), 'stage')}")
    return 0


def _plan(home: Path, options: argparse.Namespace) -> Pruning:
    referenced = referenced_stages(home)
    spare = referenced.spare if options.keep_best else frozenset()
    return plan(Store(home / "stages"), kept=referenced.keys, spare=spare, budget=options.budget)


def _shown(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
