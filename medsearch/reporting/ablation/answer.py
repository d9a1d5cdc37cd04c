"""The answer in a few sentences, and the warnings that stand beside it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from medsearch.reporting.ablation.cells import signed
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.results import AblationResults
from medsearch.reporting.code import other_code
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.variance_components import ALPHA, ONE_SEED
from medsearch.reporting.wording import counted, listed, oracle_chose

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
    return " ".join(sentence for sentence in sentences if sentence) or _so_far(measures)


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
    words = {"agrees": "{} agree", "lower": "{} are lower", "higher": "{} are higher"}
    words |= {"underpowered": "{} are underpowered", "not comparable": "{} are not comparable"}
    told = listed(_number_of(words[kind], kinds[kind]) for kind in words if kinds[kind])  # type: ignore[index]
    return f"Of {counted(kinds.total(), 'reported value')}, {told}."


def _number_of(words: str, count: int) -> str:
    text = words.format(count)
    return text.replace(" are ", " is ").replace(" agree", " agrees") if count == 1 else text


def _so_far(measures: Measures) -> str:
    tested = [of for of in measures if of.whole]
    return f"{len(tested)} of {counted(len(measures.all), 'cell')} have all their seeds."


def warnings(measures: Measures) -> tuple[str, ...]:
    """What must stand beside the answer, not below it: phantoms, scale, oracle selection, what failed or is to come."""
    return tuple(_warnings(measures))


def _warnings(measures: Measures) -> Iterator[str]:
    results = measures.results
    phantoms = [column.label for column in results.columns if column.provenance.phantom]
    if phantoms:
        where = "" if len(phantoms) == len(results.columns) else f" ({results.named(phantoms)})"
        yield (
            f"Phantom cohort{where}: synthetic subjects written by this program. The numbers show that the method "
            "runs here; they are not a reproduction of the paper's and say nothing of patients."
        )
    scale = results.design.scale
    if scale != "paper" and len(phantoms) < len(results.columns):
        yield f"Scale {scale}: smaller than the paper's; the numbers are no reproduction of its results."
    oracle = [column for column in results.columns if column.selection == "oracle"]
    for truth in dict.fromkeys(column.provenance.truth for column in oracle):
        where = results.named(column.label for column in oracle if column.provenance.truth == truth)
        yield f"Oracle selection ({where}): {oracle_chose('the weights', truth)}"
    yield from other_code(results.trained)
    yield from _incomplete(measures)


def _incomplete(measures: Measures) -> Iterator[str]:
    results = measures.results
    missing = unfinished(results)
    if missing:
        yield f"Provisional: {missing} still to come. The same command goes on from here."
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
