"""Run a staged search: one search after another, each on what the ones before it froze.

Nothing is kept beside the searches' own folders: what was frozen is worked out again from their ledgers, so starting
again is the way to resume, and a search that has ended answers without Ray.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import final

from medsearch.study.execution import SearchRun, Site, driving, on_ray, run_search
from medsearch.study.freezing import Frozen, freeze, standing
from medsearch.study.identity import ELSEWHERE
from medsearch.study.jobs import Planner, Workplace, require_served
from medsearch.study.search import Search
from medsearch.study.staged import StagedSearch, refinement_of, search_of
from medsearch.study.staged_header import describe, moved, point_of

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


def here(search: Search) -> AbstractContextManager[Site]:  # noqa: ARG001
    """Nothing happens around a search, which runs on this machine."""
    return nullcontext(Site())


def run_staged(
    staged: StagedSearch, place: Workplace, around: Around = here, *, storage: str | None = None
) -> StagedRun:
    """Run what is left of a staged search; when nothing is, say so without starting anything.

    Raises:
        BadInput: a search's folder belongs to another question, as when an earlier group froze other values since, or
            is in use; or the cluster cannot be joined.
        StudyFailed: a search failed, or a freeze rule allows none of its trials.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    folder = place.study(staged.name)
    with driving(staged.name, folder) as interruption, ExitStack() as ray:
        describe(staged, place)
        _require_served(staged, place)
        frozen: list[Frozen] = []
        ran: list[SearchRun] = []

        def run(search: Search) -> None:
            with around(search) as site:
                if not standing(Planner(search, place)).ended:  # all searches share one cluster
                    ray.enter_context(on_ray(site, place, interruption))
                remedy = _remedy(staged, search, place)
                ran.append(run_search(search, place, site, storage=storage, remedy=remedy))

        for index, group in enumerate(staged.groups):
            search = search_of(staged, index, point_of(frozen))
            run(search)
            describe(staged, place)
            frozen.append(freeze(search, group.freeze, standing(Planner(search, place)), place.store))
        if staged.refinement:
            run(refinement_of(staged, point_of(frozen)))
    return StagedRun(folder=folder, frozen=tuple(frozen), searches=tuple(ran))


def _require_served(staged: StagedSearch, place: Workplace) -> None:
    """Data that lack what a later group reads are refused before the first one trains."""
    searches = list(staged.searches(staged.stand_in))
    if not standing(Planner(searches[0], place)).ended:
        require_served((run for search in searches for run in Planner(search, place).kinds()), lambda _: place)


def _remedy(staged: StagedSearch, search: Search, place: Workplace) -> str:
    """What to do where a search's folder is another question's: mostly, an earlier group has another winner since."""
    since = moved(staged, search, place)
    if not since:
        return ELSEWHERE
    after = staged.studies[staged.studies.index(search.name) :]
    return (
        f"the groups before it freeze {since} since then; remove the folders of {', '.join(after)} (what they trained "
        "stays in the store), or undo what moved the earlier winner, such as more trials"
    )
