"""What a running study says to whoever listens: the terminal, a test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from medsearch.study.engine.jobs import RunResult
from medsearch.study.record.ledger import PlannedRun


@final
@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that the user may want to know of a run.

    resumed: it ended in an earlier life of the study. started, epoch, ended: in this one. retried: its worker died.
    """

    kind: Literal["resumed", "started", "epoch", "ended", "retried"]
    run: str = ""
    planned: PlannedRun | None = None
    end: RunResult | None = None
    node: str = ""
    epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


Listener = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """A listener that does not listen."""
