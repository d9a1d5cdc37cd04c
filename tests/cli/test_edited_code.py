"""A study of a method of one's own by the real command line, whose code is edited between two runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medsearch.core.repository import SHOWN
from tests.study.edited import Package, written

STUDY = """
from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.study import FullLength, Random, Search, uniform
from own.method import OWN

STUDY = Search(
    name="edited",
    question="Which weight makes the toy best?",
    method=OWN,
    task=CrossModalityTask(),
    space={"segmentation.weights.b": uniform(0, 1)},
    selection="oracle",
    sampler=Random(),
    scheduler=FullLength(because="a toy"),
    trials=2,
    finalists=1,
    seeds=(0,),
)
run(STUDY)
"""


def called(package: Package, *options: str) -> str:
    """What the study says, run from its folder as a process of its own."""
    folder = package.folder.parent
    around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "COLUMNS": "200"}
    command = [sys.executable, "study.py", "--home", "runs", *options]
    found = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


def tags(home: Path) -> dict[str, str]:
    """The commit that MLflow shows of each run: of its segmentation, where its stages lie in several repositories."""
    from mlflow.entities import ViewType
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "edited"]
    runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ACTIVE_ONLY)
    named = [run.data.tags["medsearch.run"].rpartition("/")[2] for run in runs]
    assert len(set(named)) == len(named), "no run is there twice"
    shown = [{name: run.data.tags.get(name, "") for name in ("commit.segmentation", "commit")} for run in runs]
    return {name: next(filter(None, of.values()), "") for name, of in zip(named, shown, strict=True)}


@pytest.mark.soak
def test_plan_page_and_mlflow_say_whose_code_the_numbers_are_of(tmp_path: Path) -> None:
    package, home = written(tmp_path / "own"), tmp_path / "runs"
    (tmp_path / "study.py").write_text(STUDY)
    first = package.commit()[:SHOWN]
    assert "code changed" not in called(package)
    package.edit("shift.py", "by=0.0", "by=-0.5")
    second = package.commit()[:SHOWN]

    planned = called(package, "--dry-run")
    assert "0 stage runs to train" in planned
    changed = f"code changed: own-segmentation: 2 trained by commit {first}, which has changed since (own.shift)"
    assert f"{changed}; now commit {second}" in planned
    assert "code changed" not in called(package, "--dry-run", "--recompute", "never")
    assert "5 stage runs to train" in called(package, "--dry-run", "--recompute", "changed")

    assert changed in called(package, "--trials", "3")
    page = (home / "studies" / "edited" / "report" / "index.html").read_text()
    assert first in page
    assert second in page
    commits = tags(home)
    assert (commits["trial-0000"], commits["trial-0001"], commits["trial-0002"]) == (first, first, second)

    assert "they are trained anew" in called(package, "--trials", "3", "--recompute", "changed")
    commits = tags(home)
    assert {commits[f"trial-{number:04d}"] for number in range(3)} == {second}
    assert commits["prefix-0"] not in (first, second), "toy-translation lies in another repository"
    assert "code changed" not in called(package, "--dry-run", "--trials", "3")
