"""What an ablation says: the answer in a few sentences, the warnings beside it, and how to read the table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from medsearch.core.reported import Statistic
from medsearch.reporting import comparison, statistics, verdicts
from medsearch.reporting.ablation.cells import SURVIVORS, effect_interval, signed
from medsearch.reporting.ablation.measures import CHANGE, Measure, Measures, names_of, shared
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import directions, metric_of, unchanged
from medsearch.reporting.provenance import code_line, other_code, phantom_warning, provisional, scale_warning
from medsearch.reporting.results import AblationResults, ColumnResults
from medsearch.reporting.variance_components import ALPHA, HOW, ONE_SEED
from medsearch.reporting.wording import (
    counted,
    gathered,
    listed,
    oracle_chose,
    percent,
    selection_rule,
    settings,
)

TAKEN: Mapping[Statistic, str] = {
    "pooled": "pooled over all scored units of the test split",
    "mean over cases": "means over test cases",
}
Pair = tuple[Measure, Comparison]

MOST = 4
"""Differences that the answer names; the table holds them all."""


def answer(measures: Measures) -> str:
    """What differs from what, and how it stands beside the paper; while nothing was tested, how far the study is."""
    results = measures.results
    tested = sum(run.state == "complete" for run in results.replicates)
    if not tested:
        return f"No answer yet: 0 of {counted(len(results.replicates), 'replicate')} were tested."
    sentences = (_differences(measures), _beside_the_paper(measures))
    whole = sum(of.whole for of in measures)
    so_far = f"{whole} of {counted(len(measures.all), 'cell')} have all their seeds."
    return " ".join(sentence for sentence in sentences if sentence) or so_far


def _differences(measures: Measures) -> str:
    """Over the first metric: what is shown of methods and how many seeds would show more; else, of trained models."""
    first = measures.results.design.metrics[0]
    every = [(measures.all[key], one) for key, one in measures.comparisons.items() if key[2] == first and one.effect]
    tested = [pair for pair in every if pair[1].p is not None]
    one_seed = [pair for pair in every if pair[1].p is None and pair[1].fewest_seeds < 2]
    alike = [pair for pair in every if pair[1].alike]
    others = len(every) - len(tested) - len(one_seed) - len(alike)
    more = "" if all(_shown(one.p_holm) for _, one in tested) else measures.forecast(first)
    less = " (less is better)" if metric_of(first).better == "less" else ""
    name, several = f"{metric_of(first).words}{less}", len(measures.results.columns) > 1
    return " ".join(
        [
            *([_of_methods(tested, name, several=several)] if tested else []),
            *([_of_models(one_seed, name, several=several)] if one_seed else []),
            *([_everywhere(alike, name, several=several)] if alike else []),
            *([f"{counted(others, 'comparison')} could not be tested; the notes say why."] if others else []),
            *([f"{more}."] if more else []),
        ]
    )


def _of_methods(pairs: Sequence[Pair], name: str, *, several: bool) -> str:
    """The clearest first."""
    found = sorted((pair for pair in pairs if _shown(pair[1].p_holm)), key=lambda pair: pair[1].p_holm or 0.0)
    level, many = f"(p < {ALPHA:g} after Holm)", counted(len(pairs), "comparison")
    if not found:
        return f"None of {many} shows a difference in {name} between methods {level}."
    verb = "shows" if len(found) == 1 else "show"
    told = _named(found, several=several)
    return f"{len(found)} of {many} {verb} a difference in {name} between methods {level}: {told}."


def _of_models(pairs: Sequence[Pair], name: str, *, several: bool) -> str:
    """One seed: what the trained models show over test cases, which is nothing about the methods."""
    tested = [pair for pair in pairs if pair[1].wilcoxon_p is not None]
    found = [pair for pair in tested if _shown(pair[1].wilcoxon_p_holm)]
    found = sorted(found, key=lambda pair: pair[1].wilcoxon_p_holm or 0.0)
    no = f"Nothing is known of the methods in {counted(len(pairs), 'comparison')}: {ONE_SEED}."
    if not tested:
        return f"{no} Of these trained models, too few test cases differ for a test."
    told = f": {_named(found, several=several)}" if found else ""
    verb, many = "differs" if len(found) == 1 else "differ", counted(len(tested), "pair")
    return (
        f"{no} Of these trained models, {len(found) or 'none'} of {many} {verb} in {name} over test cases "
        f"(Wilcoxon, p < {ALPHA:g} after Holm){told}."
    )


def _everywhere(pairs: Sequence[Pair], name: str, *, several: bool) -> str:
    """Nothing varies, as in a made-up study."""
    verb = "finds" if len(pairs) == 1 else "find"
    return (
        f"{counted(len(pairs), 'comparison')} {verb} the same difference in {name} under every seed and in every case, "
        f"so no test was made: {_named(pairs, several=several)}."
    )


def _shown(p_holm: float | None) -> bool:
    return p_holm is not None and p_holm < ALPHA


def _named(pairs: Sequence[Pair], *, several: bool) -> str:
    """The first few."""
    more = [f"{len(pairs) - MOST} more"] if len(pairs) > MOST else []
    return listed([*(_difference(of, one, several=several) for of, one in pairs[:MOST]), *more])


def _difference(of: Measure, comparison: Comparison, *, several: bool) -> str:
    assert comparison.effect is not None
    where = f" on {of.column.label}" if several else ""
    return f"“{of.row.label}” {signed(comparison.effect.estimate, of.known.digits)} against “{of.row.against}”{where}"


def _beside_the_paper(measures: Measures) -> str:
    kinds = Counter(verdict.kind for verdict in measures.verdicts.values())
    if not kinds:
        return ""
    one = {"agrees": "agrees", **{kind: f"is {kind}" for kind in ("lower", "higher", "underpowered", "not comparable")}}
    several = {kind: words.replace("is ", "are ").replace("agrees", "agree") for kind, words in one.items()}
    counts = ((kind, kinds[kind]) for kind in one if kinds[kind])  # type: ignore[index]
    told = listed(f"{count} {(one if count == 1 else several)[kind]}" for kind, count in counts)
    return f"Of {counted(kinds.total(), 'reported value')}, {told}."


@gathered
def warnings(measures: Measures) -> Iterator[str]:
    """What must stand beside the answer, not below it: phantoms, scale, oracle selection, what failed or is to come."""
    results = measures.results
    phantoms = [column.label for column in results.columns if column.provenance.phantom]
    if phantoms:
        where = "" if len(phantoms) == len(results.columns) else f" ({results.named(phantoms)})"
        yield phantom_warning("the method runs here;", where)
    scale = results.design.scale
    if scale != "paper" and len(phantoms) < len(results.columns):
        yield scale_warning(scale)
    oracle = [column for column in results.columns if column.selection == "oracle"]
    for truth in dict.fromkeys(column.provenance.truth for column in oracle):
        where = results.named(column.label for column in oracle if column.provenance.truth == truth)
        yield f"Oracle selection ({where}): {oracle_chose('the weights', truth)}"
    yield from other_code(results.trained)
    yield from _incomplete(measures)


def _incomplete(measures: Measures) -> Iterator[str]:
    results = measures.results
    yield from provisional(unfinished(results))
    failed = sum(run.state == "failed" for run in results.replicates)
    if failed:
        what = counted(failed, "replicate")
        yield f"{what} failed: no mean contains {'it' if failed == 1 else 'them'}, and each such cell says so."
    if measures.unplaced:
        what = counted(len(measures.unplaced), "reported value")
        yield f"{what} stand{'s' * (len(measures.unplaced) == 1)} beside no cell of the table; listed under it."


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
    results = measures.results
    yield from _scores(measures)
    yield from _data(results)
    yield from code_line(results.trained)
    yield from _settings(results)
    yield from (group.words(results) for group in shared(results))
    yield from _statistics(measures)
    yield _counts(results)
    yield from (f"Failed: {line}." for line in failures(results))
    yield from _undefined(measures)
    yield from _unscored(results)
    for column in results.columns:
        for case in column.provenance.skipped:
            yield f"{column.label}: skipped case {case.subject}: {case.problem}."


def _scores(measures: Measures) -> Iterator[str]:
    design = measures.results.design
    names = listed(dict.fromkeys(metric_of(metric).heading for metric in design.metrics if metric_of(metric).by_case))
    yield (
        f"{names} on test cases. Measured: mean ± sample SD over seed{'s' * (len(design.seeds) > 1)} "
        f"{listed(design.seeds)} (n; none at n=1) of the "
        "mean over test cases. SD over cases is that of each test case's mean over seeds: another thing, named apart."
    )
    yield from _pooled(measures)
    yield from directions(design.metrics)
    told = (form for run in measures.results.replicates for form in run.forms.values())
    yield from dict.fromkeys(f"{form}." for form in told)
    yield from _unchanged(measures.results)
    if any(not of.whole and of.values for of in measures):
        yield (
            f"{SURVIVORS} Planned seeds are missing: the mean is over those that finished, no estimate of the row, and "
            "empty in table.csv, where it stands apart."
        )


def _pooled(measures: Measures) -> Iterator[str]:
    """What the pooled form of a metric is, and what there is not of it."""
    for metric in measures.results.metrics:
        known = metric_of(metric)
        if known.pools:
            scored = dict.fromkeys(of.unit for of in measures if of.metric == metric and of.unit)
            units, one = f" ({', '.join(scored)})" if scored else "", metric_of(known.pools).words
            yield (
                f"{known.heading}: mean ± sample SD over seeds of one {one} of all scored units of the test split "
                f"together{units}. It is a run's and no case's, so it has no SD over cases, rows are not compared by "
                "it, and its shares and changes have no interval: none would be over cases."
            )


def _unchanged(results: AblationResults) -> Iterator[str]:
    """Of each column, by its first replicate that knows."""
    for column in results.columns:
        known = (run.given for cell in results.cells if cell.column == column.label for run in cell.replicates)
        told = unchanged(next(filter(None, known), {}), results.design.metrics)
        if told:
            yield f"{column.label}: {told}"


def _data(results: AblationResults) -> Iterator[str]:
    """A line for each cohort and selection rule."""
    groups: dict[tuple[object, ...], list[ColumnResults]] = {}
    for column in results.columns:
        origin = column.provenance
        ground = (origin.cohort, origin.phantom, origin.subjects, origin.data_fingerprint, column.selection)
        groups.setdefault(ground, []).append(column)
    for columns in groups.values():
        origin, selection = columns[0].provenance, columns[0].selection
        phantom = ", a phantom cohort: never a reproduction of the paper's result" if origin.phantom else ""
        directions = listed(dict.fromkeys(column.direction for column in columns))
        yield (
            f"{_sentence(results.named(column.label for column in columns))}: {origin.cohort}{phantom}; "
            f"{counted(origin.subjects, 'subject')}, fingerprint {origin.data_fingerprint}, scale {origin.scale}, "
            f"{directions}; model selection ({selection}): {selection_rule(selection, origin.truth)}."
        )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _settings(results: AblationResults) -> Iterator[str]:
    design, names = results.design, names_of(results)
    if fixed := settings(design.fixed, names):
        yield f"Set for every row: {fixed}."
    for column, within in design.within.items():
        yield f"Set for every row in {column}: {settings(within, names)}."
    retuning = design.retuning
    if retuning is None:
        yield "Frozen: no knob was tuned for any row; a row might be better under settings of its own."
    else:
        tuned = listed(names[path].text for path in retuning.space)
        yield (
            f"Re-tuned for every row and column: {tuned}, over the same {counted(retuning.trials, 'configuration')} "
            f"each, under seed {design.seeds[0]}, by {design.objective or 'the selection rule'}; all else is frozen."
        )
    if design.base:
        knobs = settings(design.base.knobs, names)
        yield f"Base: trial {design.base.trial} of the search {design.base.study} ({knobs})."


def _statistics(measures: Measures) -> Iterator[str]:
    design = measures.results.design
    if words := statistics.patients_in_words(measures.results.replicates):
        yield words
    if measures.comparisons:
        pairs = dict.fromkeys(f"“{row.label}” with “{row.against}”" for row in measures.results.rows if row.against)
        yield f"Compared: {listed(pairs)}. {comparison.HOW}."
        yield from comparison.not_shared(
            {f"Difference of “{row}” ({column})": one.basis for (row, column, _), one in measures.comparisons.items()}
        )
        yield from _untested(measures)
        told = (measures.forecast(metric) for metric in design.metrics)
        yield from (f"{words}." for words in told if words)
    yield from _lines(measures)
    if measures.shares:
        yield f"Share of “{design.supervised}”: ratio of mean test Dice over the seeds and cases that both rows have."
        shares = ((of, measures.share(of)) for of in measures)
        yield from comparison.not_shared(
            {f"Share of “{of.row.label}” ({of.column.label})": found.basis for of, found in shares if found}
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
    if measures.verdicts:
        yield f"Verdicts within a margin of {listed(_margins(measures))}: {verdicts.HOW}."
    yield from _sources(measures)
    yield from _statistics_of_the_paper(measures)


def _lines(measures: Measures) -> Iterator[str]:
    """What the mean over a line's points is against that of another line."""
    for (line, other, column, metric), one in measures.line_comparisons.items():
        if one.effect is None:
            continue
        digits, p = metric_of(metric).digits, "" if one.p is None else f", p = {one.p:.2g}"
        told = (
            f"{effect_interval(one.effect, digits)}{p}"
            if one.effect.bounds
            else (f"{signed(one.effect.estimate, digits)}, no interval: {one.effect.reason or one.reason}")
        )
        yield (
            f"Mean over the points of “{line}” minus that over those of “{other}” ({column}, "
            f"{metric_of(metric).words}): {told}, over {one.over}."
        )


def _margins(measures: Measures) -> Iterator[str]:
    """`0.03`, and `3 % points` of a relative change."""
    changes = {of.key for of in measures.changes.values()}
    found = {
        (verdict.margin, metric_of(CHANGE if key in changes else key[2]).behind_gap)
        for key, verdict in measures.verdicts.items()
    }
    return (f"{margin:g}{unit}" for margin, unit in sorted(found))


def _sources(measures: Measures) -> Iterator[str]:
    """Where the reported values of the table are printed, and what is behind their ±."""
    beside = ((of, paper) for of in measures for paper in measures.beside(of))
    where: dict[str, None] = {}
    over: dict[str, dict[str, None]] = {}
    for of, paper in beside:
        where[f"{paper.paper}, {paper.where}, p. {paper.page}"] = None
        if paper.spread is not None:
            what = f"{paper.n or ''} {paper.spread_of or '(the paper does not say what)'}".strip()
            over.setdefault(what, {})[of.column.label] = None
    if where:
        spreads = listed(f"{what} ({measures.results.named(columns)})" for what, columns in over.items())
        yield f"Reported: {'; '.join(where)}.{f' Their ± is the SD over {spreads}.' if over else ''}"


def _statistics_of_the_paper(measures: Measures) -> Iterator[str]:
    """Of what the paper's values are taken, and beside which of ours they stand; what was assumed; what clashes."""
    beside = [(of, value) for of in measures for value in measures.beside(of)]
    told: dict[tuple[Statistic, str], dict[str, None]] = {}
    for of, value in beside:
        if value.statistic != "run":
            told.setdefault((value.statistic, of.known.heading), {})[of.column.label] = None
    for (statistic, heading), columns in told.items():
        where = _sentence(measures.results.named(columns))
        if statistic:
            yield (
                f"{where}: the paper's values, and the shares and changes made of them, are {TAKEN[statistic]}; "
                f"they stand beside “{heading}”."
            )
        else:
            yield f"{where}: of what the paper's values are taken is not known; they stand beside “{heading}”."
    every = [*(value for _, value in beside), *(mean.reported for mean in measures.mean_shares)]
    for line in dict.fromkeys(value.assumed for value in every if value.assumed):
        yield f"Assumed of the paper: {line}."
    clashes: dict[str, dict[str, None]] = {}
    for value in (*every, *measures.unplaced):
        if value.contradiction:
            clashes.setdefault(value.contradiction, {})[f"“{value.row}”"] = None
    for line, rows in clashes.items():
        yield f"The paper contradicts itself on {listed(rows)}: {line}."


def _untested(measures: Measures) -> Iterator[str]:
    why: dict[tuple[str, str], list[str]] = {}
    for (row, column, metric), one in measures.comparisons.items():
        of, name = f"“{row}” ({column}, {metric_of(metric).words})", "as methods"
        if one.p is None:
            why.setdefault((name, one.reason), []).append(of)
        if one.wilcoxon_p is None and one.wilcoxon_reason != one.reason:
            why.setdefault(("as trained models", one.wilcoxon_reason), []).append(of)
    for (what, reason), rows in why.items():
        every = len(rows) > 1 and len(rows) == len(measures.comparisons)
        yield f"No test of {'any row' if every else listed(rows)} {what}: {reason}."


def _counts(results: AblationResults) -> str:
    runs = results.replicates
    counts = {state: sum(run.state == state for run in runs) for state in ("complete", "failed")}
    waiting = len(runs) - sum(counts.values())
    told = [f"{counts['complete']} tested", f"{counts['failed']} failed", *([f"{waiting} to come"] if waiting else [])]
    return (
        f"Replicates: {len(runs)} planned ({counted(len(results.design.seeds), 'seed')} of "
        f"{counted(sum(cell.asked for cell in results.cells), 'cell')}), {listed(told)}."
    )


def _unscored(results: AblationResults) -> Iterator[str]:
    """A line for each column with test cases that nobody can score here."""
    for column in results.columns:
        cells = [cell for cell in results.cells if cell.column == column.label]
        bare = max((run.unscored for cell in cells for run in cell.replicates), default=0)
        if bare:
            yield (
                f"{column.label}: {counted(bare, 'test case')} without a mask: predicted (predictions/ in the folders "
                "of the test stages), not scored, and in no mean."
            )


def _undefined(measures: Measures) -> Iterator[str]:
    """A line for each metric; table.csv counts them for every cell."""
    for metric in measures.results.design.metrics:
        found = [(statistics.undefined(of.replicates, of.name), of) for of in measures if of.metric == metric]
        lacking = [(counts, of) for counts, of in found if counts[0] and of.cases.n]
        if lacking:
            missing, total = sum(counts[0] for counts, _ in lacking), sum(counts[1] for counts, _ in found)
            (most, among), worst = max(lacking, key=lambda one: one[0][0] / one[0][1])
            yield (
                f"{metric_of(metric).heading} is undefined in {missing} of {total} case scores, which means leave out "
                f"(most of all in {worst.row.label}, {worst.column.label}: {most} of {among}); table.csv counts them "
                "by cell."
            )
