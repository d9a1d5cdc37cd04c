"""The transcription against the paper's own text (where it is present), and against itself."""

import re
from pathlib import Path

import pytest

from medsearch.core.reported import Reported, find
from medsearch.methods.modatts.reported import REPORTED, T1_TO_T2, T1CE_TO_HRT2, T2_TO_T1

PAPER = Path(__file__).parents[4] / "shared" / "papers" / "002_6f4703bbec647465.txt"
ALL = [value for values in REPORTED.values() for value in values]


@pytest.fixture(scope="module")
def section() -> str:
    """Section 5.5 on one line."""
    if not PAPER.exists():
        pytest.skip(f"{PAPER.name} is not here")
    text = PAPER.read_text(encoding="utf-8")
    start = text.rindex("5.5.1 Experimental settings")
    return re.sub(r"\s+", " ", text[start : text.index("5.6 Applications and extensions", start)])


def printed(value: Reported) -> str:
    return f"{value.value:.3f} ± {value.spread:.3f}"


def letters(text: str) -> str:
    """Without blanks: around an arrow they are the typesetter's; the text has them in one row and not in another."""
    return re.sub(r"\s+", "", text)


def test_every_row_of_table_5_3_is_printed_so(section: str) -> None:
    values = REPORTED["Table 5.3"]
    for dice, assd in zip(values[::2], values[1::2], strict=True):
        assert (dice.row, dice.metric, assd.metric) == (assd.row, "dice", "assd")
        remark = " (Ours)" if dice.row == "MoDATTS" else ""
        assert f"{dice.row}{remark} {printed(dice)} {printed(assd)}" in section
        assert (f"{dice.row}{remark}" in dice.note) == bool(remark)


def test_table_5_4_is_printed_so(section: str) -> None:
    rows = {row: [v for v in REPORTED["Table 5.4"] if v.row == row] for row in ("T1ce Dice Score", "% of TSMP")}
    dice, share = rows.values()
    assert f"T1ce annotations {' '.join(v.column for v in dice)} T1ce Dice Score" in section
    assert f"T1ce Dice Score {' '.join(printed(v) for v in dice)}" in section
    assert f"% of TSMP {' '.join(f'{100 * v.value:g}%' for v in share)}" in section
    assert [v.column for v in share] == [v.column for v in dice]
    supervised = find(REPORTED["Table 5.4"], row="Target supervised", column="", metric="dice")
    assert supervised is not None
    assert f"target supervised model performance (T1ce : {printed(supervised)})" in section


def test_every_row_of_table_5_5_is_printed_so(section: str) -> None:
    values = REPORTED["Table 5.5"]
    assert len(values) == 7 * 3
    for dice, share, other in zip(values[::3], values[1::3], values[2::3], strict=True):
        assert (dice.column, share.column, other.column) == (T1_TO_T2, T1_TO_T2, T1CE_TO_HRT2)
        assert letters(f"{dice.row} {printed(dice)} ({share.value:.0%}) {printed(other)}") in letters(section)
    assert f"Ablations {T1_TO_T2} {T1CE_TO_HRT2}" in section


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("MoDATTS (3D)", "over the 12 different domain adaptation experiments we report that 3D MoDATTS reaches {}"),
        ("MoDATTS (2D)", "The 2D version of MoDATTS, reached {} of"),
        ("AttENT", "AttENT and AccSegNet reached {} and"),
        ("AccSegNet", "AttENT and AccSegNet reached 79% and {}, respectively"),
    ],
)
def test_the_text_says_so_of_figure_5_7(row: str, said: str, section: str) -> None:
    value = find(REPORTED["Figure 5.7"], row=row, column="mean of 12 pairs", metric="share")
    assert value is not None
    assert said.format(f"{value.value:.0%}") in section


def test_the_text_says_so_of_figure_5_8(section: str) -> None:
    def dice(row: str, column: str, metric: str = "dice") -> float:
        value = find(REPORTED["Figure 5.8"], row=row, column=column, metric=metric)
        assert value is not None
        return value.value

    for column, as_printed in ((T1_TO_T2, "T1 → T2 (BraTS)"), (T2_TO_T1, "T2 → T1 (BraTS)"),
                               (T1CE_TO_HRT2, "T1ce → hrT2 (CrossMoDA)")):  # fmt: skip
        pair = dice("Self-supervised, 100%", column), dice("Semi-supervised, 100%", column)
        assert "{:.3f} vs {:.3f} for {}".format(*pair, as_printed) in section
    semi, itself = (dice(f"{row}-supervised, 1%", T1_TO_T2, "share") for row in ("Semi", "Self"))
    assert f"1% source annotations still reaches {semi:.0%} of" in section
    assert f"the self-supervised variant only achieves {itself:.0%}." in section


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("w/o ST", "improvement of around +{:.2f} Dice"),
        ("w/o TAMT w/o ST", "(BraTS : −{:.3f} and CrossMoDA : −{:.3f} in Dice)"),
        ("w/o A → P", "(BraTS : +{:.3f} and CrossMoDA : +{:.3f} in Dice)"),
        ("w/o dual-use Res./Seg.", "the brain (−{:.2f} Dice) and VS (−{:.2f} Dice)"),
    ],
)
def test_the_text_says_so_of_the_ablations(row: str, said: str, section: str) -> None:
    gains = [find(REPORTED["Section 5.5.6"], row=row, column=c, metric="gain") for c in (T1_TO_T2, T1CE_TO_HRT2)]
    assert said.format(*(-gain.value for gain in gains if gain)) in section


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


def test_the_thesis_does_contradict_itself_so() -> None:
    if not PAPER.exists():
        pytest.skip(f"{PAPER.name} is not here")
    text = re.sub(r"\s+", " ", PAPER.read_text(encoding="utf-8"))
    assert "with annotated target data, compared to 87% for M-GenSeg" in text
    assert text.count("(contre 87% pour M-GenSeg)") == 1  # section 6.1.2
    assert "The 2D version of MoDATTS, reached 87% of the target supervised" in text
    assert "reported top Dice score of 0.87±0.04" in text
    assert "Dice segmentation score of 0.87 ± 0.04" in text
    table = {(v.row, v.column): v.value for v in REPORTED["Table 5.5"] if v.metric == "dice"}
    for column, apart in ((T1_TO_T2, -0.031), (T1CE_TO_HRT2, -0.020)):
        rows = table["w/o dual-use Res./Seg.", column], table["Proposed (Semi-sup.)", column]
        assert rows[0] - rows[1] == pytest.approx(apart)


@pytest.mark.parametrize("value", ALL, ids=lambda v: f"{v.where} {v.row} {v.column} {v.metric}")
def test_every_value_says_what_its_spread_is_over_and_whence_its_selection(value: Reported) -> None:
    assert (value.spread is None) == (value.spread_of == "") == (value.n is None)
    assert value.spread_of in {"brats2020": ("seeds", ""), "crossmoda2022": ("cases", "")}[value.cohort]
    assert "selection rule" in value.note
    assert 64 < value.page < 79


@pytest.mark.parametrize("value", ALL, ids=lambda v: f"{v.where} {v.row} {v.column} {v.metric}")
def test_every_value_names_its_statistic_and_what_is_scored(value: Reported) -> None:
    """A spread over cases is of values of cases; of a run on BraTS the paper does not say it, which each value does."""
    if value.cohort == "crossmoda2022":
        assert (value.statistic, value.unit, value.assumed) == ("mean over cases", "whole volume", "")
    else:
        slices = value.row in ("MoDATTS (2D)", "AccSegNet", "AttENT")
        assert (value.statistic, value.unit) == ("pooled", "diseased slices" if slices else "diseased halves")
        assert "assumed to be" in value.assumed


def test_no_two_values_of_a_table_have_the_same_labels() -> None:
    for values in REPORTED.values():
        assert len({(value.row, value.column, value.metric) for value in values}) == len(values)
