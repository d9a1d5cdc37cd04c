"""The terminal while a study runs: a live board where somebody watches, plain lines in a log.

`Board` is what is known, fed by events and free of any terminal; the rest draws it.
"""

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from medsearch.core.terminal import console, say
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.search import Search
from medsearch.study.engine.driver import Event, Listener
from medsearch.study.engine.fronts import dominates, scored
from medsearch.study.engine.jobs import RunResult
from medsearch.study.plan import Forecast
from medsearch.study.record.headers import Role
from medsearch.study.record.ledger import PlannedRun

if TYPE_CHECKING:
    from rich.console import RenderableType

KEPT = 5  # last events on the board
BAR = 24  # characters
LONG = 1.0  # seconds; a shorter run was found in the store and foretells nothing
PLURALS: Mapping[str, str] = {"stage": "stage runs"}


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
    that were finished before. forecast: hours that the rest may take, before any run has ended.
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

    @property
    def so_far(self) -> str:
        """How much is done, as in "3/8 trials"."""
        role, total = next(iter(self.totals.items()))
        return f"{self.done(role)}/{total} {_plural(role)}"

    def hear(self, event: Event) -> str | None:
        """Take in an event; return it as a line if it is worth one."""
        now = time.monotonic()
        if event.kind == "epoch":
            self.running[event.run] = event
            return None
        if event.kind == "started":
            self.running[event.run], self.starts[event.run] = event, now
            return None
        if event.kind == "retried":
            return self._say(f"{event.run}: its worker process died; it goes on from its checkpoint")
        if event.planned is None or event.end is None:
            return None
        return self._ended(event.planned, event.end, now, told=event.kind == "ended")

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

    def _ended(self, planned: PlannedRun, end: RunResult, now: float, *, told: bool) -> str | None:
        self.running.pop(planned.run, None)
        self.ends[planned.run] = (planned.role, end)
        seconds = now - self.starts.pop(planned.run, now)
        if end.state == "complete" and (seconds > LONG or planned.role == "stage"):
            self.took.setdefault(planned.role, []).append(seconds)
        praise = self.leaders.take_in(planned, end) if self.leaders else ""
        return self._say(_line(planned, end, praise)) if told else None

    def _say(self, line: str) -> str:
        self.lines.append(line)
        return line


def board_of(study: Search | Ablation, forecast: Forecast | None = None) -> Board:
    """The board of a study before anything of it was done. forecast: of an ablation, which its stage runs count by."""
    if isinstance(study, Ablation):
        size = f"{len(study.rows)} rows x {len(study.tasks)} columns"
        totals: dict[Role, int] = {"stage": forecast.distinct - forecast.lost if forecast else 0}
        board = Board(f"{study.name} · {study.method.name} · {study.scale} · {size}", totals)
        board.stored, board.forecast = (forecast.stored, forecast.hours) if forecast else (0, None)
        return board
    here = study.resolved
    each = len(here.seeds)
    wanted: dict[Role, int] = {"reference": len(here.references) * each, "replicate": here.finalists * each}
    totals = {"trial": here.trials, **{role: total for role, total in wanted.items() if total}}
    title = f"{study.name} · {study.method.name} · {study.scale} · selection: {study.selection}"
    return Board(title, totals, Leaders(study))


@contextmanager
def progress(study: Search | Ablation, forecast: Forecast | None = None) -> Iterator[Listener]:
    """A listener that shows a study's progress: live on a terminal; elsewhere a line for each end."""
    board = board_of(study, forecast)
    if sys.stdout.isatty():
        with _live(board) as listener:
            yield listener
        return

    def listen(event: Event) -> None:
        line = board.hear(event)
        if line:
            say(f"[{clock(time.monotonic() - board.began)}] {board.so_far}  {line}")

    yield listen


@contextmanager
def _live(board: Board) -> Iterator[Listener]:
    from rich.live import Live

    def listen(event: Event) -> None:
        board.hear(event)

    def drawn() -> "RenderableType":
        return render(board)

    with Live(get_renderable=drawn, console=console(), refresh_per_second=4, transient=True, redirect_stderr=False):
        yield listen


def render(board: Board) -> "RenderableType":
    """The board for the terminal."""
    from rich.panel import Panel
    from rich.table import Table

    shown = Table.grid(padding=(0, 2))
    for role, total in board.totals.items():
        shown.add_row(_plural(role), bar(board.done(role), total), _states(board, role))
    left = board.seconds_left()
    elapsed = f"{clock(time.monotonic() - board.began)} elapsed"
    shown.add_row("time", elapsed, "" if left is None else f"about {clock(left)} left")
    metric = board.leaders.search.metric if board.leaders else ""
    if board.leaders and board.leaders.best:
        run, value, knobs = board.leaders.best
        shown.add_row("best", f"{value:.4f} {metric}", f"{run}: {_knobs(knobs)}")
    if board.leaders and board.leaders.front:
        objectives = ", ".join(board.leaders.search.objectives)
        shown.add_row("front", f"{len(board.leaders.front)} trials", f"of {objectives}")
    for run, event in board.running.items():
        shown.add_row("now", run, _now(event, metric))
    for line in board.lines:
        shown.add_row("", "", line)
    return Panel(shown, title=board.title, title_align="left")


def clock(seconds: float) -> str:
    """A duration as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def bar(done: int, total: int) -> str:
    """How much of it is done, drawn."""
    filled = round(BAR * min(1.0, done / total)) if total else BAR
    return f"{'█' * filled}{'░' * (BAR - filled)} {done}/{total}"


def _plural(role: Role) -> str:
    return PLURALS.get(role, f"{role}s")


def _states(board: Board, role: Role) -> str:
    failed = board.count(role, "failed")
    if role != "trial":
        return f"{failed} failed" if failed else ""
    running = sum(event.planned is not None and event.planned.role == role for event in board.running.values())
    return f"{running} running, {board.count(role, 'cut')} stopped, {failed} failed"


def _now(event: Event, metric: str) -> str:
    of, value = event.planned, event.metrics.get(metric)
    stage = of is not None and of.role == "stage"
    before = f"{of.label}, seed {of.seed}: " if of and stage else f"{event.node}, " if event.epoch is not None else ""
    at = "starting" if event.epoch is None else f"epoch {event.epoch}"
    return f"{before}{at}" + (f", {value:.4f}" if value is not None else "")


def _line(planned: PlannedRun, end: RunResult, praise: str) -> str:
    whose = f" ({planned.label}, seed {planned.seed})" if planned.role == "stage" else ""
    if end.state == "failed":
        return f"{planned.run} failed{whose}: {end.reason}"
    if end.state == "cut":
        return f"{planned.run} {end.reason}"
    value = f": {', '.join(f'{value:.4f}' for value in end.values)}" if end.values else ""
    return f"{planned.run} complete{value}{whose}{praise}"


def _knobs(knobs: Mapping[str, Any]) -> str:
    """Knobs by their last name, numbers to three digits."""
    return ", ".join(
        f"{knob.rpartition('.')[2]} = {f'{value:.3g}' if isinstance(value, float) else value}"
        for knob, value in knobs.items()
    )
