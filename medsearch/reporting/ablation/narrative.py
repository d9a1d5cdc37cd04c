"""What an ablation says: the answer in a few sentences, the warnings beside it, and how to read the table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from medsearch.core.reported import Statistic
from medsearch.reporting import comparison, statistics, verdicts
from medsearch.reporting.ablation.cells import SURVIVORS, effect_interval, signed
from medsearch.reporting.ablation.measures import CHANGE, Measure, Measures, names_of, shared
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import directions, metric_of, unchanged
from medsearch.reporting.provenance import code_line, other_code, phantom_warning, provisional, scale_warning
from medsearch.reporting.results import AblationResults, ColumnResults
from medsearch.reporting.variance_components import ALPHA, HOW, ONE_SEED
from medsearch.reporting.wording import counted, gathered, listed, oracle_chose, percent, selection_rule, settings

TAKEN: Mapping[Statistic, str] = {
    "pooled": "pooled over all scored units of the test split",
    "mean over cases": "means over test cases",
}
"""What a paper's values are."""
MOST = 4
"""Differences that a sentence of the answer names; the table holds them all."""


def answer(measures: Measures) -> str:
    """What differs from what, and how it stands beside the paper; while nothing was tested, how far the study is."""
    replicates = measures.results.replicates
    if not any(run.state == "complete" for run in replicates):
        return f"No answer yet: 0 of {counted(len(replicates), 'replicate')} were tested."
    sentences = list(_differences(measures))
    if kinds := Counter(verdict.kind for verdict in measures.verdicts.values()):
        counts = ", ".join(f"{kind} {kinds[kind]}" for kind in get_args(verdicts.Kind) if kinds[kind])
        sentences.append(f"Verdicts on {counted(kinds.total(), 'reported value')}: {counts}.")
    whole = sum(of.whole for of in measures)
    return " ".join(sentences) or f"{whole} of {counted(len(measures.all), 'cell')} have all their seeds."


def _differences(measures: Measures) -> Iterator[str]:
    """In the first metric: what is shown of methods and how many seeds would show more; else, of trained models."""
    first, several = measures.results.design.metrics[0], len(measures.results.columns) > 1
    name = f"{metric_of(first).words}{' (less is better)' if metric_of(first).better == 'less' else ''}"
    every = [(measures.all[key], one) for key, one in measures.comparisons.items() if key[2] == first and one.effect]
    tested = [pair for pair in every if pair[1].p is not None]
    one_seed = [pair for pair in every if pair[1].p is None and pair[1].fewest_seeds < 2]
    alike = [pair for pair in every if pair[1].alike]

    def line(what: str, pairs: Sequence[tuple[Measure, Comparison]], among: int) -> str:
        named = [
            f"“{of.row.label}” {signed(one.effect.estimate, of.known.digits)} against “{of.row.against}”"
            f"{f' on {of.column.label}' if several else ''}"
            for of, one in pairs[:MOST]
            if one.effect
        ]
        more = [f"{len(pairs) - MOST} more"] if len(pairs) > MOST else []
        return f"{what}, {len(pairs)} of {among}{f': {listed([*named, *more])}' if pairs else ''}."

    if tested:
        shown = [pair for pair in tested if pair[1].p_holm is not None and pair[1].p_holm < ALPHA]
        shown.sort(key=lambda pair: pair[1].p_holm or 0.0)  # the clearest first
        yield line(f"Methods that differ in {name} (p < {ALPHA:g} after Holm)", shown, len(tested))
    if one_seed:
        yield f"Nothing is known of the methods in {counted(len(one_seed), 'comparison')}: {ONE_SEED}."
        models = [pair for pair in one_seed if pair[1].wilcoxon_p is not None]
        apart = [pair for pair in models if (p := pair[1].wilcoxon_p_holm) is not None and p < ALPHA]
        apart.sort(key=lambda pair: pair[1].wilcoxon_p_holm or 0.0)
        what = f"Trained models that differ in {name} over test cases (Wilcoxon, p < {ALPHA:g} after Holm)"
        yield line(what, apart, len(models)) if models else "Too few test cases differ to test these trained models."
    if alike:
        what = f"The same difference in {name} under every seed and in every case, so that no test was made"
        yield line(what, alike, len(every))
    if others := len(every) - len(tested) - len(one_seed) - len(alike):
        yield f"{counted(others, 'comparison')} could not be tested; the notes say why."
    if tested and len(shown) < len(tested) and (more := measures.forecast(first)):
        yield f"{more}."


@gathered
def warnings(measures: Measures) -> Iterator[str]:
    """What must stand beside the answer, not below it: phantoms, scale, oracle selection, what failed or is to come."""
    results = measures.results
    phantoms = [column.label for column in results.columns if column.provenance.phantom]
    if phantoms:
        where = "" if len(phantoms) == len(results.columns) else f" ({results.named(phantoms)})"
        yield phantom_warning("the method runs here;", where)
    if results.design.scale != "paper" and len(phantoms) < len(results.columns):
        yield scale_warning(results.design.scale)
    oracle = [column for column in results.columns if column.selection == "oracle"]
    for truth in dict.fromkeys(column.provenance.truth for column in oracle):
        where = results.named(column.label for column in oracle if column.provenance.truth == truth)
        yield f"Oracle selection ({where}): {oracle_chose('the weights', truth)}"
    yield from other_code(results.trained)
    yield from provisional(unfinished(results))
    if failed := sum(run.state == "failed" for run in results.replicates):
        yield f"{counted(failed, 'replicate')} failed, which no mean contains; each such cell says so."
    if measures.unplaced:
        yield f"Beside no cell of the table, and listed under it: {counted(len(measures.unplaced), 'reported value')}."


def unfinished(results: AblationResults) -> str:
    """What is planned and has not ended, in words; empty when the study is done."""
    waiting = sum(run.state not in ("complete", "failed") for run in results.replicates)
    return counted(waiting, "replicate") if waiting else ""


def failures(results: AblationResults) -> tuple[str, ...]:
    """Every failed replicate and re-tuned configuration with its reason, one line each."""
    replicates = (
        f"{cell.row}, {cell.column}, seed {run.seed}: {run.reason or 'no reason recorded'}"
        for cell in results.cells
        for run in cell.replicates
        if run.state == "failed"
    )
    lost = (of for of in results.candidates if of.reason)
    candidates = (f"{of.row}, {of.column}, configuration {of.number}: {of.reason}" for of in lost)
    return (*replicates, *candidates)


@gathered
def caption(measures: Measures) -> Iterator[str]:
    """One line per matter; lines that tell of failures begin with "Failed"."""
    yield from _scores(measures)
    yield from _settings(measures.results)
    yield from _statistics(measures)
    yield from _paper(measures)
    yield from _missing(measures)


def _scores(measures: Measures) -> Iterator[str]:
    """What is measured, in which metrics, and what the given images score without a method."""
    results, design = measures.results, measures.results.design
    names = listed(dict.fromkeys(metric_of(metric).heading for metric in design.metrics if metric_of(metric).by_case))
    yield (
        f"{names} on test cases. Measured: mean ± sample SD over seed{'s' * (len(design.seeds) > 1)} "
        f"{listed(design.seeds)} (n; none at n=1) of the mean over test cases. SD over cases is that of each test "
        "case's mean over seeds: another thing, named apart."
    )
    for metric in results.metrics:
        known = metric_of(metric)
        if known.pools:
            scored = dict.fromkeys(of.unit for of in measures if of.metric == metric and of.unit)
            units = f" ({', '.join(scored)})" if scored else ""
            yield (
                f"{known.heading}: mean ± sample SD over seeds of one {metric_of(known.pools).words} of all scored "
                f"units of the test split together{units}. It is a run's and no case's, so it has no SD over cases, "
                "rows are not compared by it, and its shares and changes have no interval: none would be over cases."
            )
    yield from directions(design.metrics)
    yield from dict.fromkeys(f"{form}." for run in results.replicates for form in run.forms.values())
    for column in results.columns:
        given = (run.given for cell in results.cells if cell.column == column.label for run in cell.replicates)
        if words := unchanged(next(filter(None, given), {}), design.metrics):
            yield f"{column.label}: {words}"
    if any(not of.whole and of.values for of in measures):
        yield (
            f"{SURVIVORS} Planned seeds are missing: the mean is over those that finished, no estimate of the row, and "
            "empty in table.csv, where it stands apart."
        )


def _settings(results: AblationResults) -> Iterator[str]:
    """A line for each cohort and selection rule, what every row has in common, and what was tuned."""
    grounds: dict[tuple[object, ...], list[ColumnResults]] = {}
    for column in results.columns:
        origin = column.provenance
        ground = (origin.cohort, origin.phantom, origin.subjects, origin.data_fingerprint, column.selection)
        grounds.setdefault(ground, []).append(column)
    for columns in grounds.values():
        origin, selection = columns[0].provenance, columns[0].selection
        where = results.named(column.label for column in columns)
        phantom = ", a phantom cohort: never a reproduction of the paper's result" if origin.phantom else ""
        yield (
            f"{where[:1].upper()}{where[1:]}: {origin.cohort}{phantom}; {counted(origin.subjects, 'subject')}, "
            f"fingerprint {origin.data_fingerprint}, scale {origin.scale}, "
            f"{listed(dict.fromkeys(column.direction for column in columns))}; model selection ({selection}): "
            f"{selection_rule(selection, origin.truth)}."
        )
    yield from code_line(results.trained)
    design, names = results.design, names_of(results)
    if design.fixed:
        yield f"Set for every row: {settings(design.fixed, names)}."
    for column_label, within in design.within.items():
        yield f"Set for every row in {column_label}: {settings(within, names)}."
    if (retuning := design.retuning) is None:
        yield "Frozen: no knob was tuned for any row; a row might be better under settings of its own."
    else:
        yield (
            f"Re-tuned for every row and column: {listed(names[path].text for path in retuning.space)}, over the same "
            f"{counted(retuning.trials, 'configuration')} each, under seed {design.seeds[0]}, by "
            f"{design.objective or 'the selection rule'}; all else is frozen."
        )
    if design.base:
        knobs = settings(design.base.knobs, names)
        yield f"Base: trial {design.base.trial} of the search {design.base.study} ({knobs})."
    yield from (group.words(results) for group in shared(results))


def _statistics(measures: Measures) -> Iterator[str]:
    """How rows are compared, which could not be, how many seeds would show more, and what shares and changes are."""
    design = measures.results.design
    if words := statistics.patients_in_words(measures.results.replicates):
        yield words
    if measures.comparisons:
        yield f"{comparison.HOW}."
        compared = {f"“{row}” ({column})": one.basis for (row, column, _), one in measures.comparisons.items()}
        yield from comparison.not_shared({f"Difference of {name}": basis for name, basis in compared.items()})
        untested: dict[tuple[str, str], list[str]] = {}
        for (row, column, metric), one in measures.comparisons.items():
            name = f"“{row}” ({column}, {metric_of(metric).words})"
            if one.p is None:
                untested.setdefault(("as methods", one.reason), []).append(name)
            if one.wilcoxon_p is None and one.wilcoxon_reason != one.reason:
                untested.setdefault(("as trained models", one.wilcoxon_reason), []).append(name)
        for (what, reason), names in untested.items():
            every = 1 < len(names) == len(measures.comparisons)
            yield f"No test of {'any row' if every else listed(names)} {what}: {reason}."
        yield from (f"{words}." for metric in design.metrics if (words := measures.forecast(metric)))
    for (line, other, column, metric), one in measures.line_comparisons.items():
        if one.effect is not None:
            interval = "" if one.effect.bounds else f", no interval: {one.effect.reason or one.reason}"
            p = f", p = {one.p:.2g}" if one.effect.bounds and one.p is not None else ""
            yield (
                f"Mean over the points of “{line}” minus that over those of “{other}” ({column}, "
                f"{metric_of(metric).words}): {effect_interval(one.effect, metric_of(metric).digits)}{interval}{p}, "
                f"over {one.over}."
            )
    if measures.shares:
        yield f"Share of “{design.supervised}”: ratio of mean test Dice over the seeds and cases that both rows have."
        shares = ((of, share) for of in measures if (share := measures.share(of)))
        yield from comparison.not_shared(
            {f"Share of “{of.row.label}” ({of.column.label})": share.basis for of, share in shares}
        )
    if measures.changes:
        yield f"Change of Dice against the row compared with: {comparison.CHANGE_HOW}."
    if measures.comparisons or measures.shares or measures.changes:
        yield f"{HOW}{f'; {ONE_SEED}, so there are none' if len(design.seeds) < 2 else ''}."
    for mean in measures.mean_shares:
        over = f"{mean.columns} columns" if mean.columns == mean.asked else f"{mean.columns} of {mean.asked} columns"
        yield (
            f"Mean share of “{design.supervised}” over {over}: “{mean.reported.row}” {percent(mean.mean)}, reported "
            f"{percent(mean.reported.value)} ({mean.reported.where}, {mean.reported.column})."
        )


def _paper(measures: Measures) -> Iterator[str]:
    """Margins of the verdicts, where the reported values are printed, of what they are taken, and what clashes."""
    if measures.verdicts:
        changes = {of.key for of in measures.changes.values()}
        margins = {
            (verdict.margin, metric_of(CHANGE if key in changes else key[2]).behind_gap)
            for key, verdict in measures.verdicts.items()
        }
        words = listed(f"{margin:g}{unit}" for margin, unit in sorted(margins))
        yield f"Verdicts within a margin of {words}: {verdicts.HOW}."
    beside = [(of, value) for of in measures for value in measures.beside(of)]
    spreads: dict[str, dict[str, None]] = {}
    statistic_of: dict[tuple[Statistic, str], dict[str, None]] = {}
    for of, value in beside:
        if value.spread is not None:
            over = f"{value.n or ''} {value.spread_of or '(the paper does not say what)'}".strip()
            spreads.setdefault(over, {})[of.column.label] = None
        if value.statistic != "run":
            statistic_of.setdefault((value.statistic, of.known.heading), {})[of.column.label] = None
    if beside:
        where = dict.fromkeys(f"{value.paper}, {value.where}, p. {value.page}" for _, value in beside)
        over = listed(f"{over} ({measures.results.named(columns)})" for over, columns in spreads.items())
        yield f"Reported: {'; '.join(where)}.{f' Their ± is the SD over {over}.' if over else ''}"
    for (statistic, heading), columns in statistic_of.items():
        named, taken = measures.results.named(columns), "of what the paper's values are taken is not known"
        if statistic:
            taken = f"the paper's values, and the shares and changes made of them, are {TAKEN[statistic]}"
        yield f"{named[:1].upper()}{named[1:]}: {taken}; they stand beside “{heading}”."
    every = [*(value for _, value in beside), *(mean.reported for mean in measures.mean_shares)]
    yield from dict.fromkeys(f"Assumed of the paper: {value.assumed}." for value in every if value.assumed)
    clashes: dict[str, dict[str, None]] = {}
    for value in (*every, *measures.unplaced):
        if value.contradiction:
            clashes.setdefault(value.contradiction, {})[f"“{value.row}”"] = None
    for line, rows in clashes.items():
        yield f"The paper contradicts itself on {listed(rows)}: {line}."


def _missing(measures: Measures) -> Iterator[str]:
    """How many replicates there are, what failed, and which cases have no score."""
    results, states = measures.results, Counter(run.state for run in measures.results.replicates)
    waiting = states.total() - states["complete"] - states["failed"]
    asked = counted(sum(cell.asked for cell in results.cells), "cell")
    yield (
        f"Replicates: {states.total()} planned ({counted(len(results.design.seeds), 'seed')} of {asked}), "
        f"{states['complete']} tested, {states['failed']} failed, {waiting} to come."
    )
    yield from (f"Failed: {line}." for line in failures(results))
    for metric in results.design.metrics:
        counts = [(statistics.undefined(of.replicates, of.name), of) for of in measures if of.metric == metric]
        lacking = [(count, of) for count, of in counts if count[0] and of.cases.n]
        if lacking:
            (most, among), worst = max(lacking, key=lambda count: count[0][0] / count[0][1])
            yield (
                f"{metric_of(metric).heading} is undefined in {sum(count[0] for count, _ in lacking)} of "
                f"{sum(count[1] for count, _ in counts)} case scores, which means leave out (most of all in "
                f"{worst.row.label}, {worst.column.label}: {most} of {among}); table.csv counts them by cell."
            )
    for column in results.columns:
        cells = [cell for cell in results.cells if cell.column == column.label]
        if bare := max((run.unscored for cell in cells for run in cell.replicates), default=0):
            yield (
                f"{column.label}: {counted(bare, 'test case')} without a mask: predicted (predictions/ in the folders "
                "of the test stages), not scored, and in no mean."
            )
    for column in results.columns:
        for case in column.provenance.skipped:
            yield f"{column.label}: skipped case {case.subject}: {case.problem}."
