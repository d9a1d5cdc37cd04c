"""The terminal while a search runs: a live board where somebody watches, plain lines in a log.

`Board` is what is known, fed by events and free of any terminal; the rest draws it.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, final

from medsearch.core.terminal import console, say
from medsearch.study.events import Event, Listener
from medsearch.study.fronts import dominates, scored
from medsearch.study.jobs import End
from medsearch.study.record import Role
from medsearch.study.search import Search

if TYPE_CHECKING:
    from rich.console import RenderableType

KEPT = 5  # last events on the board
BAR = 24  # characters
LONG = 1.0  # seconds; a shorter run was found in the store and foretells nothing


@final
@dataclass
class Board:
    """What is known of a running search. Times are seconds on `time.monotonic`."""

    search: Search
    began: float = field(default_factory=time.monotonic)
    ends: dict[str, tuple[Role, End]] = field(default_factory=dict)
    running: dict[str, Event] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)
    took: dict[Role, list[float]] = field(default_factory=dict)
    best: tuple[str, float, Mapping[str, Any]] | None = None
    front: dict[str, tuple[float, ...]] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def so_far(self) -> str:
        """Trials done, of all."""
        return f"{self.count('trial')}/{self.search.settled.trials} trials"

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
        return self._ended(event, now)

    def count(self, role: Role, state: str | None = None) -> int:
        """Runs of a role that ended, in any state or in one."""
        return sum(of == role and state in (None, end.state) for of, end in self.ends.values())

    def planned(self) -> dict[Role, int]:
        """Runs of each role from beginning to end."""
        here = self.search.settled
        each = len(here.seeds)
        return {"trial": here.trials, "reference": len(here.references) * each, "replicate": here.finalists * each}

    def seconds_left(self) -> float | None:
        """About how long the rest takes, from what runs took so far; None before the first has ended."""
        mean = {role: sum(times) / len(times) for role, times in self.took.items()}
        if not mean:
            return None
        usual = mean.get("trial", max(mean.values()))
        left = sum(max(0, n - self.count(role)) * mean.get(role, usual) for role, n in self.planned().items())
        now = time.monotonic()
        begun = sum(min(now - self.starts[run], usual) for run in self.running if run in self.starts)
        return max(0.0, left - begun) / max(1, len(self.running))

    def _ended(self, event: Event, now: float) -> str | None:
        planned, end = event.planned, event.end
        if planned is None or end is None:
            return None
        self.running.pop(event.run, None)
        role = planned.role
        self.ends[event.run] = (role, end)
        seconds = now - self.starts.pop(event.run, now)
        if end.state == "complete" and seconds > LONG:
            self.took.setdefault(role, []).append(seconds)
        led = role == "trial" and self._leads(event.run, end, planned.knobs)
        several = len(self.search.objectives) > 1
        if several and role == "trial" and end.state == "complete":
            led = self._on_the_front(event.run, end)
        praise = "" if not led else " (on the front so far)" if several else " (best so far)"
        return None if event.kind == "resumed" else self._say(_line(event.run, end, praise))

    def _leads(self, run: str, end: End, knobs: Mapping[str, Any]) -> bool:
        if end.state != "complete" or end.value is None:
            return False
        sign = 1 if self.search.objectives[self.search.metric] == "maximize" else -1
        if self.best is not None and sign * end.value <= sign * self.best[1]:
            return False
        self.best = (run, end.value, knobs)
        return True

    def _on_the_front(self, run: str, end: End) -> bool:
        """Whether no trial so far beats it in all objectives."""
        mine = scored(end.values, self.search.objectives.values())
        if any(dominates(other, mine) for other in self.front.values()):
            return False
        self.front = {name: other for name, other in self.front.items() if not dominates(mine, other)} | {run: mine}
        return True

    def _say(self, line: str) -> str:
        self.lines.append(line)
        return line


class Watched(Protocol):
    """A board: what is known of a running study."""

    began: float

    @property
    def so_far(self) -> str:
        """How much is done, as in "3/8 trials"."""

    def hear(self, event: Event) -> str | None:
        """Take in an event; return it as a line if it is worth one."""


@contextmanager
def progress(search: Search) -> Iterator[Listener]:
    """A listener that shows a search's progress."""
    board = Board(search)
    with watched(board, lambda: render(board)) as listener:
        yield listener


@contextmanager
def watched(board: Watched, drawn: "Callable[[], RenderableType]") -> Iterator[Listener]:
    """A listener that shows a board: live, as `drawn`, on a terminal; elsewhere a line for each end."""
    if sys.stdout.isatty():
        with _live(board, drawn) as listener:
            yield listener
        return

    def listen(event: Event) -> None:
        line = board.hear(event)
        if line:
            say(f"[{clock(time.monotonic() - board.began)}] {board.so_far}  {line}")

    yield listen


@contextmanager
def _live(board: Watched, drawn: "Callable[[], RenderableType]") -> Iterator[Listener]:
    from rich.live import Live

    def listen(event: Event) -> None:
        board.hear(event)

    with Live(get_renderable=drawn, console=console(), refresh_per_second=4, transient=True, redirect_stderr=False):
        yield listen


def render(board: Board) -> "RenderableType":
    """The board for the terminal."""
    from rich.panel import Panel
    from rich.table import Table

    search = board.search
    shown = Table.grid(padding=(0, 2))
    shown.add_row("trials", bar(board.count("trial"), search.settled.trials), _states(board))
    for role in ("reference", "replicate"):
        total = board.planned()[role]
        if total:
            failed = board.count(role, "failed")
            shown.add_row(f"{role}s", bar(board.count(role), total), f"{failed} failed" if failed else "")
    left = board.seconds_left()
    elapsed = f"{clock(time.monotonic() - board.began)} elapsed"
    shown.add_row("time", elapsed, "" if left is None else f"about {clock(left)} left")
    if board.best:
        run, value, knobs = board.best
        shown.add_row("best", f"{value:.4f} {search.metric}", f"{run}: {_knobs(knobs)}")
    if len(search.objectives) > 1 and board.front:
        shown.add_row("front", f"{len(board.front)} trials", f"of {', '.join(search.objectives)}")
    for run, event in board.running.items():
        shown.add_row("now", run, _now(event, search.metric))
    for line in board.lines:
        shown.add_row("", "", line)
    title = f"{search.name} · {search.method.name} · {search.scale} · selection: {search.selection}"
    return Panel(shown, title=title, title_align="left")


def clock(seconds: float) -> str:
    """A duration as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def bar(done: int, total: int) -> str:
    """How much of it is done, drawn."""
    filled = round(BAR * min(1.0, done / total)) if total else BAR
    return f"{'█' * filled}{'░' * (BAR - filled)} {done}/{total}"


def _states(board: Board) -> str:
    running = sum(run.startswith("trial-") for run in board.running)
    counted = [
        f"{running} running",
        f"{board.count('trial', 'cut')} stopped",
        f"{board.count('trial', 'failed')} failed",
    ]
    return ", ".join(counted)


def _now(event: Event, metric: str) -> str:
    if event.epoch is None:
        return "starting"
    value = event.metrics.get(metric)
    return f"{event.node}, epoch {event.epoch}" + (f", {value:.4f}" if value is not None else "")


def _line(run: str, end: End, praise: str) -> str:
    if end.state == "failed":
        return f"{run} failed: {end.reason}"
    if end.state == "cut":
        return f"{run} {end.reason}"
    value = f": {', '.join(f'{value:.4f}' for value in end.values)}" if end.values else ""
    return f"{run} complete{value}{praise}"


def _knobs(knobs: Mapping[str, Any]) -> str:
    """Knobs by their last name, numbers to three digits."""
    return ", ".join(
        f"{knob.rpartition('.')[2]} = {f'{value:.3g}' if isinstance(value, float) else value}"
        for knob, value in knobs.items()
    )
