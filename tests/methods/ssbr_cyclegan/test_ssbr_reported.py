"""The transcription against the paper's own text (where it is present), and against itself."""

import re
from math import log, log10
from pathlib import Path
from unicodedata import normalize

import pytest

from medsearch.core.reported import Reported, find
from medsearch.methods.ssbr_cyclegan.reported import CECT_TO_CT, CT_TO_CECT, REPORTED

PAPER = Path(__file__).parents[4] / "shared" / "papers" / "000_0afd40de6f0d337e.txt"
TABLE = REPORTED["Table 1"]
ROWS = ("PBS", "AFFINE REG.", "SSBR selection", "+L_ACL", "+ input addition", "+ binary mask")
DIRECTIONS = (CT_TO_CECT, CECT_TO_CT)
METRICS = ("mse", "ssim", "psnr_volume", "training_hours")
CELLS = [(row, column) for column in DIRECTIONS for row in ROWS]


def value(row: str, column: str, metric: str) -> Reported:
    found = find(TABLE, row=row, column=column, metric=metric)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def text() -> str:
    """The paper on one line, its accents composed."""
    if not PAPER.exists():
        pytest.skip(f"{PAPER.name} is not here")
    return normalize("NFC", re.sub(r"\s+", " ", PAPER.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def halves(text: str) -> dict[str, str]:
    """Each direction's half of the table."""
    start, middle = (text.index(heading) for heading in DIRECTIONS)
    return {CT_TO_CECT: text[start:middle], CECT_TO_CT: text[middle : text.index("Les résultats sont", middle)]}


def test_the_table_is_whole_and_in_its_order() -> None:
    assert [(v.row, v.column, v.metric) for v in TABLE] == [(*cell, metric) for cell in CELLS for metric in METRICS]


@pytest.mark.parametrize(("row", "column"), CELLS)
def test_every_cell_is_printed_so(row: str, column: str, halves: dict[str, str]) -> None:
    shown = [value(row, column, metric).printed.partition(" ×")[0] for metric in METRICS]
    as_printed = row.replace("_", "")  # an index
    assert f" {as_printed} {' '.join(shown)} " in halves[column]


def test_every_number_is_the_printed_one_in_plain_units(halves: dict[str, str]) -> None:
    """Read from the text once more, without what our own module holds as printed."""
    number = r"(\d+,\d\d) \((\d,\d\d)\) "
    cells = [found for half in halves.values() for found in re.findall(number * 3 + r"(\d+)h (\d+)m", half)]
    assert len(cells) == len(CELLS)
    for (row, column), cell in zip(CELLS, cells, strict=True):
        *scores, hours, minutes = (float(part.replace(",", ".")) for part in cell)
        for metric, scale, mean, spread in zip(METRICS, (100, 10, 1), scores[::2], scores[1::2], strict=False):
            ours = value(row, column, metric)
            assert (ours.value * scale, ours.spread * scale) == pytest.approx((mean, spread), abs=1e-12)
        assert value(row, column, "training_hours").value == pytest.approx(hours + minutes / 60, abs=1e-4)


def test_the_text_says_so(text: str) -> None:
    assert "MSE [10−2] (↓) SSIM [10−1] (↑) PSNR (↑) TIME (↓)" in text
    assert "sur les 10 patients avec images appariées" in text
    assert "indiqués en moyenne et en écart-type" in text
    assert "GPU avec 16 Go de VRAM" in re.sub(r"FIGURE 2.*?attendu\. ", "", text)
    assert "au prix d’un temps de calcul de 15h au lieu de 3h" in text


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


@pytest.mark.parametrize(("row", "column"), CELLS)
def test_psnr_is_at_range_2_and_of_each_patients_mse(row: str, column: str) -> None:
    """What is inferred: the mean of ten decibels lies above that of their mean error by what their spread makes."""
    error, ratio = value(row, column, "mse"), value(row, column, "psnr_volume")
    above = ratio.value - 10 * log10(2**2 / error.value)
    assert 0 < above < 0.2
    assert above == pytest.approx(log(10) / 20 * ratio.spread**2 * 9 / 10, abs=0.015)


@pytest.mark.parametrize("one", TABLE, ids=lambda v: f"{v.row} {v.column} {v.metric}")
def test_every_value_says_what_its_spread_is_over_and_whence_its_selection(one: Reported) -> None:
    timed = one.metric == "training_hours"
    assert (one.spread is None, one.spread_of, one.n) == ((True, "", None) if timed else (False, "cases", 10))
    assert (one.statistic, one.unit) == ("run" if timed else "mean over cases", "")
    assert "selection rule inferred" in one.note
    assert (one.where, one.page, one.selection) == ("Table 1", 4, "none")


def test_both_directions_take_the_same_time() -> None:
    for row in ROWS:
        there, back = (value(row, column, "training_hours") for column in DIRECTIONS)
        assert there.value == back.value
