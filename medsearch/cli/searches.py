"""A search on the command line."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from medsearch.cli.cohorts import Data
from medsearch.cli.options import resources, slots
from medsearch.cohorts.tasks import Task
from medsearch.core.records import write_sealed
from medsearch.core.terminal import say
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine.code import anew, lines, stored_keys, trained_by
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.record.ledger import Ledger


@dataclass(frozen=True)
class SearchCommand:
    """A search in its sizes, with the options it was given."""

    search: Search
    options: argparse.Namespace

    @staticmethod
    def of(study: Search, options: argparse.Namespace) -> "SearchCommand":
        """In the scale and with the numbers that the options say."""
        given = {name: getattr(options, name) for name in ("trials", "finalists", "seeds")}
        search = replace(study.at(options.scale), **{name: value for name, value in given.items() if value is not None})
        return SearchCommand(search, options)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.search.name

    def print_plan(self, data: Data) -> None:
        """The plan needs no torch and no Ray, and trains nothing; files that were checked for it are remembered."""
        from medsearch.study.plan import render
        from medsearch.study.search_plan import plan_search

        environment = next(iter(data.written_environments(self._tasks()).values()), None)
        if environment is not None:
            say_stored(self.search, environment)
        environment = environment and anew(self.search, environment, self.options.recompute)
        render(plan_search(self.search, environment, slots=slots(resources(self.options))))

    def run(self, data: Data) -> Path:
        """Do what is left, write the report; return the study's folder."""
        from medsearch.cli.running import cluster_options, report, tracked
        from medsearch.study.progress import progress
        from medsearch.study.ray.execution import run_search

        (environment,) = data.environments(self._tasks()).values()
        say_stored(self.search, environment)
        environment = anew(self.search, environment, self.options.recompute)
        say_trained(self.search, environment)
        with tracked(environment, self.name, self.options):
            with progress(self.search) as listener:
                ended = run_search(
                    self.search, environment, cluster_options(self.options, listener), storage=self.options.storage
                )
            write_importances(self.search, environment, self.options.storage)
            report(ended.folder, environment)
        return ended.folder

    def _tasks(self) -> list[Task]:
        return tasks_of(self.search)


def tasks_of(search: Search) -> list[Task]:
    """The task of the search, and those of its references and of what it searches."""
    rows = [row.knobs for row in search.resolved.references]
    tried = [{knob: value} for knob, domain in search.resolved.domains.items() for value in domain.edges()]
    return [search.setup(knobs).task for knobs in ({}, *rows, *tried)]


def say_stored(search: Search, environment: StudyEnvironment) -> None:
    """Say so where more trials are stored than are asked for: none is forgotten because a number was lowered."""
    runs = Ledger(environment.study(search.name)).runs().values()
    stored, asked = sum(run.role == "trial" for run in runs), search.resolved.trials
    if stored > asked:
        say(f"{search.name}: {stored} trials are stored, {asked} asked for; all {stored} count, and no other is tried")


def say_trained(study: Search | StagedSearch, environment: StudyEnvironment) -> None:
    """Say which of the stages that the study has stored other code has trained, and what is done about them."""
    for line in lines(trained_by(study, environment, stored_keys(study, environment)), environment.recompute):
        say(line)


def write_importances(search: Search, environment: StudyEnvironment, storage: str | None) -> None:
    """Write down what the sampler's storage says of the knobs, for reports to find it without Optuna."""
    from medsearch.reporting.collect import IMPORTANCES
    from medsearch.study.engine.proposals import Proposals, sqlite

    folder = environment.study(search.name)
    shares, why = Proposals(search, storage or sqlite(folder)).importances()
    write_sealed(folder / IMPORTANCES, {"shares": shares, "why": why})
