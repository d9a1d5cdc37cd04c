"""What data lack is found before the first stage trains, also when only the last one reads it."""

import json
from pathlib import Path

import pytest

from medsearch.cohorts.atomic_folder import record_contents
from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.cohorts.tasks import CrossModalityTask, split
from medsearch.cohorts.views import TaskView
from medsearch.core.errors import BadInput
from medsearch.study.ray.execution import run_ablation, run_search
from tests.study.ablations import ablation
from tests.study.ray.drive import search
from tests.study.toy import executions, study_environment


def lacking(folder: Path, subject: str, **facts: object) -> None:
    """Rewrite what the prepared arrays know of a subject."""
    path = folder / "cases.json"
    record = json.loads(path.read_text())
    next(case for case in record["cases"] if case["subject"] == subject).update(facts)
    path.write_text(json.dumps(record))
    record_contents(folder)


def test_a_study_stops_before_it_trains(tmp_path: Path) -> None:
    environment = study_environment(tmp_path)
    task = ablation().tasks["t1 to t2"]
    subject = split(task, environment.roster).validation_target[0]
    lacking(environment.prepared(task), subject, annotated=False)
    told = f"case {subject} has no mask, but the task needs it; add the file, or exclude the case"
    with pytest.raises(BadInput, match=told):
        run_ablation(ablation(), {"brats2020": environment})
    with pytest.raises(BadInput, match=told):
        run_search(search(trials=2), environment)
    assert executions(tmp_path) == []


def test_a_weak_label_stands_in_for_a_mask(tmp_path: Path) -> None:
    environment, task = study_environment(tmp_path), CrossModalityTask()
    subject = split(task, environment.roster).train_target[0]
    view = TaskView(PreparedVolumes(environment.prepared(task)), task, frozenset({"target.train.presence"}))
    view.require_served()
    lacking(environment.prepared(task), subject, annotated=False)
    view = TaskView(PreparedVolumes(environment.prepared(task)), task, view.reads)
    with pytest.raises(BadInput, match=f"case {subject} has neither a weak label nor a mask"):
        view.require_served()
    lacking(environment.prepared(task), subject, weak_label=[True, False])
    TaskView(PreparedVolumes(environment.prepared(task)), task, view.reads).require_served()


def test_unlabelled_training_cases_and_test_cases_need_no_mask(tmp_path: Path) -> None:
    environment, task = study_environment(tmp_path), CrossModalityTask(target_labels=0.0)
    drawn = split(task, environment.roster)
    for subject in (*drawn.train_target, *drawn.test_target):
        lacking(environment.prepared(task), subject, annotated=False)
    reads = frozenset({"target.train.masks", "target.test.masks"})
    TaskView(PreparedVolumes(environment.prepared(task)), task, reads).require_served()
