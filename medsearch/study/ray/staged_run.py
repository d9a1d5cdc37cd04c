"""Run a staged search: one search after another, each on what the ones before it froze.

Starting again is the way to resume: how far each search is stands in its own ledger, and what was frozen in the header.
A search that has ended answers without Ray, and one that may not go on is refused before anything is started for it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import final

from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine.course import course
from medsearch.study.engine.freezing import standing
from medsearch.study.engine.jobs import Planner, Workplace, require_served
from medsearch.study.engine.staged_header import describe
from medsearch.study.ray.execution import SearchRun, Site, driving, on_ray, run_search
from medsearch.study.record.headers import Frozen
from medsearch.study.record.ledger import Ledger

Around = Callable[[Search], AbstractContextManager[Site]]
"""What happens around each search, such as tracking it; it says where runs are done."""


@final
@dataclass(frozen=True, kw_only=True)
class StagedRun:
    """What a staged search has come to: what each group froze, and how each search ended, the refinement's last."""

    folder: Path
    frozen: tuple[Frozen, ...]
    searches: tuple[SearchRun, ...]

    @property
    def trained(self) -> bool:
        """Whether anything had to be done."""
        return any(search.trained for search in self.searches)


def unheard() -> None:
    """Nobody wants to know that the header was brought up to date."""


def here(search: Search) -> AbstractContextManager[Site]:  # noqa: ARG001
    """Nothing happens around a search, which runs on this machine."""
    return nullcontext(Site())


def run_staged(
    staged: StagedSearch,
    place: Workplace,
    around: Around = here,
    *,
    storage: str | None = None,
    described: Callable[[], None] = unheard,
) -> StagedRun:
    """Run what is left of a staged search; when nothing is, say so without starting anything.

    described: called after each search, when the header says how it ended.

    Raises:
        BadInput: a search's folder belongs to another question, as when an earlier group froze other values since, or
            when the group was edited, or is in use; or the cluster cannot be joined.
        StudyFailed: a search failed, or a freeze rule allows none of its trials.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    folder = place.study(staged.name)
    with driving(staged.name, folder) as interruption, ExitStack() as ray:
        for study in staged.studies:
            Ledger(place.study(study)).mend()
        describe(staged, place)
        _require_served(staged, place)
        frozen: list[Frozen] = []
        ran: list[SearchRun] = []

        def run(search: Search) -> None:
            with around(search) as site:
                if not standing(Planner(search, place)).ended:  # all searches share one cluster
                    ray.enter_context(on_ray(site, place, interruption))
                ran.append(run_search(search, place, site, storage=storage))

        for part in course(staged, place, run):
            describe(staged, place)
            described()
            if part.refusal:
                raise part.refusal
            frozen += [part.frozen] if part.frozen else []
    return StagedRun(folder=folder, frozen=tuple(frozen), searches=tuple(ran))


def _require_served(staged: StagedSearch, place: Workplace) -> None:
    """Data that lack what a later group reads are refused before the first one trains."""
    searches = list(staged.searches(staged.stand_in))
    if not standing(Planner(searches[0], place)).ended:
        require_served((run for search in searches for run in Planner(search, place).kinds()), lambda _: place)
