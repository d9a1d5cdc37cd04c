"""What a search says: the answer in a few sentences, the warnings that stand beside it, and how to read the table."""

from collections.abc import Iterator

from medsearch.core.recipes import fingerprint
from medsearch.reporting import statistics
from medsearch.reporting.comparison import not_shared
from medsearch.reporting.metrics import directions, full_words, metric_of, unchanged
from medsearch.reporting.power import forecast
from medsearch.reporting.provenance import code_line, ground_warnings, other_code, provisional
from medsearch.reporting.results import SearchResults
from medsearch.reporting.search.front import answer_of, front, front_notes
from medsearch.reporting.search.tables import (
    DICE,
    TestedRow,
    best_knobs,
    best_row,
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
from medsearch.reporting.variance_components import CONFIDENCE, HOW, ONE_SEED
from medsearch.reporting.wording import counted, gathered, listed, percent_interval, score, selection_rule, settings

DISEASED = (
    "Test Dice and ASSD (mm) are over a case's diseased hemispheres, which weak labels name; whole volume is "
    "Dice with false tumour in healthy hemispheres counted too. "
)
WHY = dict.fromkeys(("assd", "hd95"), " (empty prediction)")


def answer(results: SearchResults) -> str:
    """What was found, in plain words; while nothing was tested, how far the search is. Of a group, what it froze."""
    design, names, pareto = results.design, names_of(results), front(results)
    best = best_row(results)
    sentences = [answer_of(pareto)] if pareto else []
    # the best weights, then the best values of what else was asked about
    asked = (*design.weights, *(path for path in design.space if path not in (*design.weights, *design.nuisance)))
    knobs = best_knobs(results)
    setting = settings({path: knobs[path] for path in asked if path in knobs}, names) or "the study's settings"
    if best is not None and best.tested.n:
        sentences += _tested(results, best, setting)
    else:
        sentences.append(_so_far(results, best, setting))
    frozen = results.trial(design.frozen) if design.frozen is not None else None
    if frozen is not None:
        sentences.append(f"Frozen is trial {frozen.number}, {design.rule}: {settings(frozen.knobs, names)}.")
    elif design.rule:
        sentences.append(f"To be frozen: {design.rule}.")
    return " ".join(sentences)


def _tested(results: SearchResults, best: TestedRow, setting: str) -> Iterator[str]:
    """The test value of the best, its share of the target-supervised model's, its difference from no adaptation."""
    design, digits, cases = results.design, metric_of(best.leading).digits, best.over_cases.n
    over = [counted(best.tested.n, "seed"), *([counted(cases, "test case")] if cases else [])]
    among = f"Of the finalists, the best in {design.value_words} over seeds: with" if design.several else "With"
    yield (
        f"{among} {setting}, {design.method} reaches a {full_words(best.leading)} of {spread(best.tested, digits)} on "
        f"{design.task} ({', '.join(over)})."
    )
    if best.share is not None:
        supervised = next(row for row in summary(results) if row.label == design.supervised)
        share = percent_interval(best.share)
        yield f"Share of the target-supervised model's {score(supervised.dice.mean)}: {share}."
    plain, found = next((row for row in summary(results) if row.label == design.no_adaptation), None), gain(results)
    if found is None or found.effect is None or plain is None:
        return
    interval = " to ".join(f"{end:+.{digits}f}" for end in found.effect.bounds or ())
    known = [f"{CONFIDENCE:.0%} interval {interval}"] if interval else []
    known += [f"p = {found.p:.2g}"] if found.p is not None else []
    known += [f"over the {counted(found.fewest_seeds, 'seed')} that both have"] if found.seeds_left_out else []
    floor, rests = score(plain.tested.mean, digits), f" ({'; '.join(known)})" if known else ""
    yield f"Difference from no adaptation's {floor}: {found.effect.estimate:+.{digits}f}{rests}."


def _so_far(results: SearchResults, row: TestedRow | None, setting: str) -> str:
    """How far the search is; of one without finalists, or which ends at an earlier stage than the last, its best."""
    design, best = results.design, best_trial(results)
    ended = len(results.trials) - len(results.in_state("running"))
    progress = f"{ended} of {counted(design.trials, 'trial')} ended"
    if best is None:
        return f"No answer yet: {progress}, none with a value."
    if (design.scored_stage or not design.finalists) and not unfinished(results):
        number, value, over = best.number, best.value, ""
        if row is not None and row.validation.mean is not None:
            number, value = row.trial or 0, row.validation.mean
            over = f", the mean over {counted(row.validation.n, 'seed')}"
        return (
            f"With {setting}, {design.method} has its best {design.value_words}, {score(value, design.value_digits)} "
            f"(trial {number}{over}); no trial is tested in this search."
        )
    return (
        f"No answer yet: {progress}, and no finalist is tested. The best so far is trial {best.number} with a "
        f"{design.value_words} of {score(best.value, design.value_digits)}, at {setting}."
    )


@gathered
def warnings(results: SearchResults) -> Iterator[str]:
    """What must stand beside the answer, not below it: phantom data, oracle selection, unfinished or failed runs."""
    yield from ground_warnings(results.provenance, results.design.selection)
    yield from other_code(results.trained)
    missing = unfinished(results)
    yield from provisional(missing)
    best = best_row(results)
    if best is not None and best.dice.n and best.share is None and not missing:
        yield f"No share of target supervised: '{results.design.supervised}' has no finished run with a score."
    if failed := sum(run.state == "failed" for row in summary(results) for run in row.replicates):
        yield f"{counted(failed, 'tested run')} failed, which no mean contains; see below."


def unfinished(results: SearchResults) -> str:
    """What the study planned and has not run yet, in words; empty when it is done.

    Once all trials have ended, there are no more finalists than configurations that came to their end.
    """
    design = results.design
    trials = design.trials - len(results.trials) + len(results.in_state("running"))
    finalists = design.finalists
    if trials <= 0:
        complete = (trial for trial in results.in_state("complete") if trial.value is not None)
        finalists = min(finalists, len({fingerprint(dict(trial.knobs)) for trial in complete}))
    absent = max(0, finalists - len(results.finalists)) * len(design.seeds)
    replicates = absent + sum(max(0, row.tested.waiting) for row in summary(results))
    parts = [(trials, "trial"), (replicates, "tested run")]
    return listed(counted(count, noun) for count, noun in parts if count > 0)


@gathered
def failures(results: SearchResults) -> Iterator[str]:
    """Every failed trial and tested run with its reason, one line each."""
    for trial in results.in_state("failed"):
        yield f"trial {trial.number}: {trial.reason or 'no reason recorded'}"
    for row in summary(results):
        for run in row.replicates:
            if run.state == "failed":
                yield f"{row.title}, seed {run.seed}: {run.reason or 'no reason recorded'}"


@gathered
def caption(results: SearchResults) -> Iterator[str]:
    """How to read the table, and on what it stands, one line per matter."""
    design, origin, rows = results.design, results.provenance, summary(results)
    cases = max((row.over_cases.n for row in rows), default=0)
    yield (
        f"Mean ± sample SD over seeds {listed(design.seeds)} (n; none at n=1) of the mean over "
        f"{counted(cases, 'test case') if cases else 'test cases'}. "
        f"{DISEASED if leading_metric(results) == DICE else ''}"
        "Test cases were seen by finalists and references only."
    )
    yield from directions([*(column.metric for column in tested(results)), *design.objectives])
    yield from (f"{form}." for form in forms(results))
    yield from filter(None, [unchanged(given(results), reported(results))])
    yield from front_notes(results)
    phantom = " (a phantom cohort: never a reproduction of the paper's result)" if origin.phantom else ""
    yield (
        f"Data: {origin.cohort}{phantom}, {counted(origin.subjects, 'subject')}, fingerprint "
        f"{origin.data_fingerprint}, scale {origin.scale}; {design.task}."
    )
    yield from code_line(results.trained)
    yield (
        f"Model selection ({design.selection}): {selection_rule(design.selection, origin.truth)}. "
        f"{'First finalist' if design.several else 'Best'} = {'lowest' if design.minimised else 'highest'} mean "
        f"{design.value_words} over seeds, never by test."
    )
    yield from _statistics(results)
    names = names_of(results)
    searched = listed(names[path].text for path in design.space) or "nothing"
    nuisance = f" (nuisance: {listed(names[path].text for path in design.nuisance)})" if design.nuisance else ""
    stages = f"; {listed(design.shared_stages)} trained once for all trials of a seed" if design.shared_stages else ""
    yield (
        f"Searched: {searched}{nuisance}. Frozen: {settings(design.fixed, names) or 'nothing by the study'}{stages}. "
        "References have the method's own network and were not tuned."
    )
    states = [(len(results.in_state(state)), state) for state in ("complete", "cut", "failed", "running")]
    counts = listed(f"{count} {state}" for count, state in states if count)
    runs = [run.state for row in rows for run in row.replicates]
    yield (
        f"Runs: {len(results.trials)} of {counted(design.trials, 'trial')}{f' ({counts})' if counts else ''}; "
        f"{counted(len(runs), 'tested run')}, {runs.count('failed')} failed."
    )
    yield from (f"Failed: {line}." for line in failures(results))
    for row in rows:
        for column in tested(results):
            known = metric_of(column.metric)
            missing, total = statistics.undefined(row.replicates, column.name)
            if missing and known.by_case and not column.name.startswith("dice") and row.test(column.metric).n:
                cases_without, why = f"{missing} of {total} case scores", WHY.get(column.name, "")
                name = known.heading.partition(" (")[0]
                yield f"{row.title}: {name} is undefined in {cases_without}{why}, which its mean leaves out."
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
    if found and (more := forecast([found], metric_of(leading_metric(results)))):
        yield f"The best against no adaptation: {more[0].lower()}{more[1:]}."
