"""Values that papers print, as data: what a table shows beside what was measured.

A method package transcribes its paper in `reported.py`: `REPORTED: Mapping[str, tuple[Reported, ...]]`, one entry per
table, figure or section ("Table 5.5"). Labels are the paper's own, letter by letter (an index is written behind "_"; a
remark in brackets behind a label, as "(Ours)", is no part of it, and `note` has it), so that a study whose rows and
columns carry them finds its reported values by label; a study with other labels maps them with `relabelled`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Spread = Literal["", "seeds", "cases"]
Statistic = Literal["", "pooled", "mean over cases", "run"]
Unit = Literal["", "diseased halves", "diseased slices", "whole volume"]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """One value that a paper prints."""

    paper: str
    """Short citation key with the chapter."""
    where: str
    """Where it is printed: "Table 5.5", "section 5.5.4"."""
    page: int
    """As printed on the page."""
    row: str
    """The paper's own label, as that of `column`."""
    column: str
    metric: str
    """ "dice", "assd" (mm), "share" (of the target-supervised model, 0..1), "gain" (Dice minus another row's), "change"
    (of Dice against another row's, relative, in %: -8.22 is 8.22 % below it; the spread is in % as well), "mse",
    "ssim" and "psnr" (dB) of intensities on [-1, 1], "training_hours"."""
    value: float
    spread: float | None = None
    """Standard deviation; over what, says `spread_of`."""
    spread_of: Spread = ""
    n: int | None = None
    """How many seeds or cases the spread is over."""
    printed: str = ""
    """Value and spread in the paper's own notation, where that has another unit: "10,05 (2,89) × 10⁻²", "16h 33m"."""
    cohort: str = ""
    """Layout of the data: "brats2020", "crossmoda2022"."""
    selection: str = ""
    """Selection rule of the paper's runs: "source", "pseudo-target", "oracle" or "none" (the last epoch counts,
    whatever its scores); `note` says where it is inferred."""
    statistic: Statistic = ""
    """What one run's value is, or the Dice that a share, gain or change is made of. "pooled": the Dice of all scored
    units of the test split as if they were one volume, so a run has one and no test case has any. "mean over cases": of
    each test case's own. "run": of the whole run, as its hours. Empty: not known; it is then taken as the metric is
    measured, and the verdict says so."""
    unit: Unit = ""
    """What is scored of a test case of which masks tell; empty for images, and where it is not known."""
    assumed: str = ""
    """Why `statistic` and `unit` are what they are, where the paper does not say it; empty where it does."""
    contradiction: str = ""
    """What the paper prints elsewhere that this value cannot be squared with, and where."""
    note: str = ""


def find(values: Iterable[Reported], *, row: str, column: str, metric: str) -> Reported | None:
    """The value under these labels; None if the paper prints none.

    The one value of a row and metric is found whatever `column` says if it has no column (it holds in all), or if the
    table's columns are metrics.
    """
    of_row = [value for value in values if (value.row, value.metric) == (row, metric)]
    exact = [value for value in of_row if value.column == column]
    if exact:
        return exact[0]
    only = of_row[0] if len(of_row) == 1 else None
    return only if only and only.column.rpartition(" ")[2].lower() in ("", "dice", "assd") else None


def relabelled(
    values: Iterable[Reported], *, rows: Mapping[str, str] | None = None, columns: Mapping[str, str] | None = None
) -> tuple[Reported, ...]:
    """`values` under a study's own labels: paper's label -> study's label; labels not named stay."""
    rows, columns = rows or {}, columns or {}
    return tuple(
        replace(value, row=rows.get(value.row, value.row), column=columns.get(value.column, value.column))
        for value in values
    )
