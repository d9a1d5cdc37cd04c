"""How to read the table, and on what it stands: the lines without which it may not be shown."""

from collections.abc import Iterator

from medsearch.reporting import statistics
from medsearch.reporting.code import code_line
from medsearch.reporting.comparison import not_shared
from medsearch.reporting.metrics import directions, metric_of, unchanged
from medsearch.reporting.power import forecast
from medsearch.reporting.search.columns import DICE, forms, given, leading_metric, reported, tested
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import gain, names_of, summary
from medsearch.reporting.search.trade import lines as trade
from medsearch.reporting.variance_components import CONFIDENCE, HOW, ONE_SEED
from medsearch.reporting.wording import counted, listed, number, selection_rule

DISEASED = (
    "Test Dice and ASSD (mm) are over a case's diseased hemispheres, which weak labels name; whole volume is "
    "Dice with false tumour in healthy hemispheres counted too. "
)
WHY = dict.fromkeys(("assd", "hd95"), " (empty prediction)")


def failures(results: SearchResults) -> tuple[str, ...]:
    """Every failed trial and tested run with its reason, one line each."""
    trials = [f"trial {trial.number}: {trial.reason or 'no reason recorded'}" for trial in results.in_state("failed")]
    tested = [
        f"{row.title}, seed {run.seed}: {run.reason or 'no reason recorded'}"
        for row in summary(results)
        for run in row.replicates
        if run.state == "failed"
    ]
    return (*trials, *tested)


def caption(results: SearchResults) -> tuple[str, ...]:
    """How to read the table, and on what it stands, one line per matter."""
    return tuple(_caption(results))


def _caption(results: SearchResults) -> Iterator[str]:
    design, origin = results.design, results.provenance
    rows = summary(results)
    cases = max((row.over_cases.n for row in rows), default=0)
    over = counted(cases, "test case") if cases else "test cases"
    yield (
        f"Mean ± sample SD over seeds {listed(design.seeds)} (n; none at n=1) of the mean over {over}. "
        f"{DISEASED if leading_metric(results) == DICE else ''}"
        "Test cases were seen by finalists and references only."
    )
    yield from directions([*(column.metric for column in tested(results)), *design.objectives])
    yield from (f"{form}." for form in forms(results))
    yield from filter(None, [unchanged(given(results), reported(results))])
    yield from trade(results)
    yield from _cohort(results)
    yield from code_line(results.trained)
    best = "First finalist" if design.several else "Best"
    yield (
        f"Model selection ({design.selection}): {selection_rule(design.selection, results.provenance.truth)}. "
        f"{best} = {'lowest' if design.minimised else 'highest'} mean {design.value_words} over seeds, never by test."
    )
    yield from _statistics(results)
    yield from _frozen(results)
    yield _counts(results)
    yield from (f"Failed: {line}." for line in failures(results))
    yield from _undefined(results)
    for case in origin.skipped:
        yield f"Skipped case {case.subject}: {case.problem}."


def _statistics(results: SearchResults) -> Iterator[str]:
    """What intervals are over, and how many seeds would make them tell more."""
    found, every = gain(results), summary(results)
    rows = [row for row in every if row.kind != "reference"]
    shares = [row.share for row in rows if row.share]
    if words := statistics.patients_in_words(run for row in every for run in row.replicates):
        yield words
    if shares:
        yield "Share of target supervised: ratio of mean test Dice over the seeds and cases that both rows have."
        yield from not_shared({f"Share of {row.title}": row.share.basis for row in rows if row.share})
    if found and found.p is not None:
        yield (
            "The best against no adaptation: mean difference over the seeds and cases that both have; p is of the "
            "methods, from the same distribution as the interval, and of one comparison."
        )
        yield from not_shared({"The best against no adaptation": found.basis})
    intervals = [*shares, *([found.effect] if found and found.effect else [])]
    if any(one.bounds for one in intervals):
        yield f"{HOW}."
    elif any(one.reason == ONE_SEED for one in intervals):
        yield f"No {CONFIDENCE:.0%} interval: {ONE_SEED}."
    if found and found.effect and found.effect.reason and found.wilcoxon_p is not None:
        yield (
            f"Of these trained models alone, the best and no adaptation over {found.over}: p = {found.wilcoxon_p:.2g} "
            f"({found.wilcoxon_test})."
        )
    more = forecast([found], metric_of(leading_metric(results))) if found else ""
    if more:
        yield f"The best against no adaptation: {more[0].lower()}{more[1:]}."


def _cohort(results: SearchResults) -> Iterator[str]:
    origin = results.provenance
    phantom = " (a phantom cohort: never a reproduction of the paper's result)" if origin.phantom else ""
    yield (
        f"Data: {origin.cohort}{phantom}, {counted(origin.subjects, 'subject')}, fingerprint "
        f"{origin.data_fingerprint}, scale {origin.scale}; {results.design.task}."
    )


def _frozen(results: SearchResults) -> Iterator[str]:
    design, names = results.design, names_of(results)
    searched = listed(names[path].text for path in design.space)
    nuisance = f" (nuisance: {listed(names[path].text for path in design.nuisance)})" if design.nuisance else ""
    fixed = listed(f"{names[path].text} = {number(value)}" for path, value in design.fixed.items())
    stages = f"; {listed(design.shared_stages)} trained once for all trials of a seed" if design.shared_stages else ""
    yield (
        f"Searched: {searched or 'nothing'}{nuisance}. Frozen: {fixed or 'nothing by the study'}{stages}. "
        "References have the method's own network and were not tuned."
    )


def _counts(results: SearchResults) -> str:
    states = [(len(results.in_state(state)), state) for state in ("complete", "cut", "failed", "running")]
    counts = listed(f"{count} {state}" for count, state in states if count)
    tested = [run for row in summary(results) for run in row.replicates]
    failed = sum(run.state == "failed" for run in tested)
    return (
        f"Runs: {len(results.trials)} of {counted(results.design.trials, 'trial')}{f' ({counts})' if counts else ''}; "
        f"{counted(len(tested), 'tested run')}, {failed} failed."
    )


def _undefined(results: SearchResults) -> Iterator[str]:
    columns = [column for column in tested(results) if metric_of(column.metric).by_case]
    for row in summary(results):
        for column in columns:
            if column.name.startswith("dice") or not row.test(column.metric).n:
                continue
            missing, total = statistics.undefined(row.replicates, column.name)
            if missing:
                cases, why = f"{missing} of {total} case scores", WHY.get(column.name, "")
                name = metric_of(column.metric).heading.partition(" (")[0]
                yield f"{row.title}: {name} is undefined in {cases}{why}, which its mean leaves out."
