"""Relative changes in the report of an ablation, measured beside reported."""

import dataclasses
import io
import json
import math
import shutil
import subprocess

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs
from scipy.stats import t as student

from medsearch.core.reported import Reported
from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.cells import main_row, parts_of, unplaced
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.narrative import answer, caption
from medsearch.reporting.ablation.sheets import CHANGES
from medsearch.reporting.results import AblationResults, Replicate
from medsearch.reporting.storage import from_json
from tests.reporting.ablation.ablation_results import column, results, run
from tests.reporting.outline import Outline
from tests.reporting.written import files, page

DICE, ASSD = "test/dice", "test/assd"
PAPER = Reported(
    paper="P", where="Table 4.1", page=49, row="less", column="task", metric="change", value=-8.22, spread=2.71,
    cohort="brats2020", selection="oracle",
)  # fmt: skip
ROWS = {"ours": (run(0, 0.8), run(1, 0.5)), "less": (run(0, 0.72), run(1, 0.46)), "more": (run(0, 0.84), run(1, 0.53))}
LOST = Replicate(seed=1, state="failed", reason="loss = nan", cause="diverged")
WAITING = Replicate(seed=1, state="waiting")


def made(rows=ROWS, *, reported=(PAPER,), **changes) -> AblationResults:
    """Of "less" -10 and -8 %, of "more" +5 and +6 %."""
    return results(rows, against={"less": "ours", "more": "ours"}, reported=reported, **changes)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The files of text of the report of `made()`, by name."""
    return files(made())


def change_of(measures: Measures, row: str = "less"):
    return measures.changes[row, "task", DICE]


def lacking(row: str, with_: Replicate = LOST) -> AblationResults:
    return made(ROWS | {row: (ROWS[row][0], with_)})


def test_hand_worked_changes_have_mean_spread_and_interval():
    found = change_of(Measures(made()))
    assert found.found.by_seed == {0: pytest.approx(-10.0), 1: pytest.approx(-8.0)}
    assert (found.seeds.mean, found.seeds.sd) == (pytest.approx(-9.0), pytest.approx(2**0.5))
    width = student.isf(0.025, 1) * 0.01 / 0.91  # of the logarithm of 0.91, the mean of 0.90 and 0.92
    ends = (100 * (0.91 * math.exp(side * width) - 1) for side in (-1, 1))
    assert (found.found.interval.low, found.found.interval.high) == pytest.approx(tuple(ends), abs=0.2)
    assert found.whole
    assert cells.change(found) == "−9.00 ± 1.41 % (n=2)"


@pytest.mark.parametrize("loser", ["ours", "less"])
def test_a_seed_that_either_row_lacks_is_left_out_and_that_is_said(loser):
    found = change_of(Measures(lacking(loser)))
    assert found.found.by_seed == {0: pytest.approx(-10.0)}
    assert not found.whole
    assert cells.change(found) == "−10.00 % † (1 of 2)"


def test_a_change_against_a_seed_of_nothing_but_zeros_is_missing_too():
    zero = Replicate(seed=1, metrics={DICE: 0.0}, cases=tuple({**c, "dice": 0.0} for c in run(1, 0.5).cases))
    found = change_of(Measures(made(ROWS | {"ours": (ROWS["ours"][0], zero)})))
    assert (found.of.whole, found.other.whole, found.whole) == (True, True, False)


def test_only_tables_in_which_the_paper_prints_changes_have_them():
    dice = dataclasses.replace(PAPER, metric="dice", value=0.8, spread=None)
    measures = Measures(made(reported=(dice,)))
    assert measures.changes == {}
    texts = files(measures.results)
    assert "change" not in texts["table.md"].lower()
    assert "relative change" not in texts["table.tex"]
    assert not set(CHANGES) & set(texts["table.csv"].partition("\n")[0].split(","))
    assert "change" not in json.loads(texts["results.json"])["derived"]["table"][1]


def test_rows_without_one_of_the_papers_have_a_change_and_rows_compared_with_nothing_none():
    measures = Measures(made())
    assert set(measures.changes) == {("less", "task", DICE), ("more", "task", DICE)}
    assert cells.change(change_of(measures, "more")) == "+5.50 ± 0.71 % (n=2)"
    assert change_of(measures, "more").reported is None


def test_distances_have_no_relative_change():
    assert {metric for _, _, metric in Measures(made(metrics=(ASSD, DICE))).changes} == {DICE}


def test_a_reported_change_beside_a_cell_is_placed():
    assert Measures(made()).unplaced == ()
    away = dataclasses.replace(PAPER, row="ours")
    measures = Measures(made(reported=(PAPER, away)))
    assert measures.unplaced == (away,)  # it is compared with nothing
    assert unplaced(measures) == (
        "Reported, beside no cell: ours, task: change −8.22 ± 2.71 % (Table 4.1, p. 49).",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "−8.22 ± 2.71 %"),
        ({"spread_of": "seeds", "n": 3}, "−8.22 ± 2.71 % (3 seeds)"),
        ({"spread": None}, "−8.22 %"),
        ({"value": 1.5, "spread": None}, "+1.50 %"),
    ],
)
def test_a_reported_change_reads_as_the_paper_prints_it(changes, text):
    assert cells.printed(dataclasses.replace(PAPER, **changes)) == text


def judged(of: AblationResults):
    return Measures(of).verdicts.get(("less", "task", "test/dice_change"))


def test_a_reported_change_has_a_verdict():
    near = {"ours": (run(0, 0.8), run(1, 0.8), run(2, 0.8)), "less": (run(0, 0.73), run(1, 0.735), run(2, 0.738))}
    found = judged(made(near))
    assert (found.kind, found.margin) == ("agrees", 3.0)
    assert "3 seeds, the printed value taken as exact since the paper gives no spread" in found.reason


def test_the_studys_margin_is_of_dice_and_not_of_changes():
    assert judged(made(margin=0.2)).margin == 3.0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"columns": (column(phantom=True),)}, "synthetic"),
        ({"scale": "tiny"}, "reduced scale: tiny"),
        ({"columns": (column(selection="source"),)}, "another selection rule"),
        ({"columns": (column(layout="crossmoda2022"),)}, "another cohort"),
    ],
)
def test_changes_on_other_grounds_are_not_compared(changes, told):
    found = judged(made(**changes))
    assert found.kind == "not comparable"
    assert told in found.reason


def test_a_change_of_too_few_seeds_is_underpowered_and_missing_ones_are_noted():
    found = judged(lacking("ours"))
    assert found.kind == "underpowered"
    assert "1 of 2 planned seeds have no value" in found.notes


@pytest.mark.parametrize(("end", "kind"), [(WAITING, None), (LOST, "underpowered")])
def test_a_change_that_waits_is_not_judged_and_one_that_failed_is(end, kind):
    found = judged(made({"ours": (run(0, 0.8),), "less": (dataclasses.replace(end, seed=0),)}))
    assert (found.kind if found else None) == kind


def test_the_answer_counts_verdicts_on_changes():
    assert "Verdicts on 1 reported value: underpowered 1." in answer(Measures(made()))


def test_the_caption_tells_how_a_change_is_taken_its_margin_and_where_it_is_printed():
    dice = dataclasses.replace(PAPER, metric="dice", value=0.6, spread=None, where="Table 4.2")
    told = "\n".join(caption(Measures(made(reported=(PAPER, dice)))))
    assert "Change of Dice against the row compared with: under each seed, 100 · (mean over test cases" in told
    assert "Verdicts within a margin of 0.03 and 3 % points: " in told
    assert "Reported: P, Table 4.2, p. 49; P, Table 4.1, p. 49." in told


def frame_of(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text)).set_index("row")


def test_changes_go_through_the_csv_in_full(texts):
    frame = frame_of(texts["table.csv"])
    found, line = change_of(Measures(made())), frame.loc["less"]
    assert tuple(line[list(CHANGES[:4])]) == (
        found.seeds.mean, found.seeds.sd, found.found.interval.low, found.found.interval.high,
    )  # fmt: skip
    assert (line["reported_change"], line["reported_change_spread"]) == (-8.22, 2.71)
    assert line["change_verdict"] == "underpowered"
    assert "the reported −8.22 %" in line["change_verdict_reason"]
    assert pd.isna(line["survivors_change"])
    assert frame.loc["more", ["reported_change", "change_verdict"]].isna().all()
    assert frame.loc["ours", list(CHANGES)].isna().all()
    text = texts["table.csv"]
    assert pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=str).to_csv(index=False) == text


@pytest.mark.parametrize("loser", ["ours", "less"])
def test_no_change_in_the_csv_is_silently_one_over_survivors(loser):
    line = frame_of(files(lacking(loser))["table.csv"]).loc["less"]
    assert line[["change", "change_sd", "change_low", "change_high"]].isna().all()
    assert line["survivors_change"] == pytest.approx(-10.0)
    assert line["reported_change"] == -8.22


def test_results_json_has_changes_and_their_verdicts_and_can_be_read_again(texts):
    content = json.loads(texts["results.json"])
    assert from_json(AblationResults, content) == made()
    line = content["derived"]["table"][1]
    assert (line["row"], line["change"], line["reported_change"]) == ("less", pytest.approx(-9.0), -8.22)
    (verdict,) = content["derived"]["verdicts"]
    assert (verdict["cell"], verdict["kind"]) == (["less", "task", "test/dice_change"], "underpowered")


def test_markdown_has_measured_and_reported_changes(texts):
    text = texts["table.md"]
    (head,) = (line for line in text.splitlines() if "SD over cases |" in line)
    assert head.endswith("| Change | Reported change | Verdict on change |")
    (line,) = (line for line in text.splitlines() if line.startswith("| less | 0.0"))
    assert "| −9.00 ± 1.41 % (n=2) \\[−20.86, +4.64\\]" in line
    assert line.endswith("| −8.22 ± 2.71 % | underpowered |")
    assert "Verdict “underpowered” in “less” (task, relative change of Dice): neither" in text
    lost = files(lacking("ours"))["table.md"]
    assert "| −10.00 % † (1 of 2) |" in lost


def test_where_the_paper_prints_changes_alone_they_stand_in_its_table():
    """Beside a reported Dice they stay among the evidence."""
    first = main_row(made().rows[1], Measures(made()).blocks, Measures(made()))
    assert parts_of(Measures(made()).blocks[0], Measures(made())) == ("Measured", "Change", "Reported", "Verdict")
    assert first[0] == "less"
    assert first[2:4] == ["−9.00 ± 1.41 % (n=2)", "−8.22 ± 2.71 %"]
    assert main_row(made().rows[0], Measures(made()).blocks, Measures(made()))[2:] == ["–", "–", "–"]
    beside = Measures(made(reported=(PAPER, dataclasses.replace(PAPER, metric="dice", value=0.6, spread=0.1))))
    assert parts_of(beside.blocks[0], beside) == ("Measured", "Reported", "Verdict")


def test_latex_has_a_table_of_changes_with_verdicts_as_letters(texts):
    text = texts["table.tex"]
    assert r"2. less & 1 & $-$9.00 $\pm$ 1.41 \%\textsuperscript{u} & $-$8.22 $\pm$ 2.71 \% \\" in text
    assert r"3. more & 1 & +5.50 $\pm$ 0.71 \% & -- \\" in text
    assert r"\label{tab:made-up-change-1}" in text
    assert text.count(r"\begin{table}") == text.count(r"\bottomrule") == 3
    lost = files(lacking("less"))["table.tex"]
    assert r"2. less & 1 & $-$10.00 \% \dag{}\textsuperscript{u} & $-$8.22" in lost
    assert r" &  & \scriptsize 1 of 2 &  \\" in lost


def test_every_percent_sign_in_latex_is_escaped_but_that_of_the_comment(texts):
    lines = texts["table.tex"].splitlines()
    assert [line for line in lines if "%" in line.replace(r"\%", "")] == [r"% needs \usepackage{booktabs}"]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here")
def test_the_widest_table_of_changes_fits_a_page(tmp_path):
    long = {"ours": "M-GenSeg", "less": "No absence to presence translation", "more": "Unshared latent spaces"}
    rows = {long[row]: runs for row, runs in ROWS.items()}
    against = {long[row]: long["ours"] for row in ("less", "more")}
    of = results(rows, against=against, reported=(dataclasses.replace(PAPER, row=long["less"]),))
    text = files(of)["table.tex"]
    source = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "table.tex").write_text(source)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


@pytest.mark.parametrize("beside_dice", [False, True])
def test_the_page_shows_changes_with_a_badge_and_its_reason(beside_dice, tmp_path):
    dice = dataclasses.replace(PAPER, metric="dice", value=0.6, spread=None)
    measures = Measures(made(reported=(PAPER, dice) if beside_dice else (PAPER,)))
    written = page(measures.results, tmp_path)
    outline = Outline(written.replace(get_plotlyjs(), ""))
    assert outline.faults == []
    assert "−9.00 ± 1.41 % (n=2)" in outline.text
    assert "reported −8.22 ± 2.71 % underpowered" in outline.text
    assert "change underpowered: neither a difference from the reported −8.22 %" in outline.text
    badges = [a["title"] for name, a in outline.elements if name == "span" and "badge" in a.get("class", "")
              and "title" in a]  # fmt: skip
    assert measures.verdicts["less", "task", "test/dice_change"].reason in badges
    widths = {a["colspan"] for name, a in outline.elements if name == "td" and "colspan" in a}
    assert widths == {"7" if beside_dice else "6"}  # as many as the evidence has columns


@pytest.mark.parametrize("writer", ["markdown", "latex", "page"])
def test_while_nothing_is_measured_the_papers_change_stands_there(writer, tmp_path):
    waiting = (dataclasses.replace(WAITING, seed=0),)
    measures = Measures(made({"ours": waiting, "less": waiting}))
    names = {"markdown": "table.md", "latex": "table.tex"}
    shown = page(measures.results, tmp_path) if writer == "page" else files(measures.results)[names[writer]]
    text = Outline(shown.replace(get_plotlyjs(), "")).text if writer == "page" else shown
    assert {"latex": r"1 & -- & $-$8.22 $\pm$ 2.71 \%"}.get(writer, "−8.22 ± 2.71 %") in text
    assert measures.unplaced == ()
    assert measures.verdicts == {}
