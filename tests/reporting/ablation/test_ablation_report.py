import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from medsearch.core.errors import BadInput
from medsearch.reporting.report import rebuild, summary
from medsearch.reporting.results import AblationResults
from medsearch.reporting.storage import read_results
from medsearch.stages.store import Store
from medsearch.study.record.headers import AblationHeader
from medsearch.study.record.ledger import Ledger
from tests.reporting import made_up_ablation as made_up
from tests.reporting.written import contents
from tests.study.headers import written as header_of

FILES = {"index.html", "results.json", "table.csv", "cases.csv", "table.md", "table.tex"}
FIGURES = {f"figures/{name}.{kind}" for name in ("bars", "bars_assd") for kind in ("png", "svg")}
DATED = ("index.html", "results.json")


@pytest.fixture(scope="module")
def reported(written, tmp_path_factory):
    """A home whose made-up ablation has its report, and what the report's folder then holds; nobody changes it."""
    home = shutil.copytree(written, tmp_path_factory.mktemp("reported") / "home")
    folder = home / "studies" / "table"
    assert rebuild(folder, Store(home / "stages")) == folder / "report" / "index.html"
    return home, contents(folder / "report")


@pytest.fixture
def home(reported, tmp_path):
    """The study's folder, with its report, and its store, to be changed at will."""
    copy = shutil.copytree(reported[0], tmp_path / "home")
    return copy / "studies" / "table", Store(copy / "stages")


def test_an_ablations_report_is_these_files_and_the_same_again(home, reported):
    (folder, _), (_, first) = home, reported
    assert set(first) == FILES | FIGURES
    assert rebuild(*home) == folder / "report" / "index.html"
    again = contents(folder / "report")
    assert {name for name in first if first[name] != again[name]} <= set(DATED)  # these say when they were made
    assert read_results(AblationResults, folder / "report" / "results.json").rows[0].label == made_up.NO_TAMT


def test_figures_that_no_longer_apply_are_removed(home):
    folder, _ = home
    assert (folder / "report" / "figures" / "bars_assd.png").exists()
    ledger = Ledger(folder)
    ledger.write_header(replace(header_of(ledger, AblationHeader), metrics=("test/dice",)))
    rebuild(*home)
    assert not (folder / "report" / "figures" / "bars_assd.png").exists()
    assert (folder / "report" / "figures" / "bars.png").exists()


def test_a_study_that_has_just_begun_has_a_report(tmp_path):
    folder, store = tmp_path / "study", Store(tmp_path / "stages")
    made_up.Ledger(folder).write_header(made_up.header(cells=()))
    text = rebuild(folder, store).read_text()
    assert "No answer yet: 0 of 27 replicates were tested." in text
    assert "not yet" in text


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no study in"):
        rebuild(tmp_path / "nothing", Store(tmp_path / "stages"))


@pytest.fixture(scope="module")
def shown(written):
    return summary(written / "studies" / "table", Store(written / "stages"))


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_fits_a_log(shown, width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(shown)
    lines = console.export_text().splitlines()
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert "Failed: w/o TAMT w/o ST" in text
    assert "90 stage runs served 114" in text
    if width == 120:
        (line,) = (line for line in lines if line.strip().startswith("w/o TAMT w/o ST") and "0.817" in line)
        assert " ".join(line.split()).startswith("w/o TAMT w/o ST 0.781 ± 0.006 † (2 of 3) 0.817 ± 0.005 lower −0.087")


def test_reports_need_none_of_the_heavy_libraries(home):
    source = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from medsearch.reporting.report import rebuild, summary\n"
        "from medsearch.stages.store import Store\n"
        "imported = set(sys.modules)\n"
        f"folder, store = Path({str(home[0])!r}), Store(Path({str(home[1].root)!r}))\n"
        "rebuild(folder, store); summary(folder, store)\n"
        "print(json.dumps([sorted(imported), sorted(sys.modules)]))\n"
    )
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    imported, used = json.loads(run.stdout)
    assert not {"ray", "optuna", "mlflow", "torch", "monai"} & set(used)
    assert not {"matplotlib", "plotly", "rich", "scipy", "pandas", "jinja2"} & set(imported), "imported when it is used"
