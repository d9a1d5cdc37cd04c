"""The terminal while an ablation runs: a live board where somebody watches, a line for each stage run in a log."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from medsearch.study.ablation import Ablation
from medsearch.study.ablation_plan import SweepForecast
from medsearch.study.events import Event, Listener
from medsearch.study.progress import bar, clock, watched

if TYPE_CHECKING:
    from rich.console import RenderableType

KEPT = 6  # last events on the board


@final
@dataclass
class SweepBoard:
    """What is known of a running ablation, free of any terminal. Times are seconds on `time.monotonic`."""

    ablation: Ablation
    forecast: SweepForecast
    began: float = field(default_factory=time.monotonic)
    ended: int = 0
    failed: int = 0
    running: dict[str, Event] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def done(self) -> int:
        """Distinct stage runs that are stored."""
        return min(self.forecast.distinct, self.forecast.stored + self.ended)

    @property
    def so_far(self) -> str:
        """Stage runs done, of all."""
        return f"{self.done}/{self.forecast.distinct} stage runs"

    def hear(self, event: Event) -> str | None:
        """Take in an event; return it as a line if it is worth one."""
        if event.kind == "retried":
            return self._say(f"{event.run}: its worker process died; it goes on from its checkpoint")
        if event.planned is not None:
            self.rows[event.run] = f"{event.planned.label}, seed {event.planned.seed}"
        if event.kind != "ended":
            self.running[event.run] = event
            return None
        return self._end(event)

    def seconds_left(self) -> float | None:
        """About how long the rest takes, from what was done so far; None before anything was."""
        left = max(0, self.forecast.distinct - self.forecast.lost - self.done - self.failed)
        if not self.ended:
            return None if self.forecast.hours is None else self.forecast.hours * 3600
        return left * (time.monotonic() - self.began) / self.ended

    def _end(self, event: Event) -> str | None:
        self.running.pop(event.run, None)
        if event.end is None or event.end.state == "complete":
            self.ended += 1
            return self._say(f"{event.run} complete ({self.rows.get(event.run, '')})")
        self.failed += 1
        return self._say(f"{event.run} failed ({self.rows.get(event.run, '')}): {event.end.reason}")

    def _say(self, line: str) -> str:
        self.lines.append(line)
        return line


@contextmanager
def sweep_progress(ablation: Ablation, forecast: SweepForecast) -> Iterator[Listener]:
    """A listener that shows an ablation's progress."""
    board = SweepBoard(ablation, forecast)
    with watched(board, lambda: render_sweep(board)) as listener:
        yield listener


def render_sweep(board: SweepBoard) -> "RenderableType":
    """The board for the terminal."""
    from rich.panel import Panel
    from rich.table import Table

    shown = Table.grid(padding=(0, 2))
    failed = f"{board.failed} failed" if board.failed else ""
    shown.add_row("stage runs", bar(board.done, board.forecast.distinct), failed)
    left = board.seconds_left()
    elapsed = f"{clock(time.monotonic() - board.began)} elapsed"
    shown.add_row("time", elapsed, "" if left is None else f"about {clock(left)} left")
    for run, event in board.running.items():
        at = "starting" if event.epoch is None else f"epoch {event.epoch}"
        shown.add_row("now", run, f"{board.rows.get(run, '')}: {at}")
    for line in board.lines:
        shown.add_row("", "", line)
    of = board.ablation
    title = f"{of.name} · {of.method.name} · {of.scale} · {len(of.rows)} rows x {len(of.tasks)} columns"
    return Panel(shown, title=title, title_align="left")
