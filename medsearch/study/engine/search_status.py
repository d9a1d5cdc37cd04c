"""Freezing: how far a search is by its ledger, and on which of its trials later searches stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.core.errors import StudyFailed
from medsearch.stages.store import Store
from medsearch.study.declare.rules import RankedTrial, Rule
from medsearch.study.declare.search import Search
from medsearch.study.declare.spaces import Choice
from medsearch.study.engine.jobs import Planner
from medsearch.study.engine.ranking import disallowed_trials, metrics_of, ranking
from medsearch.study.engine.run_order import Plan, Progress, doomed, finalists, finished, run_id, searched
from medsearch.study.engine.search_driver import plan_of
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


def search_status(planner: Planner) -> SearchStatus:
    """Read the ledger, and the metrics of which a rule ranks; neither the sampler's storage nor Ray is asked.

    A run that failed counts as ended, though its study may try it again.
    """
    ledger, plan = Ledger(planner.environment.study(planner.search.name)), plan_of(planner)
    runs = ledger.runs() if ledger.header() else {}
    progress = _progress(planner, plan, runs)
    hopeless = doomed(plan, progress)
    return SearchStatus(
        trials=sum(slot.role == "trial" for slot in progress.ended),
        finalists=finalists(plan, progress),
        ended=searched(plan, progress) and finished(plan, progress) and not hopeless,
        runs=runs,
    )


def freeze(search: Search, rule: Rule, at: SearchStatus, store: Store) -> Frozen:
    """What is frozen of a search that has ended.

    Raises:
        StudyFailed: the rule allows none of its trials.

    """
    entrants, metrics = _entrants(search, at), metrics_of(search, store)
    allowed = [entrant for entrant in entrants if rule.allows(entrant, metrics)]
    if not allowed:
        msg = f"study {search.name!r} cannot freeze {rule}: {rule.refused(entrants, metrics)}"
        raise StudyFailed(msg)
    repeated = [entrant for entrant in allowed if entrant.replicates]
    sign = 1 if search.objectives[search.metric] == "maximize" else -1
    best = max(repeated or allowed, key=lambda one: (-one.failed, sign * one.value, -int(one.trial.number or 0)))
    return Frozen(
        knobs={knob: option(search, knob, value) for knob, value in best.trial.knobs.items()},
        number=int(best.trial.number or 0),
        value=best.value,
        seeds=best.seeds,
        failed=best.failed,
        why=f"{rule} of {'finalists over seeds' if repeated else f'{len(entrants)} trials'}",
    )


def option(search: Search, knob: str, value: Any) -> Any:
    """A choice as it was declared: the ledger's JSON makes lists of tuples."""
    domain = search.resolved.domains[knob]
    options = domain.options if isinstance(domain, Choice) else (value,)
    return next(option for option in options if Choice((option,)).holds(value))


def _entrants(search: Search, at: SearchStatus) -> list[RankedTrial]:
    """Complete trials; a finalist with its runs under the seeds that the search has now."""
    found = []
    for run in at.runs.values():
        if run.role == "trial" and run.state == "complete" and run.value is not None:
            own = [one for one in at.runs.values() if one.role == "replicate" and one.number == run.number]
            repeated = run.number in at.finalists
            over = tuple(one for one in own if repeated and one.seed in search.resolved.seeds)
            found.append(RankedTrial(trial=run, replicates=over))
    return found


def _progress(planner: Planner, plan: Plan, runs: Mapping[str, RunRecord]) -> Progress:
    search = planner.search
    over = [run for run in runs.values() if run.state != "running"]
    trials = {run.number: run for run in over if run.role == "trial" and run.number is not None}
    done = {number: run for number, run in trials.items() if run.state == "complete" and run.value is not None}
    progress = Progress(ended={run_id(run): run.state for run in over if run.state != "running"})
    ranked = ranking(
        search,
        {number: run.values for number, run in done.items()},
        {number: run.knobs for number, run in done.items()},
        last=disallowed_trials(search, done.values(), planner.environment.store) if searched(plan, progress) else (),
    )
    return replace(progress, ranking=ranked)
