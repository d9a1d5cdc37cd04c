"""The command line of a study file: `run(STUDY)` in its last line makes it a program."""

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medsearch.cli.cohorts import Data
from medsearch.cli.exits import exits
from medsearch.cli.options import Asked, folders, parser, require_values, resources
from medsearch.core.ownership import prepare_home
from medsearch.core.remote import without_password
from medsearch.core.terminal import interactive, say, show
from medsearch.stages.code import forget

if TYPE_CHECKING:
    from medsearch.data.tasks import Task
    from medsearch.study import Ablation, Search, StagedSearch
    from medsearch.study.execution import Site
    from medsearch.study.jobs import Workplace
    from medsearch.study.tracking import SyncReport

TRACKING_PATIENCE_S = 20.0
"""How long the end of a study waits for its tracking server before it says `medsearch sync`."""


class Asking(Protocol):
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
    with exits(lossy=True) as places:
        forget()
        given = list(arguments if arguments is not None else [] if interactive() else sys.argv[1:])
        require_values(given)
        asked = _asked(study)
        options = parser(asked).parse_args(given)
        places.append(options.home)
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
    from medsearch.data.layouts.recognition import sibling

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


def _asked(study: "Search | StagedSearch | Ablation") -> Asked:
    tasks = getattr(study, "tasks", None)
    layouts = [task.layout for task in tasks.values()] if tasks else [study.task.layout]  # type: ignore[union-attr]
    return Asked(
        question=study.question,
        cost=study.cost,
        layouts=tuple(dict.fromkeys(layouts)),
        rows=tasks is not None,
        groups=hasattr(study, "groups"),
    )


def _asking(study: "Search | StagedSearch | Ablation", options: argparse.Namespace) -> Asking:
    """The module of its kind, imported only now: a search's plan needs nothing of an ablation."""
    from medsearch.study import Ablation, StagedSearch

    if isinstance(study, Ablation):
        from medsearch.cli.ablations import AskingAblation

        return AskingAblation.of(study, options)
    if isinstance(study, StagedSearch):
        from medsearch.cli.staged import AskingStaged

        return AskingStaged.of(study, options)
    from medsearch.cli.searches import AskingSearch

    return AskingSearch.of(study, options)


@contextmanager
def tracked(place: "Workplace", study: str, options: argparse.Namespace) -> Iterator[None]:
    """Bring MLflow along beside the study, and say at its end how far it is."""
    from medsearch.study.tracking import start_follower

    folder = place.study(study)
    follower = start_follower(folder, place.store.root, options.tracking_uri, remote=place.remote)
    try:
        yield
    except BaseException:
        follower.finish(2.0)
        raise
    tell(folder, follower.finish(TRACKING_PATIENCE_S), given_uri=options.tracking_uri is not None, store=place.remote)


def site(options: argparse.Namespace, listener: Any) -> "Site":
    """Where runs are done, as the options say."""
    from medsearch.study.execution import Site

    return Site(resources=resources(options), address=options.address, listener=listener)


def report(folder: Path, place: "Workplace") -> None:
    """Write tables, figures and the page; print the summary."""
    from medsearch.reporting.report import rebuild
    from medsearch.reporting.terminal import summary

    rebuild(folder, place.stored)
    show(summary(folder, place.stored))


def tell(folder: Path, sent: "SyncReport", *, given_uri: bool, store: str | None = None) -> None:
    """Where to look, and what is left to send. `store`: URI of the store, if it is not in the home."""
    home = f" --home {shlex.quote(str(folder.parent.parent))}"
    say(f"page: {folder / 'report' / 'index.html'}")
    there = f"{home}{f' --tracking-uri {shlex.quote(sent.uri)}' if given_uri else ''}"
    if sent.behind:  # its last word is the command that mends it
        say(f"tracking: {sent}{there}{f' --store {shlex.quote(without_password(store))}' if store else ''}")
    else:
        say(f"tracking: {sent}")
        for line in sent.links() or [f"to compare runs: medsearch ui{there}"]:
            say(line)
