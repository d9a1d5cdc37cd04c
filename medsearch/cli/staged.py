"""A staged search on the command line."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsearch.cli.cohorts import Data
from medsearch.cli.options import resources, slots
from medsearch.cli.searches import say_stored, say_trained, tasks_of, write_importances
from medsearch.cohorts.tasks import Task
from medsearch.core.terminal import say
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine.code import anew
from medsearch.study.engine.jobs import StudyEnvironment

if TYPE_CHECKING:
    from medsearch.study.ray.execution import ClusterOptions


@dataclass(frozen=True)
class StagedCommand:
    """A staged search in its sizes, with the options it was given: `--trials` and `--finalists` are every search's."""

    staged: StagedSearch
    options: argparse.Namespace

    @staticmethod
    def of(study: StagedSearch, options: argparse.Namespace) -> "StagedCommand":
        """In the scale and with the numbers that the options say."""
        staged = study.at(options.scale)
        given: dict[str, Any] = {name: getattr(options, name) for name in ("trials", "finalists")}
        each = {name: value for name, value in given.items() if value is not None}
        return StagedCommand(
            replace(
                staged,
                groups=tuple(replace(group, **each) for group in staged.groups),
                refinement=staged.refinement and replace(staged.refinement, **each),
                seeds=staged.seeds if options.seeds is None else options.seeds,
            ),
            options,
        )

    @property
    def name(self) -> str:
        """The study's name."""
        return self.staged.name

    def print_plan(self, data: Data) -> None:
        """The plan needs no torch and no Ray, and trains nothing; files that were checked for it are remembered."""
        from medsearch.study.staged_plan import plan_staged, render_staged

        environment = next(iter(data.written_environments(self._tasks()).values()), None)
        if environment is not None:
            for search in self.staged.searches(self.staged.stand_in):
                say_stored(search, environment)
        environment = environment and anew(self.staged, environment, self.options.recompute)
        render_staged(self.staged, plan_staged(self.staged, environment, slots=slots(resources(self.options))))

    def run(self, data: Data) -> Path:
        """Do what is left, write the reports of the searches and of the whole; return the study's folder."""
        from medsearch.cli.running import report
        from medsearch.study.ray.execution import run_staged

        (environment,) = data.environments(self._tasks()).values()
        environment = anew(self.staged, environment, self.options.recompute)
        say_trained(self.staged, environment)
        with _reported(self.name, environment) as rebuilt:
            ended = run_staged(
                self.staged,
                environment,
                lambda of: self._around(of, environment),
                storage=self.options.storage,
                described=rebuilt,
            )
        report(ended.folder, environment)
        say(f"page: {ended.folder / 'report' / 'index.html'}")
        return ended.folder

    @contextmanager
    def _around(self, search: Search, environment: StudyEnvironment) -> Iterator["ClusterOptions"]:
        """Track a search, show its progress, and write its report however it ends."""
        from medsearch.cli.running import cluster_options, tracked
        from medsearch.study.progress import progress

        number = self.staged.studies.index(search.name) + 1
        say(f"{number} of {len(self.staged.studies)}: {search.name}")
        say_stored(search, environment)
        with tracked(environment, search.name, self.options), _reported(search.name, environment) as rebuilt:
            with progress(search) as listener:
                yield cluster_options(self.options, listener)
            write_importances(search, environment, self.options.storage)
            rebuilt()

    def _tasks(self) -> list[Task]:
        """Every task that a search of it may have."""
        return [task for search in self.staged.searches(self.staged.stand_in) for task in tasks_of(search)]


@contextmanager
def _reported(study: str, environment: StudyEnvironment) -> Iterator[Callable[[], None]]:
    """What writes the study's report; where the block fails or is interrupted, it is written once more."""
    from medsearch.reporting.report import rebuild

    def rebuilt() -> None:
        rebuild(environment.study(study), environment.stored)

    try:
        yield rebuilt
    except BaseException:
        with suppress(Exception):  # why the block failed is what the user must see
            rebuilt()
        raise
