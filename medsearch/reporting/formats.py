"""Tables as text: Markdown for a README, LaTeX (booktabs) for an article; CSV is in `core.spreadsheets`."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from medsearch.reporting.wording import markdown

MEDIA = {".csv": "text/csv", ".md": "text/markdown", ".tex": "text/x-tex", ".json": "application/json"}


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text cells; empty without rows."""
    if not rows:
        return ""
    marks = ["---", *["---:"] * (len(headings) - 1)]
    lines = [[markdown(heading) for heading in headings], marks, *([markdown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex_table(
    headings: Sequence[Sequence[str]], rows: Sequence[Sequence[str]], *, columns: str, caption: str, label: str
) -> list[str]:
    r"""Lines of a `table` environment; `headings` are lines of cells, all of it LaTeX already.

    A heading line may also hold a rule under part of it (`\cmidrule`), as a single cell.
    """
    head = [line[0] if len(line) == 1 and line[0].startswith("\\cmidrule") else _row(line) for line in headings]
    return [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"  \caption{{{caption}}}",
        rf"  \label{{{label}}}\smallskip",
        rf"  \begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"    \toprule",
        *(f"    {line}" for line in head),
        r"    \midrule",
        *(f"    {_row(row)}" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
        "",
    ]


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def slug(text: str) -> str:
    """`text` as part of a LaTeX label or a file's name."""
    return "".join(c if c.isalnum() else "-" for c in text)


def carried(files: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Files as (name, media type, content in base64), for a page that carries its own files."""
    return tuple(
        (name, MEDIA[PurePath(name).suffix], base64.b64encode(text.encode()).decode()) for name, text in files.items()
    )
