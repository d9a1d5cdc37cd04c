"""The tables of a staged search as files: csv for programs, Markdown for a README, results.json for both."""

from medsearch.core.spreadsheets import csv_text
from medsearch.reporting.formats import markdown_table
from medsearch.reporting.search.files import cells, headings
from medsearch.reporting.staged.answer import answer, caption, rows, verdict, warnings
from medsearch.reporting.staged.left import left
from medsearch.reporting.staged.results import StagedResults
from medsearch.reporting.staged.tables import GROUP_HEADINGS, group_cells, knob_lines
from medsearch.reporting.storage import json_text as with_derived
from medsearch.reporting.wording import markdown, number

KNOB_HEADINGS = ("Knob", "Group", "Frozen", "Refined", "Paper")


def tables(results: StagedResults) -> dict[str, str]:
    """Every table, by the name of its file."""
    return {"table.csv": table_csv(results), "table.md": table_md(results), "results.json": json_text(results)}


def table_csv(results: StagedResults) -> str:
    """table.csv: a line for each knob, with the group that froze it, numbers in full."""
    head = ["group", "study", "knob", "frozen", "refined", "published", "metric", "value", "seeds", "trial", "trials"]
    by_name = {group.name: group for group in results.groups}
    lines: list[list[object]] = [[*head]]
    for line in knob_lines(results):
        group = by_name[line.group]
        of = group.frozen
        frozen = (of.value, of.seeds, of.number) if of else (None, None, None)
        values = (line.frozen, line.refined, line.published)
        lines.append([group.name, group.study, line.knob.path, *values, group.metric, *frozen, group.trials])
    return csv_text(lines)


def table_md(results: StagedResults) -> str:
    """table.md: the answer, what to beware of, the groups, the knobs, what was tested, and the caption."""
    knobs = [
        (line.knob.text, line.group, *map(number, (line.frozen, line.refined, line.published)))
        for line in knob_lines(results)
    ]
    last = results.refinement.search if results.refinement else results.groups[-1].search
    parts = [
        f"### {markdown(results.design.study)}",
        markdown(results.design.question),
        f"**{markdown(answer(results))}**",
        *(f"> {markdown(line)}" for line in warnings(results)),
        markdown_table(GROUP_HEADINGS, [group_cells(results, group) for group in results.groups]),
        markdown_table(KNOB_HEADINGS, knobs),
        markdown_table(headings(last), [cells(last, row) for row in rows(results)]) if last else "",
        "\n".join(f"- {markdown(line)}" for line in caption(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def json_text(results: StagedResults) -> str:
    """results.json: everything that was put in, and what was made of it under "derived"."""
    derived = {
        "answer": answer(results),
        "verdict": verdict(results),
        "warnings": warnings(results),
        "caption": caption(results),
        "left": left(results),
    }
    return with_derived(results, derived)
