"""The header of an ablation: all that reports and trackers need to know of its question, and of its cells."""

import time
import typing
from collections.abc import Iterable
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.study.declare.ablation import Ablation, Curves, Figure, Panels
from medsearch.study.engine.code import codes_of
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.identity import ELSEWHERE, axes, data_fields, question_fields
from medsearch.study.engine.jobs import SearchJobs, StudyEnvironment
from medsearch.study.engine.search_status import freeze, search_status
from medsearch.study.record import headers
from medsearch.study.record.headers import (
    AblationHeader,
    Base,
    Candidate,
    Cell,
    Column,
    Retuning,
    Row,
    SearchHeader,
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
        msg = f"study {grapher.ablation.name!r} in {ledger.folder} was begun with another {parts}; {ELSEWHERE}"
        raise BadInput(msg)
    describe(grapher, ledger)


def describe(grapher: Grapher, ledger: Ledger, failed: Iterable[str] = ()) -> None:
    """Bring the header up to date: cells of rows that retune are known only later.

    failed: keys of stage runs that failed.
    """
    ablation, environment, old = grapher.ablation, next(iter(grapher.environments.values())), ledger.header()
    graph = grapher.graph(environment.store, failed)
    columns = (
        Column(label=label, selection=ablation.rule(label), **data_fields(task, grapher.environment(task)))
        for label, task in ablation.tasks.items()
    )
    rows = (
        Row(
            label=row.label,
            knobs=plain(row.knobs),
            kind="variant" if row in ablation.variants else "reference",
            against=row.against,
            columns=tuple(row.tasks or ablation.tasks),
            method=str(row.method or ablation.method),
            line=row.line,
        )
        for row in ablation.rows
    )
    cells = (
        Cell(
            row=cell.row,
            column=cell.column,
            seed=cell.seed,
            knobs=plain(cell.knobs),
            stages=tuple((run.node, run.key) for run in cell.runs),
        )
        for cell in graph.cells
    )
    candidates = (
        Candidate(
            row=candidate.row,
            column=candidate.column,
            number=typing.cast(int, candidate.number),
            knobs=plain(candidate.knobs),
            stages=tuple((run.node, run.key) for run in candidate.runs),
            scored=candidate.runs[-1].node,
            value=candidate.value,
            chosen=candidate.chosen,
        )
        for candidate in graph.candidates
    )
    supervised = any(row.label == ablation.supervised for row in ablation.rows)
    trials = typing.cast(int, ablation.trials)
    ledger.write_header(
        AblationHeader(
            **question_fields(ablation, environment),
            code=codes_of(ablation),
            columns=tuple(columns),
            rows=tuple(rows),
            seeds=grapher.seeds,
            metrics=tuple(ablation.metrics),
            objective=ablation.objective,
            supervised=ablation.supervised if supervised else "",
            margin=ablation.margin,
            fixed=plain(ablation.fixed),
            within=plain(ablation.within),
            retune=Retuning(space=axes(ablation.retune), trials=trials) if ablation.retune else None,
            of=_base(ablation, environment) if ablation.of else None,
            reported=tuple(ablation.reported),
            figure=recorded_figure(ablation.figure),
            cells=tuple(cells),
            candidates=tuple(candidates),
            identity=_identity(grapher),
            begun=old.begun if old else time.time(),
        )
    )


def winner(ablation: Ablation, environment: StudyEnvironment) -> dict[str, Any]:
    """The knobs of the best configuration of the search that the rows vary; none when they vary the method itself.

    Raises:
        BadInput: that search has not ended in this home.
        StudyFailed: none of its trials is what the ablation takes.

    """
    return {} if ablation.of is None else dict(_base(ablation, environment).knobs)


def _base(ablation: Ablation, environment: StudyEnvironment) -> Base:
    """The trial that the rows vary: the first finalist of the search, or what the ablation's rule takes of it."""
    search = ablation.of
    assert search is not None
    ledger = Ledger(environment.study(search.name))
    header = ledger.header(SearchHeader)
    if header is None or not header.chosen or header.scale != search.scale:
        msg = (
            f"ablation {ablation.name!r} varies the best configuration of {search.name!r}, which has none at scale "
            f"{search.scale!r} in {environment.home}; run that study first"
        )
        raise BadInput(msg)
    number = header.chosen[0]
    if ablation.take is not None:
        number = freeze(search, ablation.take, search_status(SearchJobs(search, environment)), environment.store).number
    trial = trial_of(ledger.runs().values(), number, search.name)
    return Base(study=search.name, trial=number, knobs={**header.fixed, **trial.knobs})


def _identity(grapher: Grapher) -> dict[str, Any]:
    return {
        "scale": grapher.ablation.scale,
        "cohort": {layout: environment.cohort for layout, environment in sorted(grapher.environments.items())},
    }


def recorded_figure(figure: Figure | None) -> headers.Figure | None:
    """The figure as a header has it; None where there is none."""
    if figure is None:
        return None
    if isinstance(figure, Curves):
        return headers.Figure(kind="curves", title=figure.title, x=figure.x)
    if isinstance(figure, Panels):
        return headers.Figure(kind="panels", title=figure.title, kinds=figure.kinds, across=figure.across)
    return headers.Figure(kind="bars", title=figure.title)
