"""The stored stages of a study beside today's code: which of them other code has trained, and what to do about that.

Keys of stages do not change with code, so a study goes on with what is stored. Unless it is told not to, it says which
of that other code has trained; or it trains those stages anew, and what stands on them.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from medsearch.stages.code import Code, CodeStatus, Trained, code_of, code_statuses, trained
from medsearch.stages.stage import Stage
from medsearch.study.declare import Study
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine.jobs import Recompute, SearchJobs, StudyEnvironment, unprepared
from medsearch.study.record.ledger import Ledger

RETRAINED: dict[Recompute, tuple[CodeStatus, ...]] = {
    "never": (),
    "warn": (),
    "changed": ("changed", "upstream changed"),
    "unknown": ("changed", "upstream changed", "unknown"),
}
"""By what `--recompute` says: how stored stages stand to today's code that are trained anew."""


def stages_of(study: Study) -> Iterator[Stage]:
    """The stages of every pipeline that a study may run: of its rows, and at the edges of what it searches."""
    if isinstance(study, StagedSearch):
        for search in study.searches(study.stand_in):
            yield from stages_of(search)
    elif isinstance(study, Search):
        here = study.resolved
        tried = [{knob: value} for knob, domain in here.domains.items() for value in domain.edges()]
        for knobs in ({}, *(row.knobs for row in here.references), *tried):
            yield from (node.stage for node in study.pipeline(study.setup(knobs), test=True).nodes)
    else:
        varied = [{knob: v} for knob, domain in study.retune.items() for v in domain.edges()]  # type: ignore[union-attr]
        for row, column in study.cells():
            for knobs in ({}, *varied):
                yield from (node.stage for node in study.pipeline(row, column, study.setup(row, column, knobs)).nodes)


def codes_of(study: Study, names: Collection[str] | None = None) -> dict[str, Code]:
    """Today's code by the names of stages, those in `names` if it is given; a stage without source is left out."""
    codes: dict[str, Code] = {}
    for stage in stages_of(study):
        if stage.name not in codes and (names is None or stage.name in names) and (code := code_of(stage)):
            codes[stage.name] = code
    return codes


def anew(study: Study, environment: StudyEnvironment, recompute: Recompute) -> StudyEnvironment:
    """The environment in which those stored stages do not count that are to be trained anew, by this study alone.

    A stage that another study in the home stands on, too, is unfinished for that one while it is trained, and has other
    numbers in it from then on: a stage is stored once, under one key.
    """
    if not RETRAINED[recompute]:
        return replace(environment, recompute=recompute)
    manifests = environment.store.summaries()
    codes = codes_of(study, {manifest.stage for manifest in manifests.values()})
    statuses = code_statuses(manifests, codes, manifests).items()
    retrained = [key for key, status in statuses if status in RETRAINED[recompute]]
    outdated = {key: manifests[key].finished or 0.0 for key in retrained}
    return replace(environment, recompute=recompute, outdated=outdated)


def stored_keys(study: Search | StagedSearch, environment: StudyEnvironment) -> Iterator[str]:
    """The stages that searches have recorded, and those that precede or stand beside their trials."""
    searches = [study] if isinstance(study, Search) else list(study.searches(study.stand_in))
    for search in searches:
        for record in Ledger(environment.study(search.name)).runs().values():
            yield from (key for _, key in record.stages)
    jobs, here = SearchJobs(searches[0], replace(environment, prepared=unprepared)), searches[0].resolved
    for seed in here.seeds:
        yield from jobs.job("prefix", seed, knobs={}).keys
        for row in here.references:
            yield from jobs.job("reference", seed, knobs=row.knobs, label=row.label).keys


def trained_by(study: Study, environment: StudyEnvironment, keys: Iterable[str]) -> tuple[Trained, ...]:
    """By which code the stages `keys` were trained, those that are stored; none with `--recompute never`."""
    if environment.recompute == "never":
        return ()
    manifests, store = environment.store.summaries(), environment.stored
    stored = [key for key in dict.fromkeys(keys) if key in manifests]
    codes = codes_of(study, {manifests[key].stage for key in stored})
    return trained(manifests, codes, stored, lambda key: store.artifact(key).manifest.modules)


def code_notes(stages: Iterable[Trained], recompute: Recompute) -> list[str]:
    """What a user is told of stored stages that other code has trained, and once of all those of unknown code."""
    stages = tuple(stages)
    messages = [f"code changed: {stage}" for stage in stages if stage.differs]
    if messages:
        what = "they are trained anew" if RETRAINED[recompute] else "they are used as they are"
        other = "" if RETRAINED[recompute] else " (--recompute changed trains them anew, never says nothing)"
        messages.append(f"code changed: {what}{other}")
    unknown = sum(stage.count for stage in stages if stage.code_status == "unknown")
    if unknown:
        anew = "unknown" in RETRAINED[recompute]
        rest = "they are trained anew" if anew else "--recompute unknown trains them anew"
        some = "stored stages were" if unknown > 1 else "stored stage was"
        messages.append(f"code unknown: {unknown} {some} trained before it was recorded; {rest}")
    return messages
