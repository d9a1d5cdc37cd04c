"""Every shipped study: it loads at every scale, says what it costs, and plans without training anything."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from medsearch.core.reported import find
from medsearch.study import Ablation, Search, StagedSearch
from medsearch.study.plan import plan_ablation, plan_search, plan_staged
from tests.studies.shipped import FOLDER, shipped

STUDIES = sorted(FOLDER.glob("*.py"))
ABLATIONS = [file for file in STUDIES if isinstance(shipped(file.stem), Ablation)]
ALLOWED = (
    "medsearch.cli",
    "medsearch.study",
    "medsearch.methods",
    "medsearch.stages.method",
    "medsearch.cohorts.tasks",
    "medsearch.core.reported",
)


def loaded(file: Path) -> Search | StagedSearch | Ablation:
    study = shipped(file.stem)
    assert isinstance(study, Search | StagedSearch | Ablation)
    return study


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_it_plans_at_every_scale(file: Path, scale: str) -> None:
    study = loaded(file).at(scale)
    assert study.name == file.stem
    if isinstance(study, Search):
        assert plan_search(study).left > 0
    elif isinstance(study, StagedSearch):
        first, *others = plan_staged(study)
        assert first.plan is not None
        assert first.plan.left > 0
        assert all(one.waits for one in others)
    else:
        plan = plan_ablation(study)
        assert 0 < plan.distinct <= plan.asked
        assert plan.stored == 0


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_it_reads_as_a_question_and_says_what_it_costs(file: Path) -> None:
    text = file.read_text()
    doc = ast.get_docstring(ast.parse(text)) or ""
    for word in ("Selection", "Cost", f"python studies/{file.name}"):
        assert word in doc
    assert loaded(file).question.endswith("?")
    assert len(text.splitlines()) <= 110


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_it_imports_what_a_study_may(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.module.startswith(ALLOWED) or "." not in node.module, node.module


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_every_reported_cell_has_a_measured_one_or_another_s_method(file: Path) -> None:
    study = loaded(file)
    assert isinstance(study, Ablation)
    rows, columns = {row.label for row in study.rows}, set(study.tasks)
    others = {"ne2e", "Super-Poly", "MAI", "LaTIM", "AccSegNet", "AttENT", "% of TSMP"}
    for value in study.reported:
        assert value.row in rows | others, value
        assert value.column in columns | {"", "mean of 12 pairs"}, value


@pytest.mark.parametrize("file", [file for file in STUDIES if "_table_" in file.stem], ids=lambda file: file.stem)
def test_every_row_and_column_of_a_table_bears_the_label_that_the_paper_prints(file: Path) -> None:
    """A label that is spelled otherwise than in the paper would have no reported value, without a word."""
    study = loaded(file)
    assert isinstance(study, Ablation)
    rows, columns = ({getattr(value, name) for value in study.reported} for name in ("row", "column"))
    proposed = {row.against for row in study.variants if row.against}
    measured_only = proposed if {value.metric for value in study.reported} == {"change"} else set()
    assert {row.label for row in study.variants} - rows == measured_only
    assert set(study.tasks) <= columns


def test_table_5_5_has_a_reported_value_in_every_cell_of_the_paper() -> None:
    (file,) = (file for file in STUDIES if file.stem == "modatts_table_5_5")
    study = loaded(file)
    assert isinstance(study, Ablation)
    for row in study.variants:
        for column in study.tasks:
            assert find(study.reported, row=row.label, column=column, metric="dice") is not None


@pytest.mark.parametrize(("scale", "folds"), [("tiny", 1), ("small", 1), ("paper", 5)])
@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_as_many_segmentors_vote_on_crossmoda_as_in_the_paper_at_its_scale(file: Path, scale: str, folds: int) -> None:
    study = loaded(file).at(scale)
    assert isinstance(study, Ablation)
    for row, column in study.cells():
        ensemble = getattr(study.setup(row, column).recipe, "ensemble", None)
        if ensemble is None:  # no method whose segmentors vote
            continue
        votes = ensemble.folds
        assert votes == (folds if study.tasks[column].layout == "crossmoda2022" else 1), (row.label, column)


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_help_and_a_dry_run_load_nothing_heavy(file: Path, tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'ray', 'optuna', 'mlflow', 'monai', 'SimpleITK', 'matplotlib', 'pyarrow', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    for options in (["--help"], ["--dry-run", "--home", str(tmp_path)]):
        start = f"import sys; sys.argv = {[str(file), *options]!r}\n"
        subprocess.run([sys.executable, "-c", start + code], check=True, capture_output=True, cwd=tmp_path)
