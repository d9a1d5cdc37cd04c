"""The transcription is the one that was compared with the paper, and agrees with itself."""

import pytest

from medsearch.core.recipes import fingerprint
from medsearch.core.reported import find
from medsearch.methods.modatts.reported import REPORTED, T1_TO_T2, T1CE_TO_HRT2

ALL = [value for values in REPORTED.values() for value in values]


def test_values_that_another_place_repeats_are_equal_there() -> None:
    table = {(v.column, v.value, v.spread) for v in REPORTED["Table 5.5"] + REPORTED["Table 5.4"] if v.spread}
    for value in REPORTED["Figure 5.8"] + REPORTED["Figure 5.7"]:
        if value.spread is not None:
            assert (value.value, value.spread) in {known[1:] for known in table}


def test_shares_of_table_5_4_are_the_dice_over_the_target_supervised() -> None:
    values = REPORTED["Table 5.4"]
    supervised = find(values, row="Target supervised", column="", metric="dice")
    assert supervised is not None
    for share in (value for value in values if value.metric == "share"):
        dice = find(values, row="T1ce Dice Score", column=share.column, metric="dice")
        assert dice is not None
        assert dice.value / supervised.value == pytest.approx(share.value, abs=0.0025)  # printed to half a percent


def test_one_target_supervised_dice_explains_every_share_of_table_5_5() -> None:
    low, high = 0.0, 1.0
    for share in (value for value in REPORTED["Table 5.5"] if value.metric == "share"):
        dice = find(REPORTED["Table 5.5"], row=share.row, column=share.column, metric="dice")
        assert dice is not None
        low, high = max(low, dice.value / (share.value + 0.005)), min(high, dice.value / (share.value - 0.005))
    assert 0.876 < low < high < 0.878


def test_gains_are_differences_of_table_5_5_save_where_the_paper_contradicts_itself() -> None:
    against = {"w/o ST": "Proposed (Self-sup.)", "w/o TAMT w/o ST": "w/o ST"}
    for gain in (value for value in REPORTED["Section 5.5.6"] if value.metric == "gain"):
        rows = gain.row, against.get(gain.row, "Proposed (Semi-sup.)")
        ours, theirs = (find(REPORTED["Table 5.5"], row=row, column=gain.column, metric="dice") for row in rows)
        assert ours is not None
        assert theirs is not None
        agrees = ours.value - theirs.value == pytest.approx(gain.value, abs=0.0011)
        assert agrees != bool(gain.contradiction)


def test_contradictions_are_noted_beside_both_values() -> None:
    """What one place of the thesis prints of separate decoders, of 2D MoDATTS and of a spread, another does not."""
    noted = {
        (value.where, value.row, value.column, value.metric): value.contradiction
        for value in ALL
        if value.contradiction
    }
    separate = "w/o dual-use Res./Seg."
    places = [("section 5.5.6", "gain"), ("Table 5.5", "dice")]
    beside = [(where, separate, column, metric) for where, metric in places for column in (T1_TO_T2, T1CE_TO_HRT2)]
    assert {noted.pop(key) for key in beside} == {
        "section 5.5.6 prints −0.31 (BraTS) and −0.20 (CrossMoDA) for separate decoders, rows of Table 5.5 differ by "
        "−0.031 and −0.020"
    }
    ours = [("Table 5.3", "MoDATTS", "VS Dice", "dice"), ("Table 5.5", "Proposed (Self-sup.)", T1CE_TO_HRT2, "dice")]
    assert {noted.pop(key).partition(",")[0] for key in ours} == {"both abstracts print 0.87 ± 0.04"}
    (slices,) = noted.items()
    assert slices[0] == ("section 5.5.2", "MoDATTS (2D)", "mean of 12 pairs", "share")
    assert slices[1].startswith("the abstract of the thesis and section 6.1.2 say 87 % of M-GenSeg")


def test_every_value_says_what_its_spread_is_over_and_whence_its_selection() -> None:
    for value in ALL:
        assert (value.spread is None) == (value.spread_of == "") == (value.n is None)
        assert value.spread_of in {"brats2020": ("seeds", ""), "crossmoda2022": ("cases", "")}[value.cohort]
        assert "selection rule" in value.note
        assert 64 < value.page < 79


def test_every_value_names_its_statistic_and_what_is_scored() -> None:
    """A spread over cases is of values of cases; of a run on BraTS the paper does not say it, which each value does."""
    for value in ALL:
        if value.cohort == "crossmoda2022":
            assert (value.statistic, value.unit, value.assumed) == ("mean over cases", "whole volume", "")
        else:
            slices = value.row in ("MoDATTS (2D)", "AccSegNet", "AttENT")
            assert (value.statistic, value.unit) == ("pooled", "diseased slices" if slices else "diseased halves")
            assert "assumed to be" in value.assumed


def test_no_two_values_of_a_table_have_the_same_labels() -> None:
    for values in REPORTED.values():
        assert len({(value.row, value.column, value.metric) for value in values}) == len(values)


def test_the_numbers_are_those_that_were_compared_with_the_paper() -> None:
    """Whoever changes one compares it with the page that it names, and renews the digest."""
    assert (
        fingerprint([[v.where, v.page, v.row, v.column, v.metric, v.value, v.spread, v.printed] for v in ALL])
        == "7b79a3590207ede9"
    )
