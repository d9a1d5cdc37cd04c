"""An ablation on the command line."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medsearch.cli.cohorts import Data
from medsearch.cli.options import resources, slots
from medsearch.cohorts.tasks import Task
from medsearch.core.terminal import say
from medsearch.study.declare.ablation import Ablation
from medsearch.study.engine.code import anew
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.record.headers import AblationHeader
from medsearch.study.record.ledger import Ledger


@dataclass(frozen=True)
class AblationCommand:
    """An ablation in its sizes, with the options it was given."""

    ablation: Ablation
    options: argparse.Namespace

    @staticmethod
    def of(study: Ablation, options: argparse.Namespace) -> "AblationCommand":
        """In the scale and with the numbers that the options say."""
        given = {name: getattr(options, name) for name in ("trials", "seeds")}
        ablation = replace(study.at(options.scale), **{name: v for name, v in given.items() if v is not None})
        for label in options.only:
            ablation.row(label)
        return AblationCommand(ablation, options)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.ablation.name

    def print_plan(self, data: Data) -> None:
        """The plan needs no torch and no Ray, and trains nothing; files that were checked for it are remembered."""
        from medsearch.study.ablation_plan import plan_ablation
        from medsearch.study.plan import render

        environments = self._anew(data.written_environments(self._tasks()))
        if environments:
            say_redrawn(self.ablation, next(iter(environments.values())))
        at_a_time = slots(resources(self.options))
        render(plan_ablation(self.ablation, environments or None, slots=at_a_time, only=self.options.only))

    def run(self, data: Data) -> Path:
        """Do what is left, write the report; return the study's folder."""
        from medsearch.cli.running import cluster_options, report, tracked
        from medsearch.study.ablation_plan import plan_ablation
        from medsearch.study.progress import progress
        from medsearch.study.ray.execution import run_sweep

        environments, only = self._anew(data.environments(self._tasks())), self.options.only
        environment = next(iter(environments.values()))
        say_redrawn(self.ablation, environment)
        at_a_time = slots(resources(self.options))
        forecast = plan_ablation(self.ablation, environments, slots=at_a_time, only=only)
        for line in forecast.notes:
            say(line)
        if forecast.left:
            data.prepare(environments, self._tasks())
        with tracked(environment, self.name, self.options):
            with progress(self.ablation, forecast) as listener:
                ended = run_sweep(self.ablation, environments, cluster_options(self.options, listener), only=only)
            report(ended.folder, environment)
            say(ended.graph.savings(environment.stored))
        return ended.folder

    def _anew(self, environments: Mapping[str, StudyEnvironment]) -> dict[str, StudyEnvironment]:
        return {
            layout: anew(self.ablation, environment, self.options.recompute)
            for layout, environment in environments.items()
        }

    def _tasks(self) -> list[Task]:
        """Every task that a cell has."""
        cells = list(self.ablation.cells())
        retuned = [{knob: v} for knob, domain in self.ablation.retune.items() for v in domain.edges()]  # type: ignore[union-attr]
        tasks = [self.ablation.setup(row, column, knobs).task for row, column in cells for knobs in ({}, *retuned)]
        return list(dict.fromkeys(tasks))


def say_redrawn(ablation: Ablation, environment: StudyEnvironment) -> None:
    """Say so where another number of configurations is asked for than was tried: they fill the space anew."""
    header = Ledger(environment.study(ablation.name)).header(AblationHeader)
    stored = header.retune.trials if header and header.retune else 0
    if stored and ablation.retune and stored != ablation.trials:
        say(
            f"{ablation.name}: {stored} configurations were asked for of each row that is retuned, now it is "
            f"{ablation.trials}; they are drawn anew over the same space, and of the {stored} only those count that "
            "are among them"
        )
