"""What an ablation's files for programs hold: table.csv, cases.csv and results.json.

Nothing in them depends on time, place or duration: the same stage results give the same bytes.
"""

from collections.abc import Iterator

from medsearch.core.recipes import plain
from medsearch.reporting.ablation.measures import MeanShare, Measure, Measures, shared, spent
from medsearch.reporting.ablation.narrative import answer, caption, warnings
from medsearch.reporting.statistics import case_values, undefined
from medsearch.reporting.storage import json_text

FIELDS = (
    "row", "kind", "column", "metric", "statistic", "mean", "sd_seeds", "seeds", "planned", "failed", "undefined",
    "waiting", "survivors_mean", "survivors_sd", "sd_cases", "cases", "undefined_cases", "reported", "reported_spread",
    "reported_spread_of", "reported_n", "reported_statistic", "reported_where", "reported_page", "contradiction",
    "verdict", "verdict_reason", "verdict_margin", "difference", "difference_low", "difference_high", "against",
    "effect", "effect_low", "effect_high", "rank_biserial", "p", "p_holm", "wilcoxon_p", "wilcoxon_p_holm",
    "compared_cases", "compared_seeds", "share", "share_low", "share_high", "survivors_share", "reported_share",
    "cohort", "phantom", "selection", "scale",
)  # fmt: skip
"""Columns of table.csv."""
CHANGES = (
    "change", "change_sd", "change_low", "change_high", "survivors_change", "reported_change",
    "reported_change_spread", "change_verdict", "change_verdict_reason",
)  # fmt: skip
"""More of them, in %, where the paper's table has relative changes."""


def table_csv(measures: Measures) -> list[tuple[object, ...]]:
    """One line per row, column and metric, numbers in full, empty where there is none.

    `mean` and `sd_seeds` are those of a row whose planned seeds all have a value; what there is of others stands in
    `survivors_mean` and `survivors_sd`, so that nobody averages over survivors without having asked for them. Likewise
    `share`, for which the target-supervised row must be whole, too, and `change`, for which the row compared with must;
    a comparison says over how many seeds it is.
    """
    fields = (*FIELDS, *CHANGES) if measures.changes else FIELDS
    lines = [*(_line(of, measures) for of in measures), *(_mean(mean, measures) for mean in measures.mean_shares)]
    return [fields, *(tuple(line.get(name) for name in fields) for line in lines)]


def _mean(of: MeanShare, measures: Measures) -> dict[str, object]:
    """A row's mean share over columns; without an interval."""
    row, paper = measures.results.row(of.reported.row), of.reported
    return {
        "row": paper.row, "kind": row.kind if row else None, "column": paper.column, "metric": "share",
        "share": of.mean if of.columns == of.asked else None, "reported_share": paper.value,
        "statistic": paper.statistic, "reported_statistic": paper.statistic,
        "contradiction": paper.contradiction or None,
        "reported_where": f"{paper.paper}, {paper.where}", "reported_page": paper.page,
    }  # fmt: skip


def _line(of: Measure, measures: Measures) -> dict[str, object]:
    mean, sd = of.seeds.mean, of.seeds.sd
    kinds = [lost.kind for lost in of.lost]
    about = {
        "row": of.row.label, "kind": of.row.kind, "column": of.column.label, "metric": of.metric,
        "statistic": of.known.statistic,
    }  # fmt: skip
    counts = {
        "seeds": len(of.values), "planned": of.planned, "failed": kinds.count("failed"),
        "undefined": kinds.count("undefined"), "waiting": kinds.count("waiting"),
    }  # fmt: skip
    means = {"mean": mean, "sd_seeds": sd} if of.whole else {"survivors_mean": mean, "survivors_sd": sd}
    where = {
        "cohort": of.column.layout, "phantom": of.column.provenance.phantom, "selection": of.column.selection,
        "scale": of.column.provenance.scale,
    }  # fmt: skip
    lacking, _ = undefined(of.replicates, of.name)
    cases = {"sd_cases": of.cases.sd, "cases": of.cases.n, "undefined_cases": lacking if of.cases.n else None}
    compared = {**_compared(of, measures), **_changed(of, measures)}
    return {**about, **counts, **means, **cases, **_beside(of, measures), **compared, **where}


def _beside(of: Measure, measures: Measures) -> dict[str, object]:
    """The reported values, and what is to be said of ours beside them."""
    found: dict[str, object] = {}
    reported, share = measures.reported(of), measures.reported_share(of)
    if reported is not None:
        found |= {
            "reported": reported.value, "reported_spread": reported.spread, "reported_spread_of": reported.spread_of,
            "reported_n": reported.n, "reported_statistic": reported.statistic,
            "reported_where": f"{reported.paper}, {reported.where}", "reported_page": reported.page,
        }  # fmt: skip
    verdict = measures.verdicts.get(of.key)
    if verdict is not None:
        found |= {
            "verdict": verdict.kind, "verdict_reason": "; ".join((verdict.reason, *verdict.notes)),
            "verdict_margin": verdict.margin, "difference": verdict.difference, "difference_low": verdict.low,
            "difference_high": verdict.high,
        }  # fmt: skip
    contradictions = dict.fromkeys(value.contradiction for value in measures.beside(of) if value.contradiction)
    found["contradiction"] = "; ".join(contradictions) or None
    return found | {"reported_share": share.value if share else None}


def _compared(of: Measure, measures: Measures) -> dict[str, object]:
    """Against another row of the table, and as a share of the target-supervised one."""
    found: dict[str, object] = {}
    compared, share = measures.comparisons.get(of.key), measures.share(of)
    if compared is not None:
        found |= {
            "against": of.row.against, "rank_biserial": compared.rank_biserial, "p": compared.p,
            "p_holm": compared.p_holm, "wilcoxon_p": compared.wilcoxon_p, "wilcoxon_p_holm": compared.wilcoxon_p_holm,
            "compared_cases": compared.cases, "compared_seeds": compared.fewest_seeds,
        }  # fmt: skip
        effect = compared.effect
        found |= {"effect": effect.estimate, "effect_low": effect.low, "effect_high": effect.high} if effect else {}
    if share is None:
        return found
    if not measures.shares_whole(of):
        return found | {"survivors_share": share.estimate}
    return found | {"share": share.estimate, "share_low": share.low, "share_high": share.high}


def _changed(of: Measure, measures: Measures) -> dict[str, object]:
    """The relative change against the row compared with, the reported one, and what is to be said of ours beside it."""
    change = measures.changes.get(of.key)
    if change is None:
        return {}
    found: dict[str, object] = {}
    if change.found and change.whole:
        interval = change.found.interval
        found |= {
            "change": change.seeds.mean, "change_sd": change.seeds.sd, "change_low": interval.low,
            "change_high": interval.high,
        }  # fmt: skip
    elif change.found:
        found["survivors_change"] = change.seeds.mean
    if change.reported is not None:
        found |= {"reported_change": change.reported.value, "reported_change_spread": change.reported.spread}
    verdict = measures.verdicts.get(change.key)
    if verdict is not None:
        why = "; ".join((verdict.reason, *verdict.notes))
        found |= {"change_verdict": verdict.kind, "change_verdict_reason": why}
    return found


def cases_csv(measures: Measures) -> list[tuple[object, ...]]:
    """The values of every test case of every finished replicate, one line each."""
    return [("row", "column", "metric", "seed", "subject", "value"), *_cases(measures)]


def _cases(measures: Measures) -> Iterator[tuple[object, ...]]:
    for of in (of for of in measures if of.known.by_case):
        for seed, run in case_values(of.replicates, of.name).items():
            for subject, value in run.items():
                yield of.row.label, of.column.label, of.metric, seed, subject, value


def record(measures: Measures) -> str:
    """Everything that was put in, and what was made of it under "derived"."""
    return json_text(
        measures.results,
        {
            "answer": answer(measures),
            "warnings": warnings(measures),
            "caption": caption(measures),
            "table": [_line(of, measures) for of in measures],
            "comparisons": [{"cell": of.key, **plain(c)} for of in measures if (c := measures.comparisons.get(of.key))],
            "lines": [{"lines": key, **plain(one)} for key, one in measures.line_comparisons.items()],
            "verdicts": [{"cell": key, **plain(verdict)} for key, verdict in measures.verdicts.items()],
            "shared": shared(measures.results),
            "spent": spent(measures.results),
        },
    )
