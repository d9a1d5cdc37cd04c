"""A study of any kind: its plan; or carried out on Ray, with tracking beside it, its progress and its report."""

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsearch.cli.cohorts import Data
from medsearch.cli.options import resources, slots
from medsearch.cohorts.tasks import Task
from medsearch.core.records import write_sealed
from medsearch.core.remote import without_password
from medsearch.core.terminal import say, show
from medsearch.study import Ablation, Search, StagedSearch
from medsearch.study.declare import Study
from medsearch.study.engine.code import anew, code_notes, stored_keys, trained_by
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.plan import plan_ablation, print_plan
from medsearch.study.progress import progress
from medsearch.study.record.headers import AblationHeader
from medsearch.study.record.ledger import Ledger

if TYPE_CHECKING:
    from medsearch.study.ray.execution import ClusterOptions
    from medsearch.tracking import SyncReport

TRACKING_PATIENCE_S = 20.0
"""How long the end of a study waits for its tracking server before it says `medsearch sync`."""


def dry_run(study: Study, options: argparse.Namespace, data: Data) -> None:
    """Print what is left to do, which trains nothing and needs no torch and no Ray; checks of files are remembered."""
    environments = data.written_environments(tasks_of(study))
    if environment := next(iter(environments.values()), None):
        for part in study.searches(study.stand_in) if isinstance(study, StagedSearch) else [study]:
            say_stored(part, environment)
    environments = {layout: anew(study, own, options.recompute) for layout, own in environments.items()}
    only = options.only if isinstance(study, Ablation) else ()
    print_plan(study, environments, slots=slots(resources(options)), only=only)


def carry_out(study: Study, options: argparse.Namespace, data: Data) -> Path:
    """Do what is left of a study, write its report, print the answer; returns the study's folder.

    Raises:
        BadInput: its cohort is faulty, its folder belongs to another question, or its cluster cannot be joined.
        StudyFailed: no run of it came to its end.
        Interrupted: it was stopped; run again, it goes on.

    """
    tasks = tasks_of(study)
    environments = {
        layout: anew(study, environment, options.recompute) for layout, environment in data.environments(tasks).items()
    }
    environment = next(iter(environments.values()))
    if not isinstance(study, StagedSearch):  # which says it before each of its searches
        say_stored(study, environment)
    if isinstance(study, Ablation):
        return _carry_out_ablation(study, environments, options, lambda: data.prepare(environments, tasks))
    for line in code_notes(trained_by(study, environment, stored_keys(study, environment)), environment.recompute):
        say(line)
    if isinstance(study, StagedSearch):
        return _carry_out_staged(study, environment, options)
    from medsearch.study.ray.execution import run_search

    with tracked(environment, study.name, options):
        with progress(study) as listener:
            ended = run_search(study, environment, cluster_options(options, listener), storage=options.storage)
        write_importances(study, environment, options.storage)
        report(ended.folder, environment)
    return ended.folder


def _carry_out_ablation(
    ablation: Ablation,
    environments: Mapping[str, StudyEnvironment],
    options: argparse.Namespace,
    prepare: Callable[[], None],
) -> Path:
    from medsearch.study.ray.execution import run_ablation

    environment = next(iter(environments.values()))
    plan = plan_ablation(ablation, environments, slots=slots(resources(options)), only=options.only)
    for line in plan.notes:
        say(line)
    if plan.left:
        prepare()
    with tracked(environment, ablation.name, options):
        with progress(ablation, plan) as listener:
            ended = run_ablation(ablation, environments, cluster_options(options, listener), only=options.only)
        report(ended.folder, environment)
        say(ended.graph.savings(environment.stored))
    return ended.folder


def _carry_out_staged(staged: StagedSearch, environment: StudyEnvironment, options: argparse.Namespace) -> Path:
    from medsearch.study.ray.execution import run_staged

    @contextmanager
    def around(search: Search) -> Iterator["ClusterOptions"]:
        """Track a search, show its progress, and write its report however it ends."""
        say(f"{staged.studies.index(search.name) + 1} of {len(staged.studies)}: {search.name}")
        say_stored(search, environment)
        with tracked(environment, search.name, options), reported(search.name, environment) as rebuild:
            with progress(search) as listener:
                yield cluster_options(options, listener)
            write_importances(search, environment, options.storage)
            rebuild()

    with reported(staged.name, environment) as rebuild:
        ended = run_staged(staged, environment, around, storage=options.storage, described=rebuild)
    report(ended.folder, environment)
    say(f"page: {ended.folder / 'report' / 'index.html'}")
    return ended.folder


def tasks_of(study: Study) -> list[Task]:
    """Every task that a run of the study may have, each once."""
    return list(dict.fromkeys(setup.task for setup in study.setups()))


def say_stored(study: Search | Ablation, environment: StudyEnvironment) -> None:
    """Say what becomes of stored trials or configurations where another number of them is asked for now.

    Of a search none is forgotten because a number was lowered; of rows that are retuned, configurations fill the space
    anew.
    """
    ledger = Ledger(environment.study(study.name))
    if isinstance(study, Ablation):
        header = ledger.header(AblationHeader)
        stored = header.retune.trials if header and header.retune else 0
        if stored and study.retune and stored != study.trials:
            say(
                f"{study.name}: {stored} configurations were asked for of each row that is retuned, now it is "
                f"{study.trials}; they are drawn anew over the same space, and of the {stored} only those count that "
                "are among them"
            )
        return
    stored, asked = sum(run.role == "trial" for run in ledger.runs().values()), study.resolved.trials
    if stored > asked:
        say(f"{study.name}: {stored} trials are stored, {asked} asked for; all {stored} count, and no other is tried")


@contextmanager
def reported(study: str, environment: StudyEnvironment) -> Iterator[Callable[[], None]]:
    """What writes the study's report; where the block fails or is interrupted, it is written once more."""
    from medsearch.reporting.report import rebuild

    def write() -> None:
        rebuild(environment.study(study), environment.stored)

    try:
        yield write
    except BaseException:
        with suppress(Exception):  # why the block failed is what the user must see
            write()
        raise


def report(folder: Path, environment: StudyEnvironment) -> None:
    """Write tables, figures and the page; print the summary."""
    from medsearch.reporting.report import rebuild, summary

    rebuild(folder, environment.stored)
    show(summary(folder, environment.stored))


def write_importances(search: Search, environment: StudyEnvironment, storage: str | None) -> None:
    """Write down what the sampler's storage says of the knobs, for reports to find it without Optuna."""
    from medsearch.reporting.collect import IMPORTANCES
    from medsearch.study.engine.proposals import Proposals, sqlite

    folder = environment.study(search.name)
    shares, why = Proposals(search, storage or sqlite(folder)).importances()
    write_sealed(folder / IMPORTANCES, {"shares": shares, "why": why})


def cluster_options(options: argparse.Namespace, listener: Any) -> "ClusterOptions":
    """Where runs are done, as the options say."""
    from medsearch.study.ray.execution import ClusterOptions

    return ClusterOptions(resources=resources(options), address=options.address, listener=listener)


@contextmanager
def tracked(environment: StudyEnvironment, study: str, options: argparse.Namespace) -> Iterator[None]:
    """Bring MLflow along beside the study, and say at its end how far it is."""
    from medsearch.tracking import start_follower

    folder = environment.study(study)
    follower = start_follower(folder, environment.store.root, options.tracking_uri, remote=environment.remote)
    try:
        yield
    except BaseException:
        follower.finish(2.0)
        raise
    sent = follower.finish(TRACKING_PATIENCE_S)
    print_links(folder, sent, given_uri=options.tracking_uri is not None, store=environment.remote)


def print_links(folder: Path, sent: "SyncReport", *, given_uri: bool, store: str | None = None) -> None:
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
