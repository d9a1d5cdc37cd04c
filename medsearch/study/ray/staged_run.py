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
from medsearch.study.engine.jobs import Planner, StudyEnvironment, require_served
from medsearch.study.engine.search_status import search_status
from medsearch.study.engine.staged_header import describe
from medsearch.study.engine.staged_status import staged_status
from medsearch.study.ray.execution import ClusterOptions, SearchRun, driving, on_ray, run_search
from medsearch.study.record.headers import Frozen
from medsearch.study.record.ledger import Ledger

Around = Callable[[Search], AbstractContextManager[ClusterOptions]]
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


def ignore_event() -> None:
    """Nobody wants to know that the header was brought up to date."""


def here(search: Search) -> AbstractContextManager[ClusterOptions]:  # noqa: ARG001
    """Nothing happens around a search, which runs on this machine."""
    return nullcontext(ClusterOptions())


def run_staged(
    staged: StagedSearch,
    environment: StudyEnvironment,
    around: Around = here,
    *,
    storage: str | None = None,
    described: Callable[[], None] = ignore_event,
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
    folder = environment.study(staged.name)
    with driving(staged.name, folder) as interruption, ExitStack() as ray:
        for study in staged.studies:
            Ledger(environment.study(study)).mend()
        describe(staged, environment)
        _require_served(staged, environment)
        frozen: list[Frozen] = []
        ran: list[SearchRun] = []

        def run(search: Search) -> None:
            with around(search) as cluster_options:
                if not search_status(Planner(search, environment)).ended:  # all searches share one cluster
                    ray.enter_context(on_ray(cluster_options, environment, interruption))
                ran.append(run_search(search, environment, cluster_options, storage=storage))

        for part in staged_status(staged, environment, run):
            describe(staged, environment)
            described()
            if part.refusal:
                raise part.refusal
            frozen += [part.frozen] if part.frozen else []
    return StagedRun(folder=folder, frozen=tuple(frozen), searches=tuple(ran))


def _require_served(staged: StagedSearch, environment: StudyEnvironment) -> None:
    """Data that lack what a later group reads are refused before the first one trains."""
    searches = list(staged.searches(staged.stand_in))
    if not search_status(Planner(searches[0], environment)).ended:
        require_served(
            (run for search in searches for run in Planner(search, environment).kinds()), lambda _: environment
        )
