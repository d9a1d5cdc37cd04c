"""What a search says: the answer in a sentence, the warnings that stand beside it, and how to read the table."""

from collections.abc import Iterator

from medsearch.core.recipes import fingerprint
from medsearch.reporting import statistics
from medsearch.reporting.comparison import not_shared
from medsearch.reporting.metrics import directions, full_words, metric_of, unchanged
from medsearch.reporting.power import forecast
from medsearch.reporting.provenance import code_line, ground_warnings, other_code, provisional
from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.search.front import answer_of, front, front_notes
from medsearch.reporting.search.tables import (
    DICE,
    TestedRow,
    best_knobs,
    best_trial,
    forms,
    gain,
    given,
    leading_metric,
    names_of,
    reported,
    spread,
    summary,
    tested,
)
from medsearch.reporting.statistics import Summary
from medsearch.reporting.variance_components import CONFIDENCE, HOW, ONE_SEED, Interval
from medsearch.reporting.wording import counted, gathered, listed, percent, score, selection_rule, settings

DISEASED = (
    "Test Dice and ASSD (mm) are over a case's diseased hemispheres, which weak labels name; whole volume is "
    "Dice with false tumour in healthy hemispheres counted too. "
)
WHY = dict.fromkeys(("assd", "hd95"), " (empty prediction)")


def answer(results: SearchResults) -> str:
    """What was found, in plain words; while nothing was tested, how far the search is. Of a group, what it froze."""
    of = front(results)
    trade = "" if of is None else f"{answer_of(of)} "
    return f"{trade}{_found(results)}{_what_is_frozen(results)}"


def _found(results: SearchResults) -> str:
    best = next((row for row in summary(results) if row.kind == "best"), None)
    if best is None or best.tested.mean is None:
        return _so_far(results)
    found, known = spread(best.tested, metric_of(best.leading).digits), full_words(best.leading)
    design, cases = results.design, best.over_cases.n
    on = f", {counted(cases, 'test case')}" if cases else ""
    sentence = (
        f"{f'Of the finalists, the best in {design.value_words} over seeds: with' if design.several else 'With'} "
        f"{_setting(results)}, {design.method} reaches a {known} of {found} on {design.task} "
        f"({counted(best.tested.n, 'seed')}{on})"
    )
    comparison = listed(part for part in (_share_in_words(results, best), _gain_in_words(results, best)) if part)
    return f"{sentence}{f': {comparison}' if comparison else ''}."


def _so_far(results: SearchResults) -> str:
    finished = len(results.trials) - len(results.in_state("running"))
    progress = f"{finished} of {counted(results.design.trials, 'trial')}"
    best = best_trial(results)
    if best is None:
        return f"No answer yet: {progress} ended, none with a value."
    if (results.design.scored_stage or not results.design.finalists) and not unfinished(results):
        return _untested(results, best)
    tested = any(finalist.replicates for finalist in results.finalists)
    waiting = "no finalist has finished its test" if tested else "no finalist was tested"
    return (
        f"No answer yet: {progress} ended and {waiting}. "
        f"The best so far is trial {best.number} with a {results.design.value_words} of "
        f"{score(best.value, results.design.value_digits)}, at {_setting(results)}."
    )


def _untested(results: SearchResults, best: Trial) -> str:
    """Of a search that ends at an earlier stage than the last, or without finalists: there is nothing to test."""
    row = next((row for row in summary(results) if row.kind == "best"), None)
    over = row.validation if row else Summary()
    number, value = (best.number, best.value) if row is None or over.mean is None else (row.trial, over.mean)
    seeds = f", the mean over {counted(over.n, 'seed')}" if over.n else ""
    return (
        f"With {_setting(results)}, {results.design.method} has its best {results.design.value_words}, "
        f"{score(value, results.design.value_digits)} "
        f"(trial {number}{seeds}); {'no trial' if results.references else 'nothing'} is tested in this search."
    )


def _what_is_frozen(results: SearchResults) -> str:
    """Which trial a group of a staged search has frozen, or by which rule it will be."""
    design, names = results.design, names_of(results)
    trial = results.trial(design.frozen) if design.frozen is not None else None
    if trial is None:
        return f" To be frozen: {design.rule}." if design.rule else ""
    return f" Frozen is trial {trial.number}, {design.rule}: {settings(trial.knobs, names)}."


def _setting(results: SearchResults) -> str:
    """The best weights, then the best values of what else was asked about."""
    names, found, design = names_of(results), best_knobs(results), results.design
    others = [path for path in design.space if path not in (*design.weights, *design.nuisance)]
    paths = [path for path in (*design.weights, *others) if path in found]
    return settings({path: found[path] for path in paths}, names) or "the study's settings"


def _share_in_words(results: SearchResults, best: TestedRow) -> str:
    if best.share is None:
        return ""
    supervised = next(row for row in summary(results) if row.label == results.design.supervised)
    share = f"{percent(best.share.estimate)}{_bounds(best.share)}"
    return f"{share} of the target-supervised model's {score(supervised.dice.mean)}"


def _gain_in_words(results: SearchResults, best: TestedRow) -> str:
    reference, found = results.reference(results.design.no_adaptation), gain(results)
    if found is None or found.effect is None or reference is None:
        return ""
    floor, digits = statistics.over_seeds(reference.replicates, best.leading).mean, metric_of(best.leading).digits
    by = found.effect.estimate
    direction = "above" if by >= 0 else "below"
    over = f" over the {counted(found.fewest_seeds, 'seed')} that both have" if found.seeds_left_out else ""
    p, bounds = "" if found.p is None else f"p = {found.p:.2g}", ""
    if found.effect.bounds:
        bounds = f"{CONFIDENCE:.0%} interval {' to '.join(f'{end:+.{digits}f}' for end in found.effect.bounds)}"
    known = "; ".join(part for part in (score(floor, digits), bounds, p) if part)
    return f"{abs(by):.{digits - 1}f} {direction} no adaptation ({known}){over}"


def _bounds(interval: Interval) -> str:
    if interval.bounds is None:
        return ""
    low, high = interval.bounds
    return f" ({CONFIDENCE:.0%} interval {100 * low:.0f}–{100 * high:.0f}%)"


@gathered
def warnings(results: SearchResults) -> Iterator[str]:
    """What must stand beside the answer, not below it: phantom data, oracle selection, unfinished or failed runs."""
    yield from ground_warnings(results.provenance, results.design.selection)
    yield from other_code(results.trained)
    missing = unfinished(results)
    yield from provisional(missing)
    best = next((row for row in summary(results) if row.kind == "best"), None)
    if best is not None and best.dice.n and best.share is None and not missing:
        yield f"No share of target supervised: '{results.design.supervised}' has no finished run with a score."
    failed = sum(run.state == "failed" for row in summary(results) for run in row.replicates)
    if failed:
        yield f"{counted(failed, 'tested run')} failed: no mean contains {'it' if failed == 1 else 'them'}; see below."


def unfinished(results: SearchResults) -> str:
    """What the study planned and has not run yet, in words; empty when it is done."""
    design = results.design
    trials = design.trials - len(results.trials) + len(results.in_state("running"))
    rows = summary(results)
    absent = max(0, _finalists(results) - len(results.finalists)) * len(design.seeds)
    replicates = absent + sum(max(0, row.tested.waiting) for row in rows)
    parts = [(trials, "trial"), (replicates, "tested run")]
    return listed(counted(count, noun) for count, noun in parts if count > 0)


def _finalists(results: SearchResults) -> int:
    """How many there will be: no more than configurations that came to their end, once all trials have."""
    ended = len(results.trials) - len(results.in_state("running"))
    if ended < results.design.trials:
        return results.design.finalists
    found = {fingerprint(dict(trial.knobs)) for trial in results.in_state("complete") if trial.value is not None}
    return min(results.design.finalists, len(found))


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


@gathered
def caption(results: SearchResults) -> Iterator[str]:
    """How to read the table, and on what it stands, one line per matter."""
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
    yield from front_notes(results)
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
    fixed = settings(design.fixed, names)
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
