"""The plan of a study: what is left of it before anything is done, as a table of stage runs with hours.

    plan_search      stage runs by role; configurations that are still to be proposed are counted, not known
    plan_ablation    stage runs by column, each distinct one counted once
    plan_staged      a search whose predecessors have frozen their knobs is planned as any other; of the ones after it
                     only the numbers are known, because the stages that they share depend on what will be frozen
    print_plan       the plan of any study, for the terminal

Neither torch nor Ray nor Optuna is imported.
"""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.machine import cores
from medsearch.core.recipes import fingerprint, plain
from medsearch.core.terminal import say, show
from medsearch.stages.manifest import Manifest
from medsearch.stages.pipelines import StageRun, stages_to_train
from medsearch.stages.store import Store
from medsearch.study.declare import Study
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine.ablation_driver import failed_for_good
from medsearch.study.engine.ablation_header import winner
from medsearch.study.engine.code import code_notes, trained_by
from medsearch.study.engine.graph import Graph, Grapher, Item
from medsearch.study.engine.jobs import Job, SearchJobs, StudyEnvironment, unprepared
from medsearch.study.engine.probes import Probes
from medsearch.study.engine.search_driver import extent_of
from medsearch.study.engine.staged_status import staged_status
from medsearch.study.record.headers import About, Frozen
from medsearch.study.record.ledger import Ledger

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

HOUR = 3600


@final
@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """One kind of stage in one group: a role of a search's runs, or a column of an ablation.

    asked: stage runs, if everything were run alone. distinct: those that no earlier line has. stored: distinct ones
    that are finished. lost: those that failed for good, or take what did. hours: of what is left; alone: of what is
    asked; None when no such stage was ever timed.
    """

    group: str
    stage: str
    asked: int
    distinct: int
    stored: int
    lost: int = 0
    hours: float | None
    alone: float | None = None

    @property
    def left(self) -> int:
        """How many stage runs are to be trained."""
        return self.distinct - self.stored - self.lost


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a study. asked, distinct, stored, lost, left: sums over the rows.

    slots: runs at a time. stage_hours: of training that is left, one after the other; hours: elapsed, if every slot is
    always busy; saved: stage-hours that sharing stages saves; None when a stage was never timed.
    retuned: cells that are known only once candidates have ended. notes: on stored stages that other code has trained.
    """

    study: str
    rows: tuple[PlanRow, ...]
    slots: int
    asked: int
    distinct: int
    stored: int
    lost: int
    left: int
    stage_hours: float | None
    hours: float | None
    saved: float | None
    retuned: int = 0
    notes: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """The plan of one search of a staged search. plan: None where nothing is known yet: it `waits` or is `refused`.

    ended: trials that did. waits: which group must be frozen before it. frozen: of a group that has ended.
    refused: why it may not go on, or why its group cannot be frozen.
    """

    search: Search
    ended: int = 0
    plan: Plan | None = None
    waits: str = ""
    frozen: Frozen | None = None
    refused: str = ""


@final
class Timings:
    """How long stages took, from the store's manifests; for those never finished, from an epoch that was measured."""

    def __init__(self, environment: StudyEnvironment) -> None:
        self._timed: dict[str, list[tuple[Manifest, Mapping[str, Any]]]] = {}
        self._known: dict[str, float] = {}
        finished = list(environment.store.summaries().values())
        stages = {manifest.stage for manifest in finished}
        measured = [timing for timing in Probes(environment.probes).timings() if timing.stage not in stages]
        for manifest in (*finished, *measured):
            self._timed.setdefault(manifest.stage, []).append((manifest, _leaves(manifest.recipe)))

    def hours(self, runs: Collection[StageRun]) -> float | None:
        """Hours of all of these stage runs, one after the other; None when one of their stages was never timed."""
        seconds = _sum(self._seconds(run) for run in runs)
        return None if seconds is None else seconds / HOUR

    def row(
        self,
        group: str,
        stage: str,
        asked: Sequence[StageRun],
        *,
        distinct: int,
        left: Sequence[StageRun],
        lost: int = 0,
    ) -> PlanRow:
        """The row of one kind of stage: with the hours of those `left` to train and of all that are `asked`."""
        return PlanRow(
            group=group,
            stage=stage,
            asked=len(asked),
            distinct=distinct,
            stored=distinct - len(left) - lost,
            lost=lost,
            hours=self.hours(left),
            alone=self.hours(asked),
        )

    def _seconds(self, run: StageRun) -> float | None:
        """The median over the stages most like this one, scaled to its number of epochs where the recipe has one."""
        if run.stage.name not in self._timed:
            return None
        recipe = plain(run.stage.recipe)
        kind = fingerprint([run.stage.name, recipe])
        if kind not in self._known:
            timed, leaves = self._timed[run.stage.name], _leaves(recipe)
            alike = [sum(other.get(path, ...) == value for path, value in leaves.items()) for _, other in timed]
            nearest = [manifest for (manifest, _), count in zip(timed, alike, strict=True) if count == max(alike)]
            took, epochs = [], run.stage.epochs
            for manifest in nearest:
                seconds, trained = float(manifest.seconds or 0), manifest.epochs
                took.append(seconds * epochs / trained if epochs and trained else seconds)
            self._known[kind] = statistics.median(took)
        return self._known[kind]


def plan_search(search: Search, environment: StudyEnvironment | None = None, *, slots: int | None = None) -> Plan:
    """The plan of `search`, given what the store and the study's ledger hold now.

    A stage run that two roles need counts where it comes first. environment: where it runs; None when there is no data
    yet, so that nothing can be stored. slots: runs at a time; None: one for each core.
    """
    environment = replace(environment or _pretended_environment(search.task), prepared=unprepared)
    jobs, store, timings = SearchJobs(search, environment), environment.store, Timings(environment)
    extent, runs = extent_of(jobs), Ledger(environment.study(search.name)).runs().values()
    first, seen = extent.seeds[0], set[str]()

    # What precedes the searched stage, for every seed.
    prefixes = [jobs.job("prefix", seed, knobs={}) for seed in (extent.seeds if extent.finalists else extent.seeds[:1])]
    rows = _known_rows(prefixes, seen, store, timings)

    # Trials: those of the ledger are known, the others only counted.
    trial = jobs.job("trial", first, knobs={}, number=0)
    tried = [run for run in runs if run.role == "trial" and (run.number or 0) < extent.trials]
    for run in [run for run in trial.runs if run.key not in seen]:
        done = 0
        for record in tried:
            key = dict(record.stages).get(run.node, "")
            stored = bool(key) and store.has(key)
            outdated = key in (store.outdated or {}) and not stored
            done += (stored or record.state in ("cut", "failed")) and not outdated
            seen.add(key)
        left = [run] * (extent.trials - done)
        rows.append(timings.row("trial", run.node, [run] * extent.trials, distinct=extent.trials, left=left))

    # Rows that are not searched.
    references = [
        jobs.job("reference", seed, knobs=row.knobs, label=row.label)
        for row in search.resolved.references
        for seed in extent.seeds
    ]
    rows += _known_rows(references, seen, store, timings)

    # Finalists over seeds: under the first seed, all but the test is a trial's own.
    replicate = jobs.job("replicate", first, knobs={}, number=0)
    repeated = [record for record in runs if record.role == "replicate"]
    shared = {run.node for run in jobs.job("prefix", first, knobs={}).runs}
    for run in [run for run in replicate.runs if run.node not in shared and extent.finalists]:
        seeds = extent.seeds[1:] if run.node in {own.node for own in trial.runs} else extent.seeds
        keys = [(record.seed, dict(record.stages).get(run.node, "")) for record in repeated]
        finished = sum(seed in seeds and bool(key) and store.has(key) for seed, key in keys)
        seen.update(key for _, key in keys)
        distinct = extent.finalists * len(seeds)
        asked, left = [run] * (extent.finalists * len(extent.seeds)), [run] * max(0, distinct - finished)
        rows.append(timings.row("replicate", run.node, asked, distinct=distinct, left=left))

    notes = code_notes(trained_by(search, environment, seen), environment.recompute)
    return _plan(search.name, rows, slots=slots, notes=notes)


def plan_ablation(
    ablation: Ablation,
    environments: Mapping[str, StudyEnvironment] | None = None,
    *,
    slots: int | None = None,
    only: Collection[str] = (),
) -> Plan:
    """The plan of `ablation`, given what the store holds now.

    environments: where each layout's data lie; None, or without a layout whose data are not written yet: nothing of it
    can be stored. slots: runs at a time; None: one for each core. only: labels of rows; empty: all.

    Raises:
        BadInput: no such row, or the search that the rows vary has not ended.

    """
    for label in only:
        ablation.row(label)
    tasks = {task.layout: task for task in ablation.tasks.values()}
    stand_ins = {layout: _pretended_environment(task) for layout, task in tasks.items()} | dict(environments or {})
    known = {layout: replace(stand_ins[layout], prepared=unprepared) for layout in tasks}
    first = next(iter((environments or known).values()))
    grapher = Grapher(ablation, known, winner(ablation, first))
    failed = failed_for_good(Ledger(first.study(ablation.name)))
    graph = grapher.graph(first.store, failed)
    shown = graph.only(only) if only else graph
    waiting = sum(1 for row, _ in ablation.cells() if ablation.retune and (not only or row.label in only))
    asked = len({(cell.row, cell.column) for cell in shown.cells})
    return _plan(
        ablation.name,
        _graph_rows(shown, first, failed),
        slots=slots,
        retuned=max(0, waiting - asked) * len(grapher.seeds),
        notes=code_notes(trained_by(ablation, first, shown.items), first.recompute),
    )


def plan_staged(
    staged: StagedSearch, environment: StudyEnvironment | None = None, *, slots: int | None = None
) -> tuple[GroupPlan, ...]:
    """The plan of each search of `staged`, given what ledgers and store hold now; arguments as `plan_search` has."""
    groups = []
    for part in staged_status(staged, environment):
        # Why nothing can be frozen, without the name that its row begins with.
        refusal = str(part.refusal or "").removeprefix(f"study {part.search.name!r} ")
        known = not part.waits and not part.foreign
        groups.append(
            GroupPlan(
                search=part.search,
                ended=part.at.trials,
                plan=plan_search(part.search, environment, slots=slots) if known else None,
                waits=part.waits,
                frozen=part.frozen,
                refused=f"refused: its folder {part.foreign}" if part.foreign else refusal,
            )
        )
    return tuple(groups)


def _known_rows(jobs: Sequence[Job], seen: set[str], store: Store, timings: Timings) -> list[PlanRow]:
    """A row for every node of jobs of one role, all of whose keys are known; `seen` is extended by them."""
    rows = []
    for node in dict.fromkeys(run.node for job in jobs for run in job.runs):
        runs = [run for job in jobs for run in job.runs if run.node == node]
        new = {run.key: run for run in runs if run.key not in seen}
        seen.update(new)
        left = [run for key, run in new.items() if not store.has(key)]
        rows.append(timings.row(jobs[0].planned.role, node, runs, distinct=len(new), left=left))
    return rows


def _graph_rows(graph: Graph, environment: StudyEnvironment, failed: Collection[str]) -> list[PlanRow]:
    """A row for every kind of stage in every column, in the order of the pipeline."""
    missing = stages_to_train([item.run for item in graph.items.values()], environment.store)
    lost = set(missing.intersection(failed))  # what failed and is not stored by now, and all that waits for it
    for key, item in graph.items.items():  # each after what it takes
        if key in missing and not lost.isdisjoint(item.run.upstream.values()):
            lost.add(key)
    asked: dict[tuple[str, str], list[StageRun]] = {}
    columns = list(dict.fromkeys(owner.column for owner in graph.owners))
    # The longest pipelines come first: they know where a stage that others leave out belongs.
    for owner in sorted(graph.owners, key=lambda owner: (columns.index(owner.column), -len(owner.runs))):
        for run in owner.runs:
            asked.setdefault((owner.column, run.stage.name), []).append(run)
    distinct: dict[tuple[str, str], list[Item]] = {}
    for item in graph.items.values():
        distinct.setdefault((item.column, item.run.stage.name), []).append(item)
    rows, timings = [], Timings(environment)
    for (column, stage), runs in asked.items():
        items = distinct.get((column, stage), [])
        wanted = [item.run for item in items if item.run.key in missing]
        left = [run for run in wanted if run.key not in lost]
        waiting = len(wanted) - len(left)
        rows.append(timings.row(column, stage, runs, distinct=len(items), left=left, lost=waiting))
    return rows


def _plan(
    study: str, rows: Sequence[PlanRow], *, slots: int | None, retuned: int = 0, notes: Iterable[str] = ()
) -> Plan:
    stage_hours, slots = _sum(row.hours for row in rows), slots or cores()
    return Plan(
        study=study,
        rows=tuple(rows),
        slots=slots,
        asked=sum(row.asked for row in rows),
        distinct=sum(row.distinct for row in rows),
        stored=sum(row.stored for row in rows),
        lost=sum(row.lost for row in rows),
        left=sum(row.left for row in rows),
        stage_hours=stage_hours,
        hours=None if stage_hours is None else stage_hours / slots,
        saved=_sum(row.alone and row.alone * (row.asked - row.distinct) / row.asked for row in rows),
        retuned=retuned,
        notes=tuple(notes),
    )


def _leaves(values: Any, prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted path."""
    if not isinstance(values, Mapping):
        return {prefix: values}
    leaves = {}
    for name, value in values.items():
        leaves.update(_leaves(value, f"{prefix}.{name}" if prefix else name))
    return leaves


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = list(numbers)
    return None if None in known else sum(number or 0 for number in known)


def _pretended_environment(task: Task) -> StudyEnvironment:
    """Stands in for data that are not there: only counts are taken from it."""
    return StudyEnvironment(
        home=Path("nowhere"),
        cohort="unknown",
        roster=task.pretended_roster(),
        prepared=unprepared,
        about=About(cohort="unknown", phantom=False),
    )


def print_plan(
    study: Study,
    environments: Mapping[str, StudyEnvironment],
    *,
    slots: int,
    only: Collection[str] = (),
) -> None:
    """Print the plan of a study as a table, and what is to be said of its stored stages.

    environments: where it runs, by layout; empty when there is no data yet. slots: runs at a time. only: labels of an
    ablation's rows; empty: all.

    Raises:
        BadInput: as `plan_ablation`.

    """
    environment = next(iter(environments.values()), None)
    if isinstance(study, StagedSearch):
        groups = plan_staged(study, environment, slots=slots)
        show(staged_table(study, groups))
        plans = [group.plan for group in groups if group.plan]
    else:
        if isinstance(study, Ablation):
            plans = [plan_ablation(study, environments, slots=slots, only=only)]
        else:
            plans = [plan_search(study, environment, slots=slots)]
        show(table(plans[0]))
    for note in dict.fromkeys(note for plan in plans for note in plan.notes):
        say(note)


def table(plan: Plan) -> "RenderableType":
    """The plan for the terminal: what is left, a section for each group, and what sharing saves."""
    from rich.console import Group
    from rich.table import Table

    left, group = plan.left, ""
    several = len({row.group for row in plan.rows}) > 1
    shown = Table()
    for column in ("stage", "asked", "distinct", "stored", "to train", "estimate"):
        shown.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    for row in plan.rows:
        if several and row.group != group:
            shown.add_section()
            shown.add_row(row.group, style="bold")
        group = row.group
        counts = (row.asked, row.distinct, row.stored, row.left)
        shown.add_row(row.stage, *map(str, counts), _duration(row.hours) if row.left else "")
    shown.add_section()
    total = (plan.asked, plan.distinct, plan.stored, left)
    shown.add_row("all", *map(str, total), _duration(plan.stage_hours) if left else "", style="bold")
    caption = [f"asked: if every run were alone; sharing saves {plan.asked - plan.distinct} stage runs"]
    if plan.saved is not None:
        caption[0] += f", {_duration(plan.saved)} of training"
    if plan.lost:
        caption.append(f"{plan.lost} stage runs diverged before, or take what did: they are not tried again")
    if plan.retuned:
        caption.append(f"{plan.retuned} cells follow once their rows' candidates have ended; they are not counted")
    time = f"; time: {_duration(plan.hours)} with {plan.slots} at a time" if left else ""
    return Group(f"{plan.study}: {left} stage runs to train{time}", shown, "\n".join(caption))


def staged_table(staged: StagedSearch, groups: Sequence[GroupPlan]) -> "Table":
    """The plan of a staged search for the terminal: a line for each group, and one for the refinement.

    Knobs are called by their last names, where these tell them apart, with their values where they are frozen.
    """
    from rich.table import Table

    total = sum(group.plan.left for group in groups if group.plan)
    more = ", and more once groups are frozen" if any(group.waits for group in groups) else ""
    shown = Table(title=f"{staged.name}: {total} stage runs to train{more}")
    for column in ("search", "knobs", "metric", "trials", "to train", "estimate"):
        shown.add_column(column, justify="right" if column == "trials" else "left", overflow="fold")
    last_names = [knob.rpartition(".")[2] for knob in staged.domains]
    for group in groups:
        search, plan, frozen = group.search, group.plan, group.frozen
        searched = []
        for knob in search.resolved.space:
            last = knob.rpartition(".")[2]
            text = last if last_names.count(last) == 1 else knob
            if frozen and knob in frozen.knobs:
                value = frozen.knobs[knob]
                text += f" = {value:.3g}" if isinstance(value, float) else f" = {value}"
            searched.append(text)
        to_train, time = group.refused or group.waits, ""
        if not group.refused and plan is not None:
            to_train = f"{plan.left} stage run{'' if plan.left == 1 else 's'}"
            to_train += f", frozen at trial {frozen.number}" if frozen else ""
            time = _duration(plan.hours) if plan.left else ""
        trials = f"{group.ended} of {search.resolved.trials}"
        name = search.name.removeprefix(f"{staged.name}.")
        shown.add_row(name, ", ".join(searched), search.metric, trials, to_train, time)
    return shown


def _duration(hours: float | None) -> str:
    if hours is None:
        return "unknown"
    if hours < 1 / 60:
        return f"about {hours * HOUR:.0f} s"
    return f"about {hours * 60:.0f} min" if hours < 1 else f"about {hours:.1f} h"
