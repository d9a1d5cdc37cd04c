import base64
import dataclasses
import json
import subprocess
import sys

import pytest

from medsearch.reporting.report import write_report
from medsearch.reporting.results import Picture, SearchResults
from medsearch.reporting.storage import read_results
from tests.reporting import made_up_search
from tests.reporting.written import contents

FIGURES = ("history", "parallel_coordinates", "importances", "learning_curves")


def test_a_report_is_these_files_and_the_same_again(tmp_path):
    made = made_up_search.finished()
    assert write_report(made, tmp_path / "report") == tmp_path / "report" / "index.html"
    first = contents(tmp_path / "report")
    figures = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    assert set(first) == {"index.html", "results.json", "table.csv", "knobs.csv", "table.md", "table.tex", *figures}
    assert read_results(SearchResults, tmp_path / "report" / "results.json") == made
    write_report(made, tmp_path / "report")
    assert contents(tmp_path / "report") == first


def test_figures_that_no_longer_apply_are_removed(tmp_path):
    write_report(made_up_search.finished(), tmp_path)
    write_report(made_up_search.half_done(), tmp_path)
    assert not (tmp_path / "figures" / "importances.png").exists()
    assert (tmp_path / "figures" / "history.png").exists()


def test_a_report_that_cannot_be_made_leaves_the_old_one(tmp_path):
    write_report(made_up_search.half_done(), tmp_path)
    before = contents(tmp_path)
    broken = dataclasses.replace(made_up_search.half_done(), importances={"knob": object()})
    with pytest.raises(TypeError):
        write_report(broken, tmp_path)
    assert contents(tmp_path) == before


def test_reports_need_none_of_the_heavy_libraries(tmp_path):
    source = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from medsearch.reporting.report import write_report\n"
        "from medsearch.reporting.results import SearchResults\n"
        "from medsearch.reporting.storage import read_results\n"
        "imported = set(sys.modules)\n"
        f"results = read_results(SearchResults, Path({str(tmp_path / 'results.json')!r}))\n"
        f"write_report(results, Path({str(tmp_path / 'new')!r}))\n"
        "print(json.dumps([sorted(imported), sorted(sys.modules)]))\n"
    )
    write_report(made_up_search.half_done(), tmp_path)
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    imported, used = json.loads(run.stdout)
    assert not {"ray", "optuna", "mlflow", "torch", "monai"} & set(used)
    assert not {"matplotlib", "plotly", "rich", "scipy", "jinja2"} & set(imported), (
        "drawing is imported when it is used"
    )


def test_pictures_are_found_from_a_report_folder_that_is_made_now(tmp_path):
    (tmp_path / "stages").mkdir()
    plain = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    (tmp_path / "stages" / "p.png").write_bytes(plain)
    picture = Picture(title="Translations", path="../../stages/p.png")
    results = dataclasses.replace(made_up_search.finished(), pictures=(picture,))
    page = write_report(results, tmp_path / "study" / "report").read_text()
    assert "data:image/png;base64" in page
