"""Searches on a real Ray cluster, one for all these tests."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.study import ASHA, Random, Variant
from medsearch.study.engine.driver import Event
from medsearch.study.engine.search_driver import StudyFailed
from medsearch.study.ray.cluster import Resources, cluster
from medsearch.study.ray.execution import ClusterOptions, SearchOutcome, run_search
from tests.study import toy
from tests.study.ray.drive import search

pytestmark = pytest.mark.slow

PLAIN = (Variant("Plain", {"segmentation.weights.a": 0.2}),)


@pytest.fixture(scope="module", autouse=True)
def ray_cluster() -> Iterator[None]:
    with cluster(Resources(cpus=2, gpus=1), None):
        yield


def run(
    home: Path, *, resources: Resources | None = None, events: list[Event] | None = None, **changes: Any
) -> SearchOutcome:
    listener = (lambda event: None) if events is None else events.append
    cluster_options = ClusterOptions(resources=resources or Resources(), listener=listener)
    return run_search(search(**changes), toy.study_environment(home), cluster_options)


def test_a_whole_search(tmp_path: Path) -> None:
    events: list[Event] = []
    began = time.monotonic()
    done = run(tmp_path, trials=8, events=events)
    seconds = time.monotonic() - began
    found = done.runs
    assert Counter(record.role for record in found.values()) == {
        "trial": 8,
        "prefix": 2,
        "reference": 2,
        "replicate": 4,
    }
    assert {record.state for record in found.values()} == {"complete"}
    values = {record.number: record.value or 0 for record in found.values() if record.role == "trial"}
    assert values[done.finalists[0]] == max(values.values()) > values[0] + 0.1
    assert {record.role for record in found.values() if "test" in dict(record.stages)} == {"replicate", "reference"}
    assert Counter(event.kind for event in events)["ended"] == len(found)
    assert any(event.kind == "epoch" and "validation/dice" in event.metrics for event in events)
    executed = Counter(execution["key"] for execution in toy.executions(tmp_path))
    assert set(executed.values()) == {1}
    workers = {execution["pid"] for execution in toy.executions(tmp_path)}
    assert len(workers) <= 3, "workers are used again"
    assert os.getpid() not in workers
    print(f"{len(found)} runs in {seconds:.1f} s")

    # Again: nothing is trained, and nothing is started, in a process of its own that never imports Ray.
    again = (
        "import sys; from pathlib import Path; from tests.study import toy; from tests.study.ray.drive import search; "
        "from medsearch.study.ray.execution import run_search; "
        f"done = run_search(search(trials=8), toy.study_environment(Path({str(tmp_path)!r}))); "
        "print(done.trained, done.finalists, 'ray' in sys.modules or 'optuna' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=False)
    assert answer.stdout.split("\n")[0] == f"False {done.finalists} False", answer.stderr

    # More trials: only they are trained, and what changes with them.
    grown = run(tmp_path, trials=10)
    assert grown.trained
    executed = Counter(execution["key"] for execution in toy.executions(tmp_path))
    assert set(executed.values()) == {1}
    assert sum(record.role == "trial" for record in grown.runs.values()) == 10


def test_failures_are_isolated_explained_and_not_repeated(tmp_path: Path) -> None:
    published = {"segmentation.weights.a": 1.0, "segmentation.weights.b": 0.95}
    changes: dict[str, Any] = {
        "published": published,
        "trials": 3,
        "finalists": 1,
        "references": (),
        "sampler": Random(),
    }
    done = run(tmp_path, toy={"segmentation.accident": "bug"}, **changes)
    failed = done.runs["trial-0000"]
    assert (failed.state, failed.cause, failed.reason) == ("failed", "error", "ValueError: a bug")
    started = [execution for execution in toy.executions(tmp_path) if execution["key"] == failed.stages[1][1]]
    assert len(started) == 1, "a bug is the same bug the second time"
    assert done.finalists
    assert done.runs["trial-0001"].state == "complete"


def test_a_worker_that_dies_is_replaced_and_goes_on(tmp_path: Path) -> None:
    published = {"segmentation.weights.a": 1.0, "segmentation.weights.b": 0.95}
    events: list[Event] = []
    done = run(
        tmp_path,
        toy={"segmentation.accident": "die once"},
        published=published,
        trials=2,
        finalists=0,
        references=(),
        seeds=(0,),
        events=events,
    )
    assert done.runs["trial-0000"].state == "complete"
    assert [event.run for event in events if event.kind == "retried"] == ["trial-0000"]
    key = done.runs["trial-0000"].stages[1][1]
    starts = [execution for execution in toy.executions(tmp_path) if execution["key"] == key]
    assert [execution["from"] for execution in starts] == [0, 1], "from its checkpoint, not from the start"
    assert len({execution["pid"] for execution in starts}) == 2


@pytest.mark.soak
def test_a_run_that_kills_its_worker_each_time_fails_alone(tmp_path: Path) -> None:
    published = {"segmentation.weights.a": 1.0, "segmentation.weights.b": 0.95}
    changes: dict[str, Any] = {"trials": 2, "finalists": 0, "references": (), "seeds": (0,), "sampler": Random()}
    done = run(tmp_path, toy={"segmentation.accident": "die"}, published=published, **changes)
    failed = done.runs["trial-0000"]
    assert (failed.state, failed.cause) == ("failed", "worker died")
    assert "tried again in vain" in str(failed.reason)
    assert done.runs["trial-0001"].state == "complete"
    tries = [execution for execution in toy.executions(tmp_path) if execution["key"] == failed.stages[1][1]]
    assert len(tries) == 3


@pytest.mark.soak
def test_a_run_that_takes_more_memory_than_it_may_fails_alone(tmp_path: Path) -> None:
    published = {"segmentation.weights.a": 1.0, "segmentation.weights.b": 0.95}
    changes: dict[str, Any] = {"trials": 2, "finalists": 0, "references": (), "seeds": (0,), "sampler": Random()}
    few = Resources(memory_per_trial=2_000_000_000)
    done = run(tmp_path, resources=few, toy={"segmentation.accident": "allocate"}, published=published, **changes)
    failed = done.runs["trial-0000"]
    assert (failed.state, failed.cause) == ("failed", "infeasible")
    said = r"out of memory: it had \d\.\d GB and may take 2\.0 GB of the machine's: Unable to allocate 2\.79 GiB.*--mem"
    assert re.match(said, str(failed.reason)), failed.reason
    started = [execution for execution in toy.executions(tmp_path) if execution["key"] == failed.stages[1][1]]
    assert len(started) == 1, "its worker lives, and it is not tried again"
    assert done.runs["trial-0001"].state == "complete"


def test_asha_cuts_trials_only_and_every_cut_is_on_record(tmp_path: Path) -> None:
    rule = ASHA(grace=2, reduction=2, because="the toy's curves do not cross")
    done = run(
        tmp_path,
        trials=8,
        finalists=1,
        sampler=Random(),
        scheduler=rule,
        toy={"segmentation.epochs": 8},
        references=(Variant("Bad", {"segmentation.weights.a": 0.1}),),
        seeds=(0, 1),
    )
    cut = [record for record in done.runs.values() if record.state == "cut"]
    assert cut
    assert {record.role for record in cut} == {"trial"}
    for record in cut:
        assert record.rung in (2, 4, 8)
        journal = toy.study_environment(tmp_path).store.journal(dict(record.stages)["segmentation"])
        assert [line["epoch"] for line in journal] == list(range(1, (record.rung or 0) + 1)), "it stopped there"
        assert record.value == journal[-1]["metrics"]["validation/dice"]
        left = (done.folder / "ray" / "tune" / record.run).glob("checkpoint_*")
        assert list(left), "Tune asked the worker to let go of the stage"
        assert record.reason == f"stopped by asha at epoch {record.rung} with {record.value:.4g}"
    others = [record for record in done.runs.values() if record.role in ("reference", "replicate", "prefix")]
    assert {record.state for record in others} == {"complete"}
    best = done.runs[f"trial-{done.finalists[0]:04d}"]
    assert all((best.value or 0) > (record.value or 0) for record in cut)


def test_a_trial_may_have_a_share_of_a_gpu(tmp_path: Path) -> None:
    half = Resources(cpus_per_trial=0.5, gpus_per_trial=0.5)
    assert half.runtime.device == "cuda"
    done = run(tmp_path, resources=half, trials=2, finalists=0, references=PLAIN, seeds=(0,))
    assert {record.state for record in done.runs.values()} == {"complete"}
    manifest = toy.study_environment(tmp_path).store.artifact(done.runs["trial-0001"].stages[1][1]).manifest
    assert manifest.runtime["device"] == "cuda"


def test_more_than_any_node_has_is_refused_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a trial asks for \{'CPU': 3.0\}"):
        run(tmp_path, resources=Resources(cpus_per_trial=3.0))


def test_a_study_fails_at_once_when_its_shared_stages_do(tmp_path: Path) -> None:  # last: it leaves a run behind
    began = time.monotonic()
    with pytest.raises(StudyFailed, match="toy translation diverged"):
        run(tmp_path, toy={"translation.breaks": True, "segmentation.seconds": 60.0})
    assert time.monotonic() - began < 45, "nothing else was waited for"
