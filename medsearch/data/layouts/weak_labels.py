"""Weak labels from a table: on which side of each person there is tumour (thesis, section 5.5.1).

    case,side
    crossmoda2021_ldn_106,left
    crossmoda2022_etz_0,right

`side` is the patient's own left or right, as the affine of the file has it, not the left or right of a picture, in
which radiologists see the patient's right on the left. It may also be "both" or "none". More columns may follow.
"""

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medsearch.data.cohorts import Finding

WEAK_LABELS = "weak_labels.csv"
SIDES: Mapping[str, tuple[bool, bool]] = {
    "right": (True, False),
    "left": (False, True),
    "both": (True, True),
    "none": (False, False),
}
"""What each word says of the low and of the high half of x, which runs towards the patient's left."""


@dataclass(frozen=True)
class WeakLabels:
    """The sides by case, and what is wrong with the table."""

    sides: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def read_weak_labels(table: Path, subjects: Collection[str]) -> WeakLabels:
    """The table's sides for `subjects`; a table that cannot be trusted refuses the cohort."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            columns = lines.fieldnames = [column.strip().lower() for column in lines.fieldnames or ()]
            rows = [(lines.line_num, row) for row in lines]
    except (OSError, ValueError, csv.Error):
        return WeakLabels(findings=(Finding(None, table, "cannot be read as a table", "save it as CSV in UTF-8"),))
    if missing := [column for column in ("case", "side") if column not in columns]:
        problem = f"has no column {missing[0]!r}"
        return WeakLabels(findings=(Finding(None, table, problem, "begin it with the line case,side"),))
    told = [(number, _word(row["case"]), _word(row["side"]).lower()) for number, row in rows]
    sides = {case: SIDES[side] for _, case, side in told if side in SIDES}
    return WeakLabels(sides, tuple(_faults(told, table, frozenset(subjects))))


def _word(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _faults(told: list[tuple[int, str, str]], table: Path, subjects: frozenset[str]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, case, side in told:
        if case not in subjects:
            problem = f"line {number} names {case!r}, which is no case here"
            yield Finding(None, table, problem, "correct the name, or delete the line")
        elif side not in SIDES:
            problem = f"line {number} gives {case} the side {side!r}"
            yield Finding(case, table, problem, f"write {', '.join(SIDES)}, in the patient's own terms")
        elif first.setdefault(case, number) != number:
            problem = f"lines {first[case]} and {number} are both about {case}"
            yield Finding(case, table, problem, "keep one of them")
