"""Differing shares on a real Ray cluster with a pretended GPU; the stages themselves compute nowhere."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import StudyFailed
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.driver import Event
from medsearch.study.ray.cluster import Resources, cluster
from medsearch.study.ray.execution import ClusterOptions, SearchOutcome, run_search
from medsearch.study.record.ledger import Ledger
from tests.hungry import Balance
from tests.study import toy
from tests.study.feast import MAIN, STARTER, eaten, feast

pytestmark = pytest.mark.soak

AUTO = Resources(cpus_per_trial=0.5, gpus_per_trial=1.0, measured=True, device="cpu")


@pytest.fixture(scope="module", autouse=True)
def ray_cluster() -> Iterator[None]:
    with cluster(Resources(cpus=2, gpus=1), None):
        yield


def run(home: Path, resources: Resources = AUTO, *, events: list[Event] | None = None, **changes: Any) -> SearchOutcome:
    listener = (lambda event: None) if events is None else events.append
    cluster_options = ClusterOptions(resources=resources, listener=listener, meter=Balance())
    return run_search(feast(**changes), toy.study_environment(home), cluster_options)


def beside(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["began"] < other["ended"] and other["began"] < one["ended"])


def test_jobs_of_differing_shares_are_packed_onto_one_gpu(tmp_path: Path) -> None:
    events: list[Event] = []
    done = run(tmp_path, trials=5, knobs={"main.seconds": 1.0}, events=events)
    assert {record.state for record in done.runs.values()} == {"complete"}
    assert [event.run for event in events if event.kind == "started"].count("trial-0000") == 1, "it never ended between"
    lines = eaten(tmp_path)
    assert len(lines) == len({(line["key"], line["epoch"]) for line in lines}) == 24, "nothing is trained twice"
    shares = {line["share"] for line in lines}
    assert shares == {1.0, STARTER, MAIN}
    assert sum(line["share"] == 1.0 for line in lines) == 2, "one epoch of each configuration"
    pairs = [(one, other) for one, other in combinations(lines, 2) if beside(one, other)]
    assert pairs, "two runs at a time"
    assert all(one["share"] + other["share"] <= 1 for one, other in pairs)
    assert all(one["pid"] != other["pid"] for one, other in pairs)
    assert len({line["pid"] for line in lines}) < len({line["key"] for line in lines}), "workers are used again"
    assert len(list((tmp_path / "probes").glob("*.json"))) == 6


def test_out_of_memory_then_alone_then_infeasible(tmp_path: Path) -> None:
    fixed = Resources(cpus_per_trial=0.5, gpus_per_trial=0.25, device="cpu")
    done = run(tmp_path, fixed, trials=2, knobs={"main.base": 6_000})
    assert {record.state for record in done.runs.values()} == {"complete"}
    last = [line for line in eaten(tmp_path) if not line["out"]][-1]
    assert (last["share"], last["at_once"]) == (1.0, 8)

    fitting = (Variant("fitting", {"main.base": 0}),)
    with pytest.raises(StudyFailed, match="none of 2 trials came to its end; the last one: out of memory"):
        run(tmp_path, fixed, name="large", trials=2, knobs={"main.base": 20_000}, references=fitting)
    runs = Ledger(toy.study_environment(tmp_path).study("large")).runs()
    assert {(run.state, run.cause) for run in runs.values() if run.role == "trial"} == {("failed", "infeasible")}
    assert runs["reference-fitting-seed-0"].state == "complete"
