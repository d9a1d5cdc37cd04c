"""The header of a study, and whether a folder belongs to the question that is asked of it."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.recipes import fingerprint, knobs, plain
from medsearch.study.declare import Study
from medsearch.study.declare.search import Search
from medsearch.study.engine.code import codes_of
from medsearch.study.engine.jobs import SearchJobs, StudyEnvironment
from medsearch.study.record.headers import Axis, Header, Reference, Scheduler, SearchHeader
from medsearch.study.record.ledger import Ledger

MAY_GROW = "trials, finalists, seeds after the first, references and the scheduler"
ELSEWHERE = "choose another --home or study name, or remove the folder"


def open_study(jobs: SearchJobs, ledger: Ledger) -> None:
    """Write the header, unless the folder belongs to another question.

    Raises:
        BadInput: it does; the message says in what they differ.

    """
    old = ledger.header()
    parts = ", ".join(differs(jobs, old))
    if parts:
        msg = (
            f"study {jobs.search.name!r} in {ledger.folder} was begun with another {parts}; only {MAY_GROW} may "
            f"change: {ELSEWHERE}"
        )
        raise BadInput(msg)
    header = header_of(jobs)
    if isinstance(old, SearchHeader):
        header = replace(header, begun=old.begun, chosen=old.chosen, frozen=old.frozen)
    ledger.write_header(header)


def differs(jobs: SearchJobs, header: Header | None) -> list[str]:
    """In what a folder's header is that of another question; in nothing where the folder was not begun."""
    ours = _identity(jobs)
    return [part for part in ours if header.identity.get(part) != ours[part]] if header else []


def note(ledger: Ledger, **decided: Any) -> None:
    """Note in a search's header what its trials have decided by now.

    chosen: the trials that are finalists; others may have been before the search grew. frozen: the trial that a staged
    search stands on; None: it stands on none of them.
    """
    if header := ledger.header(SearchHeader):
        ledger.write_header(replace(header, **decided))


def header_of(jobs: SearchJobs) -> SearchHeader:
    """All that the report and the tracking need to know of the question."""
    search, environment = jobs.search, jobs.environment
    here = search.resolved
    return SearchHeader(
        **question_fields(search, environment),
        **data_fields(search.task, environment),
        selection=search.selection,
        code=codes_of(search),
        space=axes(here.space),
        nuisance=axes(here.nuisance),
        fixed=plain(here.fixed),
        published=plain(here.published),
        published_in=search.published_in,
        weights=tuple(search.weights),
        sampler=search.sampler.name,
        scheduler=Scheduler(**plain(here.scheduler)),
        start=plain(here.start),
        searched_stage=search.searched_stage,
        scored_stage=search.scored_stage,
        shared_stages=tuple(run.node for run in jobs.job("prefix", here.seeds[0], knobs={}).runs),
        objectives=dict(search.objectives),
        freeze=str(search.freeze or ""),
        trials=here.trials,
        finalists=here.finalists,
        seeds=tuple(here.seeds),
        references=tuple(Reference(label=row.label, knobs=plain(row.knobs)) for row in here.references),
        identity=_identity(jobs),
        begun=time.time(),
    )


def question_fields(study: Study, environment: StudyEnvironment) -> dict[str, Any]:
    """The fields of a `Header` that every kind of study fills alike: what it asks, and on which code it runs."""
    return {
        "name": study.name,
        "question": study.question,
        "cost": study.cost,
        "method": study.method.name,
        "scale": study.scale,
        "commit": environment.about.git_commit,
    }


def data_fields(task: Task, environment: StudyEnvironment) -> dict[str, Any]:
    """The fields of a `OneTaskHeader`, or of an ablation's `Column`, that say on which data the task is run."""
    return {
        "task": plain(task),
        "layout": task.layout,
        "cohort": environment.cohort,
        "subjects": len(environment.roster.subjects),
        "about": environment.about,
    }


def _identity(jobs: SearchJobs) -> dict[str, Any]:
    """What a study cannot change and stay the same study, each part by a fingerprint."""
    search, here = jobs.search, jobs.search.resolved
    setup = search.setup({})
    base = jobs.job("trial", here.seeds[0], knobs={}, number=0)
    shared = jobs.job("prefix", here.seeds[0], knobs={})
    scored = [search.scored_stage] if search.scored_stage else []  # as it was before another than the last could be
    return {
        "space": fingerprint({knob: domain_of(domain) for knob, domain in here.domains.items()}),
        "objective": fingerprint([search.objectives, search.selection, search.searched_stage, *scored]),
        "scale": search.scale,
        "cohort": jobs.environment.cohort,
        "task": fingerprint(setup.task),
        "recipe": fingerprint(_constant_knobs(search)),
        "first seed": here.seeds[0],
        "stage version": fingerprint([[run.node, run.stage.version] for run in (*shared.runs, *base.runs)]),
    }


def storage_identity(search: Search) -> dict[str, str]:
    """What trials in the sampler's storage, which may outlive the study's folder, answer; each part by a fingerprint.

    Optuna knows a study by its name alone. Where a folder was removed and the same name is asked something else, as a
    group of a staged search is on other frozen values, trials of the old question would pass for those of the new one.
    """
    here = search.resolved
    return {
        "space": fingerprint({knob: domain_of(domain) for knob, domain in here.domains.items()}),
        "objective": fingerprint(dict(search.objectives)),
        "start": fingerprint(dict(here.start)),
        "recipe": fingerprint(_constant_knobs(search)),
        "task": fingerprint(search.setup({}).task),
    }


def _constant_knobs(search: Search) -> dict[str, Any]:
    """The method's knobs that no trial moves."""
    recipe = knobs(search.setup({}).recipe)
    return {knob: value for knob, value in recipe.items() if knob not in search.resolved.domains}


def domain_of(domain: Any) -> dict[str, Any]:
    """A domain as JSON knows it: its kind in lower case as "domain", and its fields."""
    return {"domain": type(domain).__name__.lower(), **dataclasses.asdict(domain)}


def axes(domains: Mapping[str, Any]) -> dict[str, Axis]:
    """Domains by knob, for a header."""
    return {knob: Axis(**plain(domain_of(domain))) for knob, domain in domains.items()}
