"""The transcription is the one that was compared with the paper, and agrees with itself."""

from statistics import fmean

import pytest

from medsearch.core.recipes import fingerprint
from medsearch.methods.mgenseg.reported import REPORTED

ALL = [value for values in REPORTED.values() for value in values]


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


def test_contradictions_are_noted_beside_the_values() -> None:
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
    assert set(noted) == {(v.where, v.row, v.column) for v in swapped}


def test_the_numbers_are_those_that_were_compared_with_the_paper() -> None:
    """Whoever changes one compares it with the page that it names, and renews the digest."""
    assert (
        fingerprint([[v.where, v.page, v.row, v.column, v.metric, v.value, v.spread, v.printed] for v in ALL])
        == "64b1b72727c63029"
    )
