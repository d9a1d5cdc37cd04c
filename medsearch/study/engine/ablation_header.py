"""The header of an ablation: all that reports and trackers need to know of its question, and of its cells."""

import time
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.stages.pipelines import StageRun
from medsearch.study.declare.ablation import Ablation, described
from medsearch.study.declare.rules import Rule
from medsearch.study.declare.search import Search
from medsearch.study.declare.variants import Variant
from medsearch.study.engine import graph
from medsearch.study.engine.code import codes_of
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.identity import axes
from medsearch.study.engine.jobs import Planner, StudyEnvironment
from medsearch.study.engine.search_status import freeze, search_status
from medsearch.study.record.headers import (
    AblationHeader,
    Base,
    Candidate,
    Cell,
    Column,
    Retuning,
    Row,
    SearchHeader,
    Stages,
)
from medsearch.study.record.ledger import Ledger, trial_of


def begin(grapher: Grapher, ledger: Ledger) -> None:
    """Write the header, unless the folder belongs to another scale or cohort.

    Raises:
        BadInput: it does; the message says in what they differ.

    """
    old, ours = ledger.header(), _identity(grapher)
    if old is not None and old.identity != ours:
        parts = ", ".join(part for part in ours if old.identity.get(part) != ours[part]) or "kind of study"
        msg = (
            f"study {grapher.ablation.name!r} in {ledger.folder} was begun with another {parts}; "
            "choose another --home or study name, or remove the folder"
        )
        raise BadInput(msg)
    describe(grapher, ledger)


def describe(grapher: Grapher, ledger: Ledger, failed: Iterable[str] = ()) -> None:
    """Bring the header up to date: cells of rows that retune are known only later."""
    old = ledger.header()
    ledger.write_header(_header(grapher, failed, begun=old.begun if old else time.time()))


def winner(ablation: Ablation, environment: StudyEnvironment) -> dict[str, Any]:
    """The knobs of the best configuration of the search that the rows vary; none when they vary the method itself.

    Raises:
        BadInput: that search has not ended in this home.
        StudyFailed: none of its trials is what the ablation takes.

    """
    return {} if ablation.of is None else dict(_chosen(ablation, environment).knobs)


def _chosen(ablation: Ablation, environment: StudyEnvironment) -> Base:
    assert ablation.of is not None
    search = ablation.of
    ledger = Ledger(environment.study(search.name))
    header = ledger.header(SearchHeader)
    if header is None or not header.chosen or header.scale != search.scale:
        msg = (
            f"ablation {ablation.name!r} varies the best configuration of {search.name!r}, which has none at scale "
            f"{search.scale!r} in {environment.home}; run that study first"
        )
        raise BadInput(msg)
    number = header.chosen[0] if ablation.take is None else _taken(search, ablation.take, environment)
    trial = trial_of(ledger.runs().values(), number, search.name)
    return Base(study=search.name, trial=number, knobs={**header.fixed, **trial.knobs})


def _taken(search: Search, rule: Rule, environment: StudyEnvironment) -> int:
    """The trial that a rule takes of a search that has ended.

    Raises:
        StudyFailed: it allows none.

    """
    return freeze(search, rule, search_status(Planner(search, environment)), environment.store).number


def _identity(grapher: Grapher) -> dict[str, Any]:
    return {
        "scale": grapher.ablation.scale,
        "cohort": {layout: environment.cohort for layout, environment in sorted(grapher.environments.items())},
    }


def _header(grapher: Grapher, failed: Iterable[str], *, begun: float) -> AblationHeader:
    of, environment = grapher.ablation, next(iter(grapher.environments.values()))
    asked = grapher.graph(environment.store, failed)
    return AblationHeader(
        name=of.name,
        question=of.question,
        cost=of.cost,
        method=of.method.name,
        scale=of.scale,
        commit=environment.about.git_commit,
        code=codes_of(of),
        columns=tuple(_column(grapher, column) for column in of.tasks),
        rows=tuple(_row(of, row) for row in of.rows),
        seeds=grapher.seeds,
        metrics=tuple(of.metrics),
        objective=of.objective,
        supervised=of.supervised if any(row.label == of.supervised for row in of.rows) else "",
        margin=of.margin,
        fixed=plain(of.fixed),
        within=plain(of.within),
        retune=Retuning(space=axes(of.retune), trials=typing.cast(int, of.trials)) if of.retune else None,
        of=_chosen(of, environment) if of.of else None,
        reported=tuple(of.reported),
        figure=described(of.figure),
        cells=tuple(_cell(cell) for cell in asked.cells),
        candidates=tuple(_candidate(candidate) for candidate in asked.candidates),
        identity=_identity(grapher),
        begun=begun,
    )


def _column(grapher: Grapher, column: str) -> Column:
    task = grapher.ablation.tasks[column]
    environment = grapher.environment(task)
    return Column(
        label=column,
        task=plain(task),
        layout=task.layout,
        selection=grapher.ablation.rule(column),
        cohort=environment.cohort,
        subjects=len(environment.roster.subjects),
        about=environment.about,
    )


def _row(of: Ablation, row: Variant) -> Row:
    return Row(
        label=row.label,
        knobs=plain(row.knobs),
        kind="variant" if row in of.variants else "reference",
        against=row.against,
        columns=tuple(row.tasks or of.tasks),
        method=str(row.method or of.method),
        line=row.line,
    )


def _cell(cell: graph.Cell) -> Cell:
    return Cell(row=cell.row, column=cell.column, seed=cell.seed, knobs=plain(cell.knobs), stages=_stages(cell.runs))


def _candidate(candidate: graph.Candidate) -> Candidate:
    return Candidate(
        row=candidate.row,
        column=candidate.column,
        number=candidate.number,
        knobs=plain(candidate.knobs),
        stages=_stages(candidate.runs),
        scored=candidate.scored.node,
        value=candidate.value,
        chosen=candidate.chosen,
    )


def _stages(runs: Sequence[StageRun]) -> Stages:
    return tuple((run.node, run.key) for run in runs)
