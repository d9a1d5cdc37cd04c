"""The answer in a sentence, and the warnings that stand beside it."""

from collections.abc import Iterator

from medsearch.core.recipes import fingerprint
from medsearch.reporting import statistics
from medsearch.reporting.code import other_code
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.search.front import front
from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.search.tables import Row, best_knobs, best_trial, gain, names_of, spread, summary
from medsearch.reporting.search.trade import told
from medsearch.reporting.statistics import Summary
from medsearch.reporting.variance_components import CONFIDENCE, Interval
from medsearch.reporting.wording import counted, listed, number, oracle_chose, percent, score


def answer(results: SearchResults) -> str:
    """What was found, in plain words; while nothing was tested, how far the search is. Of a group, what it froze."""
    of = front(results)
    trade = "" if of is None else f"{told(of)} "
    return f"{trade}{_found(results)}{_frozen(results)}"


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


def _frozen(results: SearchResults) -> str:
    """Which trial a group of a staged search has frozen, or by which rule it will be."""
    design, names = results.design, names_of(results)
    trial = results.trial(design.frozen) if design.frozen is not None else None
    if trial is None:
        return f" To be frozen: {design.rule}." if design.rule else ""
    at = listed(f"{names[knob].text} = {number(value)}" for knob, value in trial.knobs.items())
    return f" Frozen is trial {trial.number}, {design.rule}: {at}."


def _setting(results: SearchResults) -> str:
    """The best weights, then the best values of what else was asked about."""
    names, found, design = names_of(results), best_knobs(results), results.design
    others = [path for path in design.space if path not in (*design.weights, *design.nuisance)]
    paths = [path for path in (*design.weights, *others) if path in found]
    return listed(f"{names[path].text} = {number(found[path])}" for path in paths) or "the study's settings"


def _share_in_words(results: SearchResults, best: Row) -> str:
    if best.share is None:
        return ""
    supervised = next(row for row in summary(results) if row.label == results.design.supervised)
    share = f"{percent(best.share.estimate)}{_bounds(best.share)}"
    return f"{share} of the target-supervised model's {score(supervised.dice.mean)}"


def _gain_in_words(results: SearchResults, best: Row) -> str:
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


def warnings(results: SearchResults) -> tuple[str, ...]:
    """What must stand beside the answer, not below it: phantom data, oracle selection, unfinished or failed runs."""
    return tuple(_warnings(results))


def _warnings(results: SearchResults) -> Iterator[str]:
    if results.provenance.phantom:
        yield (
            "Phantom cohort: synthetic subjects written by this program. The numbers show that the search works, "
            "they are not a reproduction of the paper's and say nothing of patients."
        )
    elif results.provenance.scale != "paper":
        scale = results.provenance.scale
        yield f"Scale {scale}: smaller than the paper's; the numbers are no reproduction of its results."
    if results.design.selection == "oracle":
        yield f"Oracle selection: {oracle_chose('the configuration', results.provenance.truth)}"
    yield from other_code(results.trained)
    missing = unfinished(results)
    if missing:
        yield f"Provisional: {missing} still to come. The same command goes on from here."
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
