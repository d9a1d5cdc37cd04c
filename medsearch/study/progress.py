"""The terminal while a study runs: a live board where somebody watches, plain lines in a log.

`Board` is what is known, fed by events and free of any terminal; `render` draws it.
"""

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, final

from medsearch.core.terminal import console, say
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.search import Search
from medsearch.study.engine.driver import Event, Listener
from medsearch.study.engine.jobs import RunResult
from medsearch.study.engine.ranking import dominates, scored
from medsearch.study.plan import Plan
from medsearch.study.record.headers import Role
from medsearch.study.record.ledger import PlannedRun

if TYPE_CHECKING:
    from rich.console import RenderableType

KEPT = 5  # last events on the board
BAR = 24  # characters
LONG = 1.0  # seconds; a shorter run was found in the store and foretells nothing
NOUNS: Mapping[Role, str] = {
    "stage": "stage runs",
    "trial": "trials",
    "reference": "references",
    "replicate": "replicates",
}


@final
@dataclass
class Leaders:
    """The trials of a search that lead so far: the best one, or of several objectives those that no other beats."""

    search: Search
    best: tuple[str, float, Mapping[str, Any]] | None = None
    front: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def take_in(self, planned: PlannedRun, end: RunResult) -> str:
        """Take in a trial that ended; the words for one that leads, empty for another."""
        if planned.role != "trial" or end.state != "complete" or end.value is None:
            return ""
        directions = tuple(self.search.objectives.values())
        mine = scored(end.values, directions)
        if self.best is None or mine[0] > scored(self.best[1:2], directions)[0]:
            self.best = planned.run, end.value, planned.knobs
        if len(directions) == 1:
            return " (best so far)" if self.best[0] == planned.run else ""
        if any(dominates(other, mine) for other in self.front.values()):
            return ""
        self.front = {run: other for run, other in self.front.items() if not dominates(mine, other)}
        self.front[planned.run] = mine
        return " (on the front so far)"


@final
@dataclass
class Board:
    """What is known of a running study. Times are seconds on `time.monotonic`.

    totals: runs from beginning to end by role, the role that progress is told by first. stored: those of that role
    that were finished before. forecast: hours that the rest may take, before any run has ended; None: not known.
    """

    title: str
    totals: Mapping[Role, int]
    leaders: Leaders | None = None
    stored: int = 0
    forecast: float | None = None
    began: float = field(default_factory=time.monotonic)
    ends: dict[str, tuple[Role, RunResult]] = field(default_factory=dict)
    running: dict[str, Event] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)
    took: dict[Role, list[float]] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))

    def hear(self, event: Event) -> str | None:
        """Take in an event; return it as a line if it is worth one."""
        now, planned, end = time.monotonic(), event.planned, event.end
        line = None
        if event.kind in ("epoch", "started"):
            self.running[event.run] = event
            if event.kind == "started":
                self.starts[event.run] = now
        elif event.kind == "retried":
            line = f"{event.run}: its worker process died; it goes on from its checkpoint"
        elif planned is not None and end is not None:
            self.running.pop(planned.run, None)
            self.ends[planned.run] = (planned.role, end)
            seconds = now - self.starts.pop(planned.run, now)
            if end.state == "complete" and (seconds > LONG or planned.role == "stage"):
                self.took.setdefault(planned.role, []).append(seconds)
            praise = self.leaders.take_in(planned, end) if self.leaders else ""
            line = _line_of_end(planned, end, praise) if event.kind == "ended" else None
        if line is not None:
            self.lines.append(line)
        return line

    def count(self, role: Role, state: str | None = None) -> int:
        """Runs of a role that ended, in any state or in one."""
        return sum(of == role and state in (None, end.state) for of, end in self.ends.values())

    def done(self, role: Role) -> int:
        """Runs of a role that need not be done any more; stage runs that failed are not done."""
        stored = self.stored if role == next(iter(self.totals)) else 0
        return min(self.totals[role], stored + self.count(role, "complete" if role == "stage" else None))

    def seconds_left(self) -> float | None:
        """About how long the rest takes, from what runs took so far; before the first has ended, as was forecast."""
        mean = {role: sum(times) / len(times) for role, times in self.took.items()}
        if not mean:
            return None if self.forecast is None else self.forecast * 3600
        usual = mean.get(next(iter(self.totals)), max(mean.values()))
        left = sum(
            max(0, total - self.done(role) - (self.count(role, "failed") if role == "stage" else 0))
            * mean.get(role, usual)
            for role, total in self.totals.items()
        )
        now = time.monotonic()
        begun = sum(min(now - self.starts[run], usual) for run in self.running if run in self.starts)
        return max(0.0, left - begun) / max(1, len(self.running))


def board_of(study: Search | Ablation, plan: Plan | None = None) -> Board:
    """The board of a study before anything of it was done. plan: of an ablation, which its stage runs count by."""
    if isinstance(study, Ablation):
        size = f"{len(study.rows)} rows x {len(study.tasks)} columns"
        totals: dict[Role, int] = {"stage": plan.distinct - plan.lost if plan else 0}
        board = Board(f"{study.name} · {study.method.name} · {study.scale} · {size}", totals)
        board.stored, board.forecast = (plan.stored, plan.hours) if plan else (0, None)
        return board
    here = study.resolved
    seeds = len(here.seeds)
    repeated: dict[Role, int] = {"reference": len(here.references) * seeds, "replicate": here.finalists * seeds}
    totals = {"trial": here.trials, **{role: total for role, total in repeated.items() if total}}
    title = f"{study.name} · {study.method.name} · {study.scale} · selection: {study.selection}"
    return Board(title, totals, Leaders(study))


@contextmanager
def progress(study: Search | Ablation, plan: Plan | None = None) -> Iterator[Listener]:
    """A listener that shows a study's progress: live on a terminal; elsewhere a line for each end."""
    board, watched = board_of(study, plan), sys.stdout.isatty()
    role, total = next(iter(board.totals.items()))

    def listen(event: Event) -> None:
        line = board.hear(event)
        if line and not watched:
            elapsed = clock(time.monotonic() - board.began)
            say(f"[{elapsed}] {board.done(role)}/{total} {NOUNS[role]}  {line}")

    if watched:
        from rich.live import Live

        draw = partial(render, board)
        with Live(get_renderable=draw, console=console(), refresh_per_second=4, transient=True, redirect_stderr=False):
            yield listen
    else:
        yield listen


def render(board: Board) -> "RenderableType":
    """The board as a panel for the terminal: counts by role, time, the best trial, what runs now, the last events."""
    from rich.panel import Panel
    from rich.table import Table

    shown = Table.grid(padding=(0, 2))
    for role, total in board.totals.items():
        failed = board.count(role, "failed")
        states = f"{failed} failed" if failed else ""
        if role == "trial":
            running = sum(bool(event.planned and event.planned.role == role) for event in board.running.values())
            states = f"{running} running, {board.count(role, 'cut')} stopped, {failed} failed"
        done = board.done(role)
        filled = round(BAR * min(1.0, done / total)) if total else BAR
        shown.add_row(NOUNS[role], f"{'█' * filled}{'░' * (BAR - filled)} {done}/{total}", states)
    left = board.seconds_left()
    elapsed = f"{clock(time.monotonic() - board.began)} elapsed"
    shown.add_row("time", elapsed, "" if left is None else f"about {clock(left)} left")
    metric = board.leaders.search.metric if board.leaders else ""
    if board.leaders and board.leaders.best:
        run, best, knobs = board.leaders.best
        values = (
            f"{knob.rpartition('.')[2]} = {f'{value:.3g}' if isinstance(value, float) else value}"
            for knob, value in knobs.items()
        )
        shown.add_row("best", f"{best:.4f} {metric}", f"{run}: {', '.join(values)}")
    if board.leaders and board.leaders.front:
        objectives = ", ".join(board.leaders.search.objectives)
        shown.add_row("front", f"{len(board.leaders.front)} trials", f"of {objectives}")
    for run, event in board.running.items():
        planned = event.planned
        now = "starting" if event.epoch is None else f"epoch {event.epoch}"
        if planned and planned.role == "stage":
            now = f"{planned.label}, seed {planned.seed}: {now}"
        elif event.epoch is not None:
            now = f"{event.node}, {now}"
        score = event.metrics.get(metric)
        shown.add_row("now", run, now if score is None else f"{now}, {score:.4f}")
    for line in board.lines:
        shown.add_row("", "", line)
    return Panel(shown, title=board.title, title_align="left")


def clock(seconds: float) -> str:
    """A duration in seconds as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _line_of_end(planned: PlannedRun, end: RunResult, praise: str) -> str:
    owner = f" ({planned.label}, seed {planned.seed})" if planned.role == "stage" else ""
    if end.state == "failed":
        return f"{planned.run} failed{owner}: {end.reason}"
    if end.state == "cut":
        return f"{planned.run} {end.reason}"
    value = f": {', '.join(f'{value:.4f}' for value in end.values)}" if end.values else ""
    return f"{planned.run} complete{value}{owner}{praise}"
