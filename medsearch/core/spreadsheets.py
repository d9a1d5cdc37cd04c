"""Tables as CSV that a spreadsheet opens without computing anything: the one place where CSV is written.

A spreadsheet takes a cell that begins with =, +, -, @, a tab or a line break for a formula, wherever it came from: a
label ("+ input addition"), a subject, an error's text. Such a text has an apostrophe put before it, which tells
spreadsheets that it is text; `read_csv` takes that off again, and so every text comes back as it was. Numbers stay as
they are, the negative ones too.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from numbers import Number

_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")
"""What a formula begins with, behind any apostrophes: those must be told from the one that is put before."""


def csv_text(lines: Iterable[Sequence[object]]) -> str:
    """Lines of values as CSV; None is empty, a float stands in full, a text that acts as a formula is disarmed."""
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for line in lines:
        cells = [value if value is None or isinstance(value, Number) else str(value) for value in line]
        cells = [f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in cells]
        # A carriage return that is not quoted ends a line for every reader, and the writer quotes only its own end.
        returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoting if returns else plain).writerow(cells)
    return text.getvalue()


def read_csv(text: str) -> list[dict[str, str]]:
    """What `csv_text` wrote, line by line under the headings of the first one; numbers as text, None as ""."""
    names, *lines = (
        [cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell for cell in line]
        for line in csv.reader(io.StringIO(text, newline=""))
    )
    return [dict(zip(names, line, strict=True)) for line in lines]
