"""The transcription is the one that was compared with the paper, and agrees with itself."""

from math import log, log10

import pytest

from medsearch.core.recipes import fingerprint
from medsearch.core.reported import Reported, find
from medsearch.methods.ssbr_cyclegan.reported import CECT_TO_CT, CT_TO_CECT, REPORTED

TABLE = REPORTED["Table 1"]
ROWS = ("PBS", "AFFINE REG.", "SSBR selection", "+L_ACL", "+ input addition", "+ binary mask")
DIRECTIONS = (CT_TO_CECT, CECT_TO_CT)
METRICS = ("mse", "ssim", "psnr_volume", "training_hours")
CELLS = [(row, column) for column in DIRECTIONS for row in ROWS]


def value(row: str, column: str, metric: str) -> Reported:
    found = find(TABLE, row=row, column=column, metric=metric)
    assert found is not None
    return found


def test_the_table_is_whole_and_in_its_order() -> None:
    assert [(v.row, v.column, v.metric) for v in TABLE] == [(*cell, metric) for cell in CELLS for metric in METRICS]


def test_plain_units() -> None:
    first, last = value("PBS", CT_TO_CECT, "mse"), value("+ binary mask", CECT_TO_CT, "ssim")
    assert (first.value, first.spread, first.printed) == (0.1005, 0.0289, "10,05 (2,89) × 10⁻²")
    assert (last.value, last.spread, last.printed) == (0.723, 0.053, "7,23 (0,53) × 10⁻¹")
    affine = value("AFFINE REG.", CT_TO_CECT, "training_hours")
    assert (affine.value, affine.printed) == (16.55, "16h 33m")
    assert (
        [v for v in TABLE if "15h" in v.contradiction]
        == [v for v in TABLE if v.contradiction]
        == [value("AFFINE REG.", column, "training_hours") for column in DIRECTIONS]
    )


def test_psnr_is_at_range_2_and_of_each_patients_mse() -> None:
    """What is inferred: the mean of ten decibels lies above that of their mean error by what their spread makes."""
    for cell in CELLS:
        error, ratio = value(*cell, "mse"), value(*cell, "psnr_volume")
        above = ratio.value - 10 * log10(2**2 / error.value)
        assert 0 < above < 0.2, cell
        assert above == pytest.approx(log(10) / 20 * ratio.spread**2 * 9 / 10, abs=0.015), cell


def test_every_value_says_what_its_spread_is_over_and_whence_its_selection() -> None:
    for cell in TABLE:
        timed = cell.metric == "training_hours"
        assert (cell.spread is None, cell.spread_of, cell.n) == ((True, "", None) if timed else (False, "cases", 10))
        assert (cell.statistic, cell.unit) == ("run" if timed else "mean over cases", "")
        assert "selection rule inferred" in cell.note
        assert (cell.where, cell.page, cell.selection) == ("Table 1", 4, "none")


def test_both_directions_take_the_same_time() -> None:
    for row in ROWS:
        there, back = (value(row, column, "training_hours") for column in DIRECTIONS)
        assert there.value == back.value


def test_the_numbers_are_those_that_were_compared_with_the_paper() -> None:
    """Whoever changes one compares it with the page that it names, and renews the digest."""
    assert (
        fingerprint([[v.where, v.page, v.row, v.column, v.metric, v.value, v.spread, v.printed] for v in TABLE])
        == "982cc09bd1356739"
    )
