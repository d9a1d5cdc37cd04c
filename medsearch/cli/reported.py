"""`medsearch reported`: every value that the papers print, as the methods' packages transcribe them."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pkgutil import iter_modules
from types import ModuleType
from typing import TextIO

from medsearch.core.errors import BadInput
from medsearch.core.reported import Reported
from medsearch.core.spreadsheets import csv_text

FIELDS = (
    "method", "paper", "table", "where", "page", "row", "column", "metric", "value", "spread", "spread_of", "n",
    "printed", "cohort", "selection", "statistic", "unit", "assumed", "contradiction", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A reported value with the method that transcribes it and the table or figure that it belongs to."""

    method: str
    table: str
    value: Reported

    @property
    def fields(self) -> dict[str, str | int | float | None]:
        """By the names of `FIELDS`, in that order."""
        values = {"method": self.method, "table": self.table, **asdict(self.value)}
        return {name: values[name] for name in FIELDS}


def entries(package: ModuleType) -> Iterator[Entry]:
    """Every value of every method in `package` that has a module `reported`, in the order of the transcription."""
    for method in iter_modules(package.__path__, package.__name__ + "."):
        if not method.ispkg or find_spec(f"{method.name}.reported") is None:
            continue
        tables: Mapping[str, Sequence[Reported]] = import_module(f"{method.name}.reported").REPORTED
        for table, values in tables.items():
            yield from (Entry(method.name.rpartition(".")[2], table, value) for value in values)


def print_reported(options: argparse.Namespace) -> int:
    """Print the reported values that are asked for, as a table, CSV or JSON.

    Raises:
        BadInput: no paper or method has such a name; the message names the papers.

    """
    from medsearch import methods

    known = list(entries(methods))
    words = (options.paper or "").casefold()
    chosen = [entry for entry in known if words in f"{entry.method} {entry.value.paper}".casefold()]
    if options.paper is not None and not chosen:
        papers = "; ".join(dict.fromkeys(entry.value.paper for entry in known)) or "none"
        msg = f"no paper {options.paper!r}; there are: {papers}"
        raise BadInput(msg)
    if options.format == "json":
        json.dump([entry.fields for entry in chosen], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif options.format == "csv":
        sys.stdout.write(csv_text([FIELDS, *(tuple(entry.fields.values()) for entry in chosen)]))
    else:
        _table(chosen, sys.stdout)
    return 0


def _table(listed: Sequence[Entry], out: TextIO) -> None:
    """One block a table; what is noted, assumed and contradicted of its values is numbered under it."""
    for (paper, table), block in groupby(listed, key=lambda entry: (entry.value.paper, entry.table)):
        values = [entry.value for entry in block]
        notes = list(dict.fromkeys(note for value in values for note in _notes(value)))
        lines = [_cells(value, table, notes) for value in values]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        out.write(f"{paper}: {table}\n")
        for line in lines:
            out.write(f"  {'  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))}".rstrip())
            out.write("\n")
        out.writelines(f"  [{number}] {note}\n" for number, note in enumerate(notes, start=1))
        out.write("\n")


def _cells(value: Reported, table: str, notes: Sequence[str]) -> tuple[str, ...]:
    shown, spread = _numbers(value)
    over = f"{value.n} {value.spread_of}" if value.n is not None else ""
    where = f"p. {value.page}" if value.where == table else f"{value.where}, p. {value.page}"
    marks = "".join(f"[{notes.index(note) + 1}]" for note in _notes(value))
    taken = f"{value.statistic}, {value.unit}" if value.unit else value.statistic
    return value.row, value.column, value.metric, shown, spread, over, taken, where, marks


def _notes(value: Reported) -> list[str]:
    clash = value.contradiction and f"the paper contradicts itself: {value.contradiction}"
    return [note for note in (value.note, value.assumed and f"statistic: {value.assumed}", clash) if note]


def _numbers(value: Reported) -> tuple[str, str]:
    """Value and spread as the paper prints them: a share and a change in %, others in its own unit."""
    if value.printed:
        return value.printed, ""
    spread = "" if value.spread is None else f"± {value.spread:.3f}"
    if value.metric == "share":
        return f"{value.value:.1%}", spread
    if value.metric != "change":
        return f"{value.value:.3f}", spread
    shown = f"{value.value:.2f}"
    return (shown, f"± {value.spread:.2f} %") if value.spread is not None else (f"{shown} %", "")
