"""How far a search is by its ledger, and on which of its trials later searches stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.core.errors import StudyFailed
from medsearch.stages.store import Store
from medsearch.study.declare.rules import RankedTrial, Rule
from medsearch.study.declare.search import Search
from medsearch.study.declare.spaces import Choice
from medsearch.study.engine.jobs import SearchJobs
from medsearch.study.engine.ranking import disallowed_trials, metrics_of, ranking
from medsearch.study.engine.run_order import Progress, doomed, finalists, planned, searched, to_run
from medsearch.study.engine.search_driver import extent_of
from medsearch.study.record.headers import Frozen
from medsearch.study.record.ledger import Ledger, RunRecord


@final
@dataclass(frozen=True, kw_only=True)
class SearchStatus:
    """How far a search is, by its ledger: trials that ended, finalists, whether nothing is left to run."""

    trials: int = 0
    finalists: tuple[int, ...] = ()
    ended: bool = False
    runs: Mapping[str, RunRecord] = field(default_factory=dict)


def search_status(jobs: SearchJobs) -> SearchStatus:
    """Read the ledger, and the metrics of which a rule ranks; neither the sampler's storage nor Ray is asked.

    A run that failed counts as ended, though its study may try it again.
    """
    search, extent = jobs.search, extent_of(jobs)
    ledger = Ledger(jobs.environment.study(search.name))
    runs = ledger.runs() if ledger.header() else {}
    progress = Progress(ended={planned(run): run.state for run in runs.values() if run.state != "running"})
    trials = [run for run in runs.values() if run.role == "trial" and run.state != "running"]
    over = searched(extent, progress)
    if over:
        complete = {int(run.number or 0): run for run in trials if run.state == "complete" and run.value is not None}
        ranked = ranking(
            search,
            {number: run.values for number, run in complete.items()},
            {number: run.knobs for number, run in complete.items()},
            last=disallowed_trials(search, complete.values(), jobs.environment.store),
        )
        progress = replace(progress, ranking=ranked)
    left = next(to_run(extent, progress), None)
    return SearchStatus(
        trials=len(trials),
        finalists=finalists(extent, progress),
        ended=over and left is None and not doomed(extent, progress),
        runs=runs,
    )


def freeze(search: Search, rule: Rule, at: SearchStatus, store: Store) -> Frozen:
    """What is frozen of a search that has ended: the best trial that the rule allows, by its mean over seeds if it was
    a finalist.

    Raises:
        StudyFailed: the rule allows none of its trials.

    """
    metrics = metrics_of(search, store)
    replicates: dict[int | None, list[RunRecord]] = {number: [] for number in at.finalists}
    for run in at.runs.values():
        if run.role == "replicate" and run.number in replicates and run.seed in search.resolved.seeds:
            replicates[run.number].append(run)
    complete = [
        RankedTrial(trial=run, replicates=tuple(replicates.get(run.number, ())))
        for run in at.runs.values()
        if run.role == "trial" and run.state == "complete" and run.value is not None
    ]
    allowed = [trial for trial in complete if rule.allows(trial, metrics)]
    if not allowed:
        msg = f"study {search.name!r} cannot freeze {rule}: {rule.refused(complete, metrics)}"
        raise StudyFailed(msg)
    repeated = [trial for trial in allowed if trial.replicates]
    sign = 1 if search.objectives[search.metric] == "maximize" else -1
    best = max(
        repeated or allowed, key=lambda ranked: (-ranked.failed, sign * ranked.value, -int(ranked.trial.number or 0))
    )
    return Frozen(
        knobs={knob: option(search, knob, value) for knob, value in best.trial.knobs.items()},
        number=int(best.trial.number or 0),
        value=best.value,
        seeds=best.seeds,
        failed=best.failed,
        why=f"{rule} of {'finalists over seeds' if repeated else f'{len(complete)} trials'}",
    )


def option(search: Search, knob: str, value: Any) -> Any:
    """A choice as it was declared: the ledger's JSON makes lists of tuples."""
    domain = search.resolved.domains[knob]
    options = domain.options if isinstance(domain, Choice) else (value,)
    return next(option for option in options if Choice((option,)).holds(value))
