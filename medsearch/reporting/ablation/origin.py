"""The end of an ablation's page: every replicate and stage run, what was re-tuned, where the numbers come from."""

from collections.abc import Iterator

from medsearch.reporting.ablation.caption import names_of
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.results import AblationResults, Candidate, Cell, Run
from medsearch.reporting.ablation.sharing import spent
from medsearch.reporting.elements import data_facts, facts, folded, heading, program_facts, run_row, state, words
from medsearch.reporting.evidence import Replicate
from medsearch.reporting.markup import Child, Markup, joined, tag
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.wording import NOTHING, counted, duration, listed, number, score, selection_rule


def every_run(measures: Measures) -> Markup:
    """Every replicate, every stage run and every re-tuned configuration, failed ones with their reason; folded."""
    results = measures.results
    replicates = [_replicate(cell, run, results) for cell in results.cells for run in cell.replicates]
    scores = [metric_of(metric).heading for metric in results.metrics]
    return tag(
        "section",
        heading("runs", "Every run"),
        folded(counted(len(replicates), "replicate"), ("Row", "Column", "Seed", "State", *scores, "Time"), replicates),
        folded(
            counted(len(results.runs), "stage run"),
            ("Stage", "Key", "Seed", "State", "Asked for by", "Time"),
            [_run(run, results) for run in results.runs],
        ),
        _candidates(results),
    )


def _replicate(cell: Cell, run: Replicate, results: AblationResults) -> Markup:
    found = (score(run.metrics.get(metric), metric_of(metric).digits) for metric in results.metrics)
    cells = (cell.column, str(run.seed), state(run.state), *found)
    return run_row(cell.row, *cells, seconds=run.seconds, reason=run.reason)


def _run(run: Run, results: AblationResults) -> Markup:
    several = len(results.columns) > 1
    owners = "; ".join(f"{row} ({column})" if several else row for row, column in run.owners[:3])
    more = f" and {len(run.owners) - 3} more" if len(run.owners) > 3 else ""
    cells: tuple[Child, ...] = (tag("code", run.key[:12]), str(run.seed), state(run.state), owners + more)
    return run_row(run.node, *cells, seconds=run.seconds, reason=run.reason)


def _candidates(results: AblationResults) -> Markup | None:
    retuning, names = results.design.retuning, names_of(results)
    if retuning is None:
        return None
    head = ("Row", "Column", "Configuration", *(Markup(names[p].html) for p in retuning.space), "Value", "Chosen")
    digits = metric_of(results.design.objective).digits
    rows = [_candidate(one, tuple(retuning.space), digits) for one in results.candidates]
    return folded(counted(len(rows), "re-tuned configuration"), head, rows)


def _candidate(of: Candidate, knobs: tuple[str, ...], digits: int) -> Markup:
    values = (number(of.knobs[path]) if path in of.knobs else "as set" for path in knobs)
    value = tag("span", "failed", class_="bad") if of.reason else score(of.value, digits)
    cells: tuple[Child, ...] = (of.column, str(of.number), *values, value, "chosen" if of.chosen else "")
    row = [tag("th", of.row, scope="row"), *(tag("td", cell, class_="n") for cell in cells)]
    if not of.reason:
        return tag("tr", *row)
    reason = tag("tr", tag("td", of.reason, class_="bad", colspan=len(row)), class_="reason")
    return joined([tag("tr", *row, class_="open"), reason])


def provenance(measures: Measures) -> Markup:
    """Where the numbers come from, column by column, then what all share."""
    results = measures.results
    parts = [joined([tag("h3", column.label), facts(_column(results, column.label))]) for column in results.columns]
    shared = (*_study(results), *program_facts(results.columns[0].provenance, results.trained))
    return tag("section", heading("provenance", "Provenance"), *parts, tag("h3", "The study"), facts(shared))


def _column(results: AblationResults, label: str) -> Iterator[tuple[str, Child]]:
    column = next(column for column in results.columns if column.label == label)
    yield from data_facts(column.provenance)
    yield "Layout", column.layout
    yield "Task", column.direction
    yield "Selection rule", f"{column.selection}: {selection_rule(column.selection, column.provenance.truth)}"


def _study(results: AblationResults) -> Iterator[tuple[str, Child]]:
    design, names, saved = results.design, names_of(results), spent(results)
    fixed = listed(f"{names[path].text} = {number(value)}" for path, value in design.fixed.items())
    yield "Method", design.method
    yield "Seeds", listed(design.seeds)
    yield "Set for every row", words(fixed) if fixed else "nothing"
    yield "Cost as declared", design.cost or NOTHING
    yield "Stage runs", f"{saved.distinct} distinct, asked for {saved.asked} times"
    yield (
        "Time in stage runs",
        f"{duration(saved.shared)}; every cell run alone would have taken {duration(saved.alone)} "
        f"({saved.alone - saved.shared:,.0f} stage-seconds saved)",
    )
