"""What hands out a study's jobs and writes down how they end: the seam between a study and whatever runs it."""

from collections.abc import Mapping
from typing import Literal, Protocol, final

from medsearch.core.errors import MedsearchError
from medsearch.stages.store import Store
from medsearch.study.events import Listener
from medsearch.study.jobs import End, Job
from medsearch.study.ledger import Ledger

RENEWALS = 3
"""Times that a run is handed out again because what it takes was damaged."""


class StudyFailed(MedsearchError):
    """What every run stands on could not be trained, or no run came to its end."""


@final
class Renewals:
    """How often runs came back because a file that they take was damaged, and is made anew for them."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def again(self, run: str, end: End) -> bool:
        """Whether a run that ended so is to be handed out again; not for ever, as a disk may damage all it gets."""
        if end.cause != "damaged":
            return False
        self._count[run] = self._count.get(run, 0) + 1
        return self._count[run] <= RENEWALS


class Conducts(Protocol):
    """A study under way; `execution` runs it on Ray, a test in its own process."""

    @property
    def store(self) -> Store:
        """Where stages lie."""

    @property
    def ledger(self) -> Ledger:
        """Where runs are written down."""

    @property
    def listener(self) -> Listener:
        """Who is told."""

    @property
    def running(self) -> Mapping[str, Job]:
        """Jobs that were handed out and have not ended, by run."""

    def next(self) -> Job | Literal["not yet", "finished"]:
        """The next job; "not yet" while all that is left waits for jobs under way.

        Raises:
            StudyFailed: what is left cannot be done.

        """

    def ended(self, run: str, end: End) -> None:
        """Record the end of a job that was handed out."""
