"""The tables as files: csv for programs, Markdown for a README, LaTeX (booktabs) for an article.

csv holds every number in full; the others show what the page shows.
"""

from collections.abc import Callable
from operator import attrgetter, methodcaller

from medsearch.core.recipes import plain
from medsearch.core.spreadsheets import csv_text
from medsearch.reporting.formats import latex_table, markdown_table, slug
from medsearch.reporting.metrics import short
from medsearch.reporting.search import frontier
from medsearch.reporting.search.answer import answer, warnings
from medsearch.reporting.search.caption import caption
from medsearch.reporting.search.columns import DICE, leading_metric, tested
from medsearch.reporting.search.cuts import verdicts
from medsearch.reporting.search.front import front
from medsearch.reporting.search.replay import replays
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import (
    KnobRow,
    Row,
    gain,
    names_of,
    other_knobs,
    runs,
    share_cell,
    spread,
    summary,
    weights,
)
from medsearch.reporting.statistics import Summary
from medsearch.reporting.storage import json_text as with_derived
from medsearch.reporting.wording import NOTHING, markdown, number, tex

SHARE, NARROW_SHARE = "Share of target supervised", "Share"  # a column of an article is narrow
KNOB_HEADINGS = ("", "Best (measured)", "Paper", "Best, normalised", "Paper, normalised")
GAIN = ("gain", "gain_low", "gain_high", "gain_p", "gain_wilcoxon_p", "gain_cases", "gain_seeds")
"""Columns of table.csv: the best against no adaptation in the metric that leads, in the best one's line."""
CSV_DICE = ("dice", "dice_micro", "dice_volume", "assd")


def headings(results: SearchResults) -> tuple[str, ...]:
    """The headings of the summary."""
    return "", *objectives(results), *(column.heading for column in tested(results)), *([SHARE] * shares(results))


def objectives(results: SearchResults) -> tuple[str, ...]:
    """The headings of what was searched by."""
    found = front(results)
    return tuple(of.heading for of in found.objectives) if found else (results.design.value_name,)


def shares(results: SearchResults) -> bool:
    """Whether the table has a column of shares of the target-supervised model."""
    return leading_metric(results) == DICE


def searched_by(results: SearchResults, row: Row) -> tuple[str, ...]:
    """A row's values by what was searched by, over seeds; empty for references, as `Row.validation`."""
    found = front(results)
    if found is None:
        return (spread(row.validation, results.design.value_digits),)
    if row.kind == "reference":
        return tuple(NOTHING for _ in found.objectives)
    return tuple(spread(row.objective(place), of.digits) for place, of in enumerate(found.objectives))


def cells(results: SearchResults, row: Row) -> tuple[str, ...]:
    """A row of the summary as text, under `headings`."""
    texts = []
    for place, column in enumerate(tested(results)):
        of = row.test(column.metric)
        text = spread(of, column.digits)
        lacks = f" (n={of.n})" if 0 < of.n != row.tested.n else ""
        texts.append(f"{text}{lacks}" if place else f"{text} ({runs(of)})")
    return row.title, *searched_by(results, row), *texts, *([share_cell(row.share)] * shares(results))


def knob_cells(row: KnobRow) -> tuple[str, ...]:
    """A row of the knobs as text, under `KNOB_HEADINGS`, without the knob's name."""
    shares = (NOTHING if share is None else f"{share:.3f}" for share in (row.found_share, row.published_share))
    return number(row.found) + ("" if row.searched else " (fixed)"), number(row.published), *shares


def tables(results: SearchResults) -> dict[str, str]:
    """Every table, by the name of its file."""
    more = {"front.csv": front_csv(results)} if results.design.several else {}
    return more | {
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
            | {name: _numbers(of(row)) for name, of in summaries(results).items()}
            for row in summary(results)
        ],
        "gain": gain(results),
        "front": frontier.derived(results),
        "knobs": [{"path": row.knob.path, **plain(row)} for row in (*weights(results), *other_knobs(results))],
        "cuts": verdicts(results),
        "replays": replays(results),
    }
    return with_derived(results, derived)


def summaries(results: SearchResults) -> dict[str, Callable[[Row], Summary]]:
    """Everything that is known of a row over its seeds, by the name of its columns in table.csv."""
    names = [column.name for column in tested(results)]
    names = [*CSV_DICE, *(name for name in names if name not in CSV_DICE)] if shares(results) else names
    found = front(results)
    places = enumerate(found.objectives) if found else ()
    return {
        "validation": attrgetter("validation"),
        **{f"objective_{short(of.metric)}": methodcaller("objective", place) for place, of in places},
        **{name: methodcaller("test", f"test/{name}") for name in names},
        "over_cases": attrgetter("over_cases"),
    }


def _numbers(of: Summary) -> dict[str, float | int | None]:
    return {"mean": of.mean, "sd": of.sd, "n": of.n, "failed": of.failed, "waiting": of.waiting}


def table_csv(results: SearchResults) -> str:
    """table.csv: one line per row of the summary, numbers in full, empty where there is none.

    A search with several objectives says of each finalist whether its trial is on the front; front.csv has the others.
    """
    of, over = front(results), summaries(results)
    on = {trial.number for trial in of.trials} if of else set[int]()
    numbers = [f"{name}_{part}" for name in over for part in ("mean", "sd", "n")]
    more = ["on_front"] if of else []
    lines: list[list[object]] = [
        ["row", "kind", "trial", *more, *numbers, "failed", "waiting", "share", "share_low", "share_high", *GAIN]
    ]
    for row in summary(results):
        found = [value for one in over.values() for value in (one(row).mean, one(row).sd, one(row).n)]
        share = (row.share.estimate, row.share.low, row.share.high) if row.share else (None, None, None)
        about = [row.label, row.kind, row.trial, *([row.trial in on] if of else [])]
        lines.append([*about, *found, row.tested.failed, row.tested.waiting, *share, *_gain(results, row)])
    return csv_text(lines)


def _gain(results: SearchResults, row: Row) -> list[object]:
    """A row's values under `GAIN`."""
    found = gain(results) if row.kind == "best" else None
    if found is None or found.effect is None:
        return [None] * len(GAIN)
    effect = found.effect
    tests = (found.p, found.wilcoxon_p, found.cases, found.fewest_seeds)
    return [effect.estimate, effect.low, effect.high, *tests]


def front_csv(results: SearchResults) -> str:
    """front.csv: every trial that was compared, numbers in full, and whether another one beats it."""
    of = front(results)
    assert of is not None
    paths, metrics = tuple(results.design.space), [one.metric for one in of.objectives]
    lines: list[list[object]] = [["trial", "on_front", "finalist", *metrics, *paths]]
    for trial in of.compared:
        found = [trial.number, trial in of.trials, trial.number in of.repeated, *trial.values]
        lines.append([*found, *(trial.knobs.get(path) for path in paths)])
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
    heads, lines = frontier.lines(results)
    parts = [
        f"### {markdown(results.design.study)}",
        markdown(results.design.question),
        f"**{markdown(answer(results))}**",
        *(f"> {markdown(line)}" for line in warnings(results)),
        markdown_table(headings(results), [cells(results, row) for row in summary(results)]),
        *([markdown_table(heads, lines)] if lines else []),
        markdown_table(KNOB_HEADINGS, knobs),
        "\n".join(f"- {markdown(line)}" for line in caption(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table_tex(results: SearchResults) -> str:
    """table.tex: two `table` environments with booktabs rules; the first carries the whole caption."""
    rows = [[tex(cell) for cell in cells(results, row)] for row in summary(results)]
    knobs = [
        [row.knob.tex, *(tex(cell) for cell in knob_cells(row))] for row in (*weights(results), *other_knobs(results))
    ]
    label = slug(results.design.study)
    narrow = [*(column.narrow for column in tested(results)), *([NARROW_SHARE] * shares(results))]
    heads = ["", *(tex(name.replace("Validation", "Val.")) for name in objectives(results)), *map(tex, narrow)]
    align = f"l{'r' * (len(heads) - 1)}"
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
            *_front_tex(results, f"tab:{label}-front"),
        ]
    )


def _front_tex(results: SearchResults, label: str) -> list[str]:
    """The front as a table of its own; no lines where there is none."""
    heads, lines = frontier.lines(results)
    if not lines:
        return []
    names = names_of(results)
    last = [names[path].tex for path in results.design.space]
    head = [*(tex(name) for name in heads[: -len(last)]), *last]
    rows = [[tex(cell) for cell in line] for line in lines]
    told = f"{results.design.study}: the trials that no other beats in all objectives, and finalists."
    return latex_table([head], rows, columns=f"l{'r' * (len(head) - 1)}", caption=tex(told), label=label)
