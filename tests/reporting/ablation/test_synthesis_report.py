"""The report of a table without Dice: its words, units and digits, the paper's values, and no word of segmentation."""

import csv
from pathlib import Path

import pytest

from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.narrative import answer, caption
from medsearch.reporting.collect import collect_ablation
from medsearch.reporting.report import write_report
from tests.reporting.made_synthesis import tabled
from tests.study.synthesis import FORMS, FORTH

FOREIGN = ("Dice", "ASSD", "diseased", "target-supervised", "Share", "mask")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measures, Path]:
    folder, store = tabled(tmp_path_factory.mktemp("table"))
    results = collect_ablation(folder, store)
    write_report(results, folder / "report")
    return Measures(results), folder / "report"


def test_cells_have_the_digits_of_their_metric(written: tuple[Measures, Path]) -> None:
    text = (written[1] / "table.md").read_text()
    for part in ("0.0898 ± 0.0001 (n=2)", "16.14 ± 1.15 (10 cases)", "0.576 ± 0.065", "4.500 ± 0.000 (n=2)", "7.917"):
        assert part in text
    for heading in ("MSE", "PSNR (dB)", "SSIM", "MAE (HU)", "Training time (h)"):
        assert f"{FORTH}, {heading}" in text


def test_no_word_of_segmentation_is_anywhere(written: tuple[Measures, Path]) -> None:
    _, report = written
    page = (report / "index.html").read_text()
    page = page[page.index("<body") :].split("<script>")[0]
    for text in (page, (report / "table.md").read_text(), (report / "table.tex").read_text()):
        assert not [word for word in FOREIGN if word in text]


def test_the_caption_says_directions_conventions_and_margins(written: tuple[Measures, Path]) -> None:
    lines = "\n".join(caption(written[0]))
    assert "Less is better in MSE, MAE (HU) and training time (h)." in lines
    assert "one value per seed" in lines
    assert "Verdicts within a margin of 0.005, 0.02, 0.5 dB and 0.5 h" in lines
    assert all(f"{form}." in lines for form in FORMS.values())


def test_the_caption_says_what_the_given_images_score(written: tuple[Measures, Path]) -> None:
    lines = caption(written[0])
    told = [line for line in lines if "The given images, unchanged, come to" in line]
    assert len(told) == len(written[0].results.columns)
    assert told[0].startswith(f"{FORTH}: The given images, unchanged, come to MSE 0.0123 and SSIM 0.457: ")


def test_times_are_compared_with_the_papers_and_not_case_by_case(written: tuple[Measures, Path]) -> None:
    measures, report = written
    hours = [key for key in measures.comparisons if key[2] == "test/training_hours"]
    assert hours == []
    assert ("Wide", FORTH, "test/training_hours") in measures.verdicts
    lines = list(csv.DictReader((report / "table.csv").open()))
    (line,) = [of for of in lines if (of["row"], of["column"], of["metric"]) == ("Wide", FORTH, "test/training_hours")]
    assert (float(line["mean"]), line["reported"], line["effect"], line["sd_cases"]) == (4.5, "7.917", "", "")


def test_the_answer_is_in_the_first_metric(written: tuple[Measures, Path]) -> None:
    told = answer(written[0])
    assert "The same difference in MSE (less is better) under every seed and in every case" in told
    assert "“Wide” −0.0300 against “PBS”" in told
