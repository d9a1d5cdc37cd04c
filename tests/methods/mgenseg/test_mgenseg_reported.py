"""The transcription against the paper's own text (where it is present), and against itself."""

import re
from pathlib import Path
from statistics import fmean

import pytest

from medsearch.core.reported import Reported
from medsearch.methods.mgenseg.reported import REPORTED

PAPER = Path(__file__).parents[4] / "shared" / "papers" / "002_6f4703bbec647465.txt"
ALL = [value for values in REPORTED.values() for value in values]


@pytest.fixture(scope="module")
def text() -> str:
    """The thesis on one line."""
    if not PAPER.exists():
        pytest.skip(f"{PAPER.name} is not here")
    return re.sub(r"\s+", " ", PAPER.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chapter(text: str) -> str:
    """Section 4.4 and the supplement."""
    start = text.rindex("4.4 Experimental Results")
    return text[start : text.index("CHAPITRE 5 ARTICLE 2", start)]


def printed(value: Reported, digits: int = 3) -> str:
    return f"{value.value:.{digits}f} ± {value.spread:.{digits}f}"


def test_every_row_of_table_4_1_is_printed_so(chapter: str) -> None:
    assert len(REPORTED["Table 4.1"]) == 4
    for value in REPORTED["Table 4.1"]:
        assert f"{value.row} {printed(value, 2)} %" in chapter


def test_every_cell_of_table_4_2_is_printed_so(chapter: str) -> None:
    values = REPORTED["Table 4.2"]
    assert len(values) == 3 * 2 * 6
    table = chapter[chapter.index("Fully-supervised results") :]
    assert table.count("± 0.0.") == 6 == sum("spread printed as" in value.note for value in values)
    for value in values:
        assert ("“Supervised Unet (M-GenSeg backbone)”" in value.note) == (value.row == "Supervised Unet")
    assert {value.row for value in values} == {row for row in ("Supervised Unet", "UAGAN", "M-GenSeg") if row in table}
    for pair in {value.column.partition(" :")[0] for value in values}:
        assert pair in table
    for value in values:
        modality = value.column.rpartition(" ")[2]
        mean = re.escape(f"{value.value:.3f}".rstrip("0"))
        spread = re.escape(f"{value.spread:.3f}".removeprefix("0."))
        assert re.search(rf"{modality} : {mean}0* ± 0\.(0\.)?{spread}", table), value


def test_every_cell_of_table_4_3_is_printed_so(chapter: str) -> None:
    values = REPORTED["Table 4.3"]
    assert len(values) == 4 * 12
    table = chapter[chapter.index("Domain adaptation absolute Dice scores") :]
    for value in values:
        assert f"{value.row} : {printed(value)}" in table, value
    targets = list(dict.fromkeys(value.column.partition(" → ")[2] for value in values))
    assert f"Target {' '.join(sorted(targets, key=['T1', 'T1ce', 'Flair', 'T2'].index))} T1 X" in table
    for source in {value.column.partition(" → ")[0] for value in values}:
        assert f" {source} " in table


def test_what_the_text_states(text: str, chapter: str) -> None:
    few = {value.row: printed(value).replace(" ", "") for value in REPORTED["Figure 4.4"] if value.row.endswith(" 1%")}
    said = text.replace(" ", "")
    assert f"Dicescoreof{few['M-GenSeg, 1%']}" in said
    assert f"{few['AttENT, 1%']}and{few['AccSegNet, 1%']}forAttENTandAccSegNet" in said
    quarter, uagan, share = REPORTED["Section 4.4.2"]
    assert f"M-GenSeg : {printed(quarter)} vs UAGAN : {printed(uagan)}" in chapter
    assert f"{share.value:.0%} of the performance of fully-supervised UAGAN" in chapter
    gains = [value.value for value in REPORTED["Figure 4.3"]]
    assert f"increase of {gains[0]} and {gains[1]}, respectively, compared to AccSegNet and AttENT" in chapter


def test_the_mean_gains_are_those_of_table_4_3() -> None:
    """0.04 and 0.08: the table's means differ by 0.046 and 0.077."""
    means = {row: fmean(v.value for v in REPORTED["Table 4.3"] if v.row == row) for row in ("Mgen", "Acc", "Att")}
    assert means["Mgen"] - means["Acc"] == pytest.approx(0.04, abs=0.006)
    assert means["Mgen"] - means["Att"] == pytest.approx(0.08, abs=0.004)


def test_labels_are_unique_within_a_table() -> None:
    for values in REPORTED.values():
        labels = [(value.row, value.column, value.metric, value.value) for value in values]
        assert len(set(labels)) == len(labels)


def test_every_value_says_whose_labels_selected_it() -> None:
    assert all(value.selection == "oracle" and "inferred" in value.note for value in ALL)


def test_every_value_is_pooled_over_diseased_slices_and_says_that_this_is_assumed() -> None:
    for value in ALL:
        assert (value.statistic, value.unit) == ("pooled", "diseased slices")
        assert "assumed to be what the released code prints" in value.assumed


def test_contradictions_are_noted_beside_the_values(text: str) -> None:
    noted = {(v.where, v.row, v.column): v.contradiction for v in ALL if v.contradiction}
    uagan = [("Table 4.2", "UAGAN", "T1/T2 : T2"), ("Table 4.2", "M-GenSeg", "T1/T2 : T2")]
    said = {noted.pop(key) for key in (*uagan, ("section 4.4.2", "UAGAN", "T1 → T2"))}
    assert said == {
        "section 4.4.2 prints 0.872 ± 0.003 for UAGAN on T1 → T2, Table 4.2 prints 0.875 ± 0.006 for it (T1/T2 : T2), "
        "and 0.872 ± 0.003 for M-GenSeg"
    }
    assert {(v.row, v.value, v.spread) for v in REPORTED["Table 4.2"] if v.column == "T1/T2 : T2"} >= {
        ("UAGAN", 0.875, 0.006), ("M-GenSeg", 0.872, 0.003),
    }  # fmt: skip
    swapped = [v for v in REPORTED["Figure 4.3"] if v.contradiction]
    assert [(v.value, v.contradiction.rpartition(" ")[2]) for v in swapped] == [(0.04, "AttENT"), (0.08, "AccSegNet")]
    assert "0.04 and 0.08 in comparison to AttENT and AccSegNet" in text
    assert set(noted) == {(v.where, v.row, v.column) for v in swapped}
