"""What the paper of the anatomically constrained CycleGAN prints: Table 1, in plain units and as printed.

Labels are the paper's: rows as printed ("+L_ACL" has ACL as its index), and of columns the heading of each half of the
table; the lower four rows are the ablation, each with all that the one above has. Its text bears no page numbers: they
are counted. A time is that of both directions, which one training learns together. Values are means over patients.

Not printed, hence inferred (each note says so): that nothing but the last epoch was looked at; the range [-1, 1], for
10 lg(4 / MSE) comes within 0.2 dB of every PSNR; and that PSNR is a patient's, of the MSE of the whole volume. Of ten
values in dB the mean lies ln(10)/20 · SD² · 9/10 above that of their mean error, and this is what lies between the
columns in all 12 cells, to 0.015 dB: decibels of single slices, averaged by patient, would lie higher still.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from medsearch.core.reported import Reported

CT_TO_CECT, CECT_TO_CT = "real CT→fake ceCT vs real ceCT", "real ceCT→fake CT vs real CT"

_LAST = "selection rule inferred: no selection is described, so the last epoch"
_RANGE = "inferred: intensities on [−1, 1]"
_BLANK = Reported(
    paper="Anatomically constrained CycleGAN (La Barbera et al.)",
    where="Table 1",
    page=4,
    row="",
    column="",
    metric="",
    value=0.0,
    cohort="private paediatric CT and ceCT",
    selection="none",
    note=_LAST,
)

_TABLE_1 = {
    CT_TO_CECT: {
        "PBS": (10.05, 2.89, 5.76, 0.65, 16.14, 1.15),
        "AFFINE REG.": (8.16, 1.80, 6.36, 0.57, 16.99, 0.87),
        "SSBR selection": (9.07, 2.39, 5.99, 0.71, 16.56, 1.07),
        "+L_ACL": (8.55, 2.28, 6.19, 0.69, 16.82, 1.07),
        "+ input addition": (6.41, 1.97, 6.67, 0.63, 18.11, 1.22),
        "+ binary mask": (6.37, 2.01, 6.81, 0.62, 18.14, 1.23),
    },
    CECT_TO_CT: {
        "PBS": (8.26, 1.97, 5.36, 0.28, 16.96, 1.04),
        "AFFINE REG.": (4.72, 0.95, 6.77, 0.37, 19.36, 0.93),
        "SSBR selection": (7.15, 2.16, 5.68, 0.52, 17.64, 1.26),
        "+L_ACL": (5.87, 1.73, 6.08, 0.22, 18.47, 1.12),
        "+ input addition": (4.24, 0.86, 6.80, 0.37, 19.83, 0.92),
        "+ binary mask": (4.05, 0.83, 7.23, 0.53, 20.03, 0.92),
    },
}
"""Direction, row: mean and SD over patients of MSE in 10⁻², SSIM in 10⁻¹, and PSNR in dB."""
_TIMES = {
    "PBS": (3, 2),
    "AFFINE REG.": (16, 33),
    "SSBR selection": (7, 5),
    "+L_ACL": (7, 49),
    "+ input addition": (7, 55),
    "+ binary mask": (7, 55),
}
"""Row: hours and minutes."""
_SCORES = (
    ("mse", 2, " × 10⁻²", _RANGE),
    ("ssim", 1, " × 10⁻¹", f"{_RANGE}; window and whether by slice or volume are not printed"),
    ("psnr_volume", 0, "", f"{_RANGE}, hence range 2; one PSNR a patient, of the MSE of the whole volume"),
)
"""Metric, the power of ten by which it is printed larger, its unit, and what is inferred."""


def _table_1() -> Iterator[Reported]:
    for column, rows in _TABLE_1.items():
        for row, cells in rows.items():
            base = replace(_BLANK, row=row, column=column)
            yield from _scores(base, means=cells[::2], spreads=cells[1::2])
            yield _time(base, *_TIMES[row])


def _scores(base: Reported, *, means: tuple[float, ...], spreads: tuple[float, ...]) -> Iterator[Reported]:
    base = replace(base, spread_of="cases", n=10, statistic="mean over cases")
    for (metric, power, unit, note), mean, spread in zip(_SCORES, means, spreads, strict=True):
        value, deviation = (round(number / 10**power, power + 2) for number in (mean, spread))
        printed = f"{mean:.2f} ({spread:.2f}){unit}".replace(".", ",")
        yield replace(base, metric=metric, value=value, spread=deviation, printed=printed, note=f"{note}; {base.note}")


def _time(base: Reported, hours: int, minutes: int) -> Reported:
    timed = replace(
        base,
        metric="training_hours",
        value=round(hours + minutes / 60, 4),
        statistic="run",
        printed=f"{hours}h {minutes}m",
        note=f"one GPU of 16 GB, both directions together; {base.note}",
    )
    other = "Table 1 prints 16h 33m, section 3 says 15h"
    return replace(timed, contradiction=other) if base.row == "AFFINE REG." else timed


REPORTED: Mapping[str, tuple[Reported, ...]] = {"Table 1": tuple(_table_1())}
"""By the table that a study reproduces."""
