"""The tables as files: csv for programs, Markdown for a README, LaTeX (booktabs) for an article.

csv holds every number in full; the others show what the page shows.
"""

from medsearch.core.recipes import plain
from medsearch.reporting.formats import csv_text, latex_table, markdown_table, slug
from medsearch.reporting.search.answer import answer, warnings
from medsearch.reporting.search.caption import caption
from medsearch.reporting.search.cuts import verdicts
from medsearch.reporting.search.replay import replays
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import KnobRow, Row, other_knobs, runs, share_cell, spread, summary, weights
from medsearch.reporting.statistics import Summary
from medsearch.reporting.storage import json_text as with_derived
from medsearch.reporting.wording import NOTHING, markdown, number, tex

TESTED = ("Test Dice", "Whole volume", "ASSD (mm)", "Share of target supervised")
TEX_TESTED = ("Test Dice", "Whole", "ASSD (mm)", "Share")  # a column of an article is narrow
KNOB_HEADINGS = ("", "Best (measured)", "Paper", "Best, normalised", "Paper, normalised")
CSV_SUMMARIES = ("validation", "dice", "dice_micro", "dice_volume", "assd", "over_cases")


def headings(results: SearchResults) -> tuple[str, ...]:
    """The headings of the summary."""
    return "", results.design.value_name, *TESTED


def cells(row: Row) -> tuple[str, ...]:
    """A row of the summary as text, under `headings`."""
    dice = f"{spread(row.dice)} ({runs(row.dice)})"
    assd = spread(row.assd, 2) + (f" (n={row.assd.n})" if 0 < row.assd.n != row.dice.n else "")
    return row.title, spread(row.validation), dice, spread(row.dice_volume), assd, share_cell(row.share)


def knob_cells(row: KnobRow) -> tuple[str, ...]:
    """A row of the knobs as text, under `KNOB_HEADINGS`, without the knob's name."""
    shares = (NOTHING if share is None else f"{share:.3f}" for share in (row.found_share, row.published_share))
    return number(row.found) + ("" if row.searched else " (fixed)"), number(row.published), *shares


def tables(results: SearchResults) -> dict[str, str]:
    """Every table, by the name of its file."""
    return {
        "table.csv": table_csv(results),
        "knobs.csv": knobs_csv(results),
        "table.md": table_md(results),
        "table.tex": table_tex(results),
        "results.json": json_text(results),
    }


def json_text(results: SearchResults) -> str:
    """results.json: everything that was put in, and what was made of it under "derived"."""
    derived = {
        "answer": answer(results),
        "warnings": warnings(results),
        "caption": caption(results),
        "rows": [
            {"title": row.title, "kind": row.kind, "trial": row.trial, "share": row.share}
            | {name: _numbers(getattr(row, name)) for name in CSV_SUMMARIES}
            for row in summary(results)
        ],
        "knobs": [{"path": row.knob.path, **plain(row)} for row in (*weights(results), *other_knobs(results))],
        "cuts": verdicts(results),
        "replays": replays(results),
    }
    return with_derived(results, derived)


def _numbers(of: Summary) -> dict[str, float | int | None]:
    return {"mean": of.mean, "sd": of.sd, "n": of.n, "failed": of.failed, "waiting": of.waiting}


def table_csv(results: SearchResults) -> str:
    """table.csv: one line per row of the summary, numbers in full, empty where there is none."""
    names = [f"{summary}_{part}" for summary in CSV_SUMMARIES for part in ("mean", "sd", "n")]
    lines: list[list[object]] = [
        ["row", "kind", "trial", *names, "failed", "waiting", "share", "share_low", "share_high"]
    ]
    for row in summary(results):
        summaries: list[Summary] = [getattr(row, name) for name in CSV_SUMMARIES]
        numbers = [value for of in summaries for value in (of.mean, of.sd, of.n)]
        share = (row.share.estimate, row.share.low, row.share.high) if row.share else (None, None, None)
        lines.append([row.label, row.kind, row.trial, *numbers, row.dice.failed, row.dice.waiting, *share])
    return csv_text(lines)


def knobs_csv(results: SearchResults) -> str:
    """knobs.csv: every searched knob and every weight, the best value beside the published one."""
    lines: list[list[object]] = [["knob", "best", "published", "where", "best_share", "published_share", "searched"]]
    for row in (*weights(results), *other_knobs(results)):
        shares = (row.found_share, row.published_share, row.searched)
        lines.append([row.knob.path, row.found, row.published, row.where, *shares])
    return csv_text(lines)


def table_md(results: SearchResults) -> str:
    """table.md: the answer, what to beware of, both tables and the caption."""
    knobs = [(row.knob.text, *knob_cells(row)) for row in (*weights(results), *other_knobs(results))]
    parts = [
        f"### {markdown(results.design.study)}",
        markdown(results.design.question),
        f"**{markdown(answer(results))}**",
        *(f"> {markdown(line)}" for line in warnings(results)),
        markdown_table(headings(results), [cells(row) for row in summary(results)]),
        markdown_table(KNOB_HEADINGS, knobs),
        "\n".join(f"- {markdown(line)}" for line in caption(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table_tex(results: SearchResults) -> str:
    """table.tex: two `table` environments with booktabs rules; the first carries the whole caption."""
    rows = [[tex(cell) for cell in cells(row)] for row in summary(results)]
    knobs = [
        [row.knob.tex, *(tex(cell) for cell in knob_cells(row))] for row in (*weights(results), *other_knobs(results))
    ]
    label, align = slug(results.design.study), f"l{'r' * (len(TESTED) + 1)}"
    heads = ["", tex(results.design.value_name.replace("Validation", "Val.")), *TEX_TESTED]
    words = tex(" ".join([answer(results), *warnings(results), *caption(results)]))
    normalised = (
        "Knobs of the best configuration beside the published ones. "
        "Loss weights are normalised to sum 1, since only their ratios act."
    )
    knob_heads = [[tex(heading) for heading in KNOB_HEADINGS]]
    return "% needs \\usepackage{booktabs}\n" + "\n".join(
        [
            *latex_table([heads], rows, columns=align, caption=words, label=f"tab:{label}"),
            *latex_table(knob_heads, knobs, columns="lrrrr", caption=normalised, label=f"tab:{label}-knobs"),
        ]
    )
