"""The command line of a study file: `run(STUDY)` in its last line makes it a program."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medsearch.cli.cohorts import Data
from medsearch.cli.exits import exits
from medsearch.cli.options import CliSpec, folders, parser, require_values
from medsearch.core.ownership import prepare_home
from medsearch.core.terminal import interactive, say
from medsearch.stages.code import forget

if TYPE_CHECKING:
    from medsearch.cohorts.tasks import Task
    from medsearch.study import Ablation, Search, StagedSearch


class StudyCommand(Protocol):
    """A study of one kind, in its sizes, as the command line sees it."""

    @property
    def name(self) -> str:
        """The study's name."""

    def print_plan(self, data: Data) -> None:
        """Say what is left to do."""

    def run(self, data: Data) -> Path:
        """Do what is left, write the report; return the study's folder."""


def run(study: "Search | StagedSearch | Ablation", arguments: Sequence[str] | None = None) -> Path | None:
    """Parse the command line, run what is left of the study, write its report, print the answer.

    arguments: options as on a command line; None: those of the program, and none at a prompt or in a notebook.

    Returns the study's folder; None where only the plan was asked for. A program ends here if the study fails, with an
    exit code; at a prompt, the error is raised.
    """
    with exits(lossy=True) as environments:
        forget()
        given = list(arguments if arguments is not None else [] if interactive() else sys.argv[1:])
        require_values(given)
        asked = _asked(study)
        options = parser(asked).parse_args(given)
        environments.append(options.home)
        writes = options.data or not options.dry_run  # what was found out about data is remembered
        if writes and (made := prepare_home(options.home, group=options.group_home)) is not None:
            say(made)
        study, located = _put_to(study, folders(options.data, asked.layouts))
        data = Data(
            folders=located,
            anatomy=options.anatomy,
            skip_bad=options.skip_bad,
            home=options.home,
            store=options.store,
            cache=options.cache,
            say=say,
        )
        of = _asking(study, options)
        if not options.dry_run:
            return of.run(data)
        of.print_plan(data)
    return None


def _put_to(
    study: "Search | StagedSearch | Ablation", given: Mapping[str, Path]
) -> "tuple[Search | StagedSearch | Ablation, dict[str, Path]]":
    """The study, put to the releases that its folders are of, and the folders by their layouts.

    A study that is declared on BraTS 2020 runs on the files of 2021 or 2023 as it is. Its cohort is another one then,
    by which reported values are not judged.
    """
    from medsearch.cohorts.layouts import sibling

    layouts = {declared: sibling(folder, declared) for declared, folder in given.items()}
    others = {declared: found for declared, found in layouts.items() if found != declared}
    for declared, found in others.items():
        say(f"{given[declared]} is in the {found} layout: the study, declared on {declared}, is put to it")
    return _relaid(study, others) if others else study, {layouts[name]: folder for name, folder in given.items()}


def _relaid(study: Any, layouts: Mapping[str, str]) -> Any:
    """A study with tasks on other layouts, and the search that it varies, if it varies one."""

    def put(task: "Task") -> "Task":
        return replace(task, layout=layouts.get(task.layout, task.layout))

    if hasattr(study, "tasks"):
        of = study.of and _relaid(study.of, layouts)
        return replace(study, tasks={label: put(task) for label, task in study.tasks.items()}, of=of)
    return replace(study, task=put(study.task))


def _asked(study: "Search | StagedSearch | Ablation") -> CliSpec:
    tasks = getattr(study, "tasks", None)
    layouts = [task.layout for task in tasks.values()] if tasks else [study.task.layout]  # type: ignore[union-attr]
    return CliSpec(
        question=study.question,
        cost=study.cost,
        layouts=tuple(dict.fromkeys(layouts)),
        rows=tasks is not None,
        groups=hasattr(study, "groups"),
    )


def _asking(study: "Search | StagedSearch | Ablation", options: argparse.Namespace) -> StudyCommand:
    """The module of its kind, imported only now: a search's plan needs nothing of an ablation."""
    from medsearch.study import Ablation, StagedSearch

    if isinstance(study, Ablation):
        from medsearch.cli.ablations import AblationCommand

        return AblationCommand.of(study, options)
    if isinstance(study, StagedSearch):
        from medsearch.cli.staged import StagedCommand

        return StagedCommand.of(study, options)
    from medsearch.cli.searches import SearchCommand

    return SearchCommand.of(study, options)
