import csv
import dataclasses
import io
import json
import shutil
import subprocess
from functools import cache

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from medsearch.core.records import read_record, write_sealed
from medsearch.core.reported import Reported
from medsearch.core.spreadsheets import read_csv
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.collect import collect_ablation
from medsearch.reporting.results import AblationResults, Replicate
from medsearch.reporting.storage import from_json
from medsearch.stages.store import Store
from tests.reporting import made_up_ablation as made_up
from tests.reporting.ablation.ablation_results import column, results, run
from tests.reporting.made_up_ablation import BRATS, CROSSMODA, NO_ST, NO_TAMT, PROPOSED, SPARSE, SUPERVISED
from tests.reporting.written import files
from tests.study.headers import put

HOSTILE = "<script>alert(1)</script> | 50% & $x_1$ #~^\\{} [b] `c` *it* ±†λ→≥α “q” é Œ 中\nnext"


@cache
def hostile() -> Measures:
    failed = Replicate(seed=1, state="failed", reason=HOSTILE, cause=HOSTILE)
    paper = Reported(
        paper=HOSTILE, where=HOSTILE, page=1, row=HOSTILE, column=HOSTILE, metric="dice", value=0.5, note=HOSTILE,
        assumed=HOSTILE, contradiction=HOSTILE,
    )  # fmt: skip
    made = results(
        {HOSTILE: (run(0, 0.5), failed), "b": (run(0, 0.6), run(1, 0.7))}, columns=(column(HOSTILE),),
        against={HOSTILE: "b"}, reported=(paper, dataclasses.replace(paper, row="?")), supervised="b",
        fixed={HOSTILE: HOSTILE}, within={HOSTILE: {"k": HOSTILE}},
    )  # fmt: skip
    return Measures(dataclasses.replace(made, design=dataclasses.replace(made.design, question=HOSTILE)))


@pytest.fixture(scope="session")
def measures(results):
    return Measures(results)


@pytest.fixture(scope="session")
def frame(texts):
    return pd.read_csv(io.StringIO(texts["table.csv"])).set_index(["row", "column", "metric"])


def test_the_csv_goes_through_pandas_and_back(texts):
    text = texts["table.csv"]
    read = pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=str)
    assert read.to_csv(index=False) == text


def test_numbers_survive_pandas_in_full(frame, measures):
    for of in measures:
        line = frame.loc[of.key]
        assert line["sd_cases"] == of.cases.sd
        if of.whole:
            assert line["mean"] == of.seeds.mean
    assert len(frame) == len(measures.all) == 18


FORMULAS = {"row": "=HYPERLINK(A1)", "against": "-2+3", "column": "@SUM(1)", "subject": "+1", "reason": "\t=1"}


def test_no_label_subject_or_reason_is_a_formula_in_any_csv_and_all_come_back():
    ours = dataclasses.replace(run(0, 0.5), cases=({"subject": FORMULAS["subject"], "dice": 0.5},))
    failed = Replicate(seed=1, state="failed", reason=FORMULAS["reason"])
    paper = Reported(
        paper="=A", where="T", page=1, row=FORMULAS["row"], column=FORMULAS["column"], metric="dice", value=-0.5,
        contradiction="-1 elsewhere",
    )  # fmt: skip
    made = results(
        {FORMULAS["row"]: (ours, failed), FORMULAS["against"]: (run(0, 0.6), run(1, 0.7))},
        columns=(column(FORMULAS["column"]),), against={FORMULAS["row"]: FORMULAS["against"]}, reported=(paper,),
    )  # fmt: skip
    sheets = {name: text for name, text in files(made).items() if name.endswith(".csv")}
    assert set(sheets) == {"table.csv", "cases.csv"}
    numbers = 0
    for text in sheets.values():
        for line in csv.reader(io.StringIO(text)):
            for cell in line:
                if cell[:1] in set("=+-@\t\r"):
                    assert float(cell) < 0
                    numbers += 1
    assert numbers
    first, second = read_csv(sheets["table.csv"])
    named = (first["row"], first["column"], first["against"], second["row"])
    assert named == (FORMULAS["row"], FORMULAS["column"], FORMULAS["against"], FORMULAS["against"])
    assert (first["reported"], first["contradiction"]) == ("-0.5", "-1 elsewhere")
    assert read_csv(sheets["cases.csv"])[0]["subject"] == FORMULAS["subject"]


def test_a_row_that_lacks_seeds_has_no_mean_in_the_csv(frame):
    line = frame.loc[NO_TAMT, BRATS, "test/dice"]
    assert pd.isna(line["mean"])
    assert pd.isna(line["sd_seeds"])
    assert line["survivors_mean"] == pytest.approx(0.781, abs=1e-3)
    assert (line["seeds"], line["planned"], line["failed"], line["waiting"]) == (2, 3, 1, 0)
    assert frame.loc[SPARSE, CROSSMODA, "test/dice"]["waiting"] == 1
    whole = frame.loc[PROPOSED, BRATS, "test/dice"]
    assert pd.isna(whole["survivors_mean"])


def test_the_csv_has_reported_values_verdicts_and_comparisons(frame):
    line = frame.loc[NO_ST, BRATS, "test/dice"]
    assert (line["reported"], line["reported_spread"], line["reported_spread_of"]) == (0.844, 0.001, "seeds")
    assert (line["verdict"], line["against"], line["cohort"]) == ("agrees", PROPOSED, "brats2020")
    assert line["effect_low"] < line["effect"] < 0 < line["effect_high"]
    assert 0.05 < line["p"] <= line["p_holm"]  # three seeds that differ, ...
    assert line["wilcoxon_p"] <= line["wilcoxon_p_holm"] < 0.05  # ... whose cases agree
    assert line["share_low"] < line["share"] < line["share_high"]
    assert frame.loc[PROPOSED, BRATS, "test/dice"]["reported_share"] == 0.98
    assert frame.loc[SUPERVISED, BRATS, "test/dice"]["share"] == 1.0


def line_of(measures, row):
    frame = pd.read_csv(io.StringIO(files(measures.results)["table.csv"])).set_index(["row"])
    return frame.loc[row]


@pytest.mark.parametrize("loser", ["ours", "best"])
def test_no_share_and_no_comparison_in_the_csv_is_silently_one_over_survivors(loser):
    lost = Replicate(seed=1, state="failed", reason="loss = nan", cause="diverged")
    rows = {"ours": (run(0, 0.6), run(1, 0.6)), "best": (run(0, 0.8, bend=0.01), run(1, 0.8, bend=0.01))}
    made = {"supervised": "best", "against": {"ours": "best"}}
    whole = line_of(Measures(results(rows, **made)), "ours")
    assert (whole["share"], whole["compared_seeds"]) == (pytest.approx(0.75, abs=0.02), 2)
    assert pd.isna(whole["survivors_share"])
    line = line_of(Measures(results(rows | {loser: (rows[loser][0], lost)}, **made)), "ours")
    assert line[["share", "share_low", "share_high"]].isna().all()
    assert (line["survivors_share"], line["compared_seeds"]) == (pytest.approx(0.75, abs=0.02), 1)


def test_every_case_of_every_finished_seed_is_a_line(texts):
    read = pd.read_csv(io.StringIO(texts["cases.csv"]))
    mine = read[(read["row"] == PROPOSED) & (read["column"] == BRATS) & (read["metric"] == "test/dice")]
    assert len(mine) == 3 * 12
    one = mine[mine["seed"] == 1].set_index("subject")["value"]
    assert one.to_dict() == {case["subject"]: case["dice"] for case in made_up.scores(made_up.ROWS[2], BRATS, 1)}
    failed = read[(read["row"] == NO_TAMT) & (read["column"] == BRATS)]
    assert set(failed["seed"]) == {0, 2}
    assert read["value"].isna().sum() == 24  # one undefined distance for each of 24 tested replicates


def test_tables_know_nothing_of_time_place_or_order(texts, tmp_path):
    """Stages stored in another order, elsewhere, later, slower and over two starts of the study give the same bytes."""
    folder, store = tmp_path / "elsewhere" / "study", Store(tmp_path / "elsewhere" / "stages")
    content = made_up.header(begun=99.0, commit="another")
    made_up.write(folder, store, of=dataclasses.replace(content, cells=content.cells[::-1]))
    for key in [path.parent.name for path in store.root.glob("*/manifest.json")]:
        path = store.folder(key) / "manifest.json"
        write_sealed(path, {**read_record(path), "seconds": 1e6, "finished": 9.0})
    (store.root / ".index.jsonl").unlink(missing_ok=True)
    put(folder, content)
    other = files(collect_ablation(folder, store))
    assert {name: text for name, text in texts.items() if name != "results.json"} == {
        name: text for name, text in other.items() if name != "results.json"
    }


def test_markdown_has_a_line_for_each_row_with_measured_beside_reported(texts):
    text = texts["table.md"]
    (line,) = (one for one in text.splitlines() if one.startswith(f"| {NO_ST} | 0.8"))
    assert line.split(" | ")[1:4] == ["0.839 ± 0.013 (n=3)", "0.844 ± 0.001 (3 seeds)", "agrees"]
    assert "| w/o TAMT w/o ST | 0.781 ± 0.006 † (2 of 3, seed 1 diverged) | 0.817 ± 0.005 (3 seeds) | lower |" in text
    assert "| 0.538 † (1 of 3 so far, seed 0 out of memory) | – | – |" in text
    assert "| not asked |" in text


def cells_of(line: str) -> int:
    return line.replace("\\\\", "").replace("\\|", "").count("|")


def test_markdown_tables_are_whole_whatever_the_labels():
    text = files(hostile().results)["table.md"]
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 2
    for block in blocks:
        assert len({cells_of(line) for line in block}) == 1
    assert "<script" not in text


def test_markdown_renders_as_tables_and_text(texts):
    page = MarkdownIt().enable("table").parse(texts["table.md"])
    tables, rows = (sum(token.type == kind for token in page) for kind in ("table_open", "tr_open"))
    assert tables == 1 + 4  # the paper's, and what each of its four blocks stands on
    assert rows == (1 + 5) + 2 * (1 + 5) + 2 * (1 + 4)
    text = "".join(token.content for token in page if token.type == "inline")
    assert "> " not in text
    assert "0.781 ± 0.006 † (2 of 3, seed 1 diverged)" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here")
@pytest.mark.parametrize("made", ["made up", "hostile", "twelve columns"])
def test_latex_compiles(made, measures, tmp_path):
    wide = results({"a": (run(0, 0.5), run(1, 0.6))}, columns=tuple(column(f"T{i} → T{i + 1}") for i in range(12)))
    of = {"made up": measures, "hostile": hostile(), "twelve columns": Measures(wide)}[made]
    tables = files(of.results)["table.tex"]
    source = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{tables}\end{{document}}"
    (tmp_path / "table.tex").write_text(source)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table.pdf").stat().st_size > 10_000
    assert "Missing character" not in done.stdout


def test_latex_shows_verdicts_as_letters_and_missing_seeds_on_lines_of_their_own(texts):
    text = texts["table.tex"]
    assert r"w/o ST & 0.839 $\pm$ 0.013\textsuperscript{a} & 0.844 $\pm$ 0.001 &" in text
    assert r"w/o TAMT w/o ST & 0.781 $\pm$ 0.006 \dag{}\textsuperscript{l} & 0.817 $\pm$ 0.005 &" in text
    assert r"\scriptsize seed 1 diverged" in text
    assert "Verdicts: a agrees, l lower, h higher, u underpowered, n not comparable." in text
    assert text.count(r"\begin{table}") == text.count(r"\bottomrule") == 6


def test_latex_says_over_how_many_cases_a_spread_is():
    rows = {"a": (run(0, 0.5), run(1, 0.6)), "b": (run(0, 0.5), run(1, 0.6))}
    assert "SD over 8 test cases, paired" in files(results(rows))["table.tex"]
    lacking = [dataclasses.replace(one, cases=one.cases[:6]) for one in rows["b"]]
    text = files(results(rows | {"b": tuple(lacking)}))["table.tex"]
    assert "SD over test cases, paired" in text
    assert "(8 cases)" in text
    assert "(6 cases)" in text


def test_why_a_verdict_is_what_it_is_stands_in_markdown_and_latex(texts, measures):
    markdown, tex = texts["table.md"], texts["table.tex"]
    assert f"- Verdict “agrees” in “{NO_ST}” ({BRATS}, Dice): within ±0.03 of the reported 0.844 (p = " in markdown
    assert "1 of 3 planned seeds have no value" in markdown
    assert r"Verdict ``agrees'' in ``w/o ST'' (BraTS : T1 $\rightarrow$ T2, Dice): within" in tex
    assert "1 of 3 planned seeds have no value" in tex
    assert all(verdict.reason.partition(" (p")[0] in markdown for verdict in measures.verdicts.values())


def test_a_reason_of_all_verdicts_is_said_once():
    paper = Reported(paper="P", where="T", page=1, row="", column="task", metric="dice", value=0.5)
    made = results(
        {row: (run(0, 0.5), run(1, 0.6)) for row in "abc"}, columns=(column(phantom=True),),
        reported=tuple(dataclasses.replace(paper, row=row) for row in "abc"),
    )  # fmt: skip
    told = "Verdict “not comparable” in all 3 cells beside a reported value: the subjects are synthetic"
    assert files(made)["table.md"].count(told) == files(made)["table.md"].count("- Verdict “") == 1


def test_results_can_be_read_again(results, texts, measures):
    content = json.loads(texts["results.json"])
    assert from_json(AblationResults, content) == results
    derived = content["derived"]
    assert [line["row"] for line in derived["table"]] == [of.row.label for of in measures]
    assert derived["spent"]["distinct"] == sum(run.state == "complete" for run in results.runs)
    assert derived["shared"][0]["nodes"] == ["translation", "synthesis"]


def test_a_csv_of_hostile_labels_has_the_same_labels_again():
    (line, _) = csv.DictReader(io.StringIO(files(hostile().results)["table.csv"]))
    assert (line["row"], line["column"], line["against"]) == (HOSTILE, HOSTILE, "b")
