"""What a job gets, when it comes back, and who waits; without Ray, on pretended GPUs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.study.engine.ablation_driver import AblationDriver
from medsearch.study.engine.jobs import Job, RunResult, perform
from medsearch.study.engine.probes import Probes
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.plan import plan_search
from medsearch.study.ray.cluster import Resources
from medsearch.study.ray.cluster_capacity import ClusterCapacity
from medsearch.study.ray.execution import rungs_of
from medsearch.study.ray.packing import Packing
from medsearch.study.ray.searcher import JobSearcher
from medsearch.study.ray.worker import END, TrialPayload, end_of, request
from tests.hungry import Balance
from tests.study import toy
from tests.study.ablations import ablation, sweep_of
from tests.study.feast import MAIN, STARTER, eaten, feast
from tests.study.ray.drive import driver_of

AUTO = Resources(cpus_per_trial=1, gpus_per_trial=1.0, measured=True, device="cpu")
FIXED = Resources(cpus_per_trial=1, gpus_per_trial=0.25, device="cpu")


class Table:
    """Tune in small: hands out jobs, does them in this process when it is told to."""

    def __init__(self, driver: SearchDriver | AblationDriver, resources: Resources, *, gpus: float = 1.0) -> None:
        home = driver.ledger.folder.parents[1]
        node = {"CPU": 8.0, "GPU": gpus} if gpus else {"CPU": 8.0}
        packing = Packing(
            resources, capacity=ClusterCapacity(lambda: [node]), probes=Probes(home / "probes"), store=driver.store
        )
        first = driver.next()
        assert isinstance(first, Job)
        self.searcher = JobSearcher(driver, rungs_of(driver), packing=packing, first=first, meter=Balance())
        self.payloads: dict[str, TrialPayload] = {}
        self.count = 0

    def take(self) -> TrialPayload | None:
        """One more job, if there is one to take and room for it."""
        name = str(self.count)
        config = self.searcher.suggest(name)
        if not isinstance(config, dict):
            return None
        self.count += 1
        self.payloads[name] = config["payload"]
        return self.payloads[name]

    def finish(self) -> RunResult:
        """Do the oldest job that was taken."""
        name = next(iter(self.payloads))
        payload = self.payloads.pop(name)
        work = perform(payload.job, payload.store, runtime=payload.runtime, grant=payload.grant, meter=payload.meter)
        end = ended(work)
        flat: dict[str, Any] = {f"{END}/state": end.state, f"{END}/values": end.values, f"{END}/cause": end.cause}
        flat |= {f"{END}/reason": end.reason, f"{END}/requeue_reason": end.requeue_reason, f"{END}/trace": end.trace}
        flat |= {f"{END}/usage/{name}": value for name, value in (end.usage or {}).items()}
        assert end_of(flat) == end
        self.searcher.on_trial_complete(name, flat)
        return end

    def run(self, at_once: int = 1) -> list[tuple[str, float]]:
        """To the end; each hand-out as its run and its share."""
        told = []
        while True:
            while len(self.payloads) < at_once and (payload := self.take()) is not None:
                told.append((payload.job.run, payload.grant.gpus))
            if not self.payloads:
                assert self.searcher.suggest("last") == JobSearcher.FINISHED
                return told
            self.finish()


def ended(work: Iterator[Any]) -> RunResult:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def states(home: Path) -> dict[str, tuple[str, str | None]]:
    from medsearch.study.record.ledger import Ledger

    return {
        run.run: (run.state, run.cause) for run in Ledger(toy.study_environment(home).study("feast")).runs().values()
    }


def test_a_stage_is_measured_alone_for_an_epoch_then_packed(tmp_path: Path) -> None:
    told = Table(driver_of(feast(), tmp_path), AUTO).run()
    assert told == [
        ("prefix-0", 1.0),
        ("prefix-0", STARTER),
        ("trial-0000", 1.0),
        ("trial-0000", MAIN),
        ("trial-0001", MAIN),  # its kin was measured
        ("trial-0002", MAIN),
    ]
    lines = eaten(tmp_path)
    assert [(line["epoch"], line["share"]) for line in lines[:4]] == [(1, 1.0), (2, 0.25), (3, 0.25), (4, 0.25)]
    assert [(line["epoch"], line["share"]) for line in lines[4:8]] == [(1, 1.0), (2, 0.5), (3, 0.5), (4, 0.5)]
    assert len(lines) == 16, "nothing is trained twice"
    assert set(states(tmp_path).values()) == {("complete", None)}


def test_a_probe_outlives_the_study(tmp_path: Path) -> None:
    Table(driver_of(feast(trials=1), tmp_path), AUTO).run()
    probes = list(Probes(tmp_path / "probes"))
    assert [(probe.usage.device, probe.usage.peak >> 20, probe.share) for probe in probes] in (
        [("pretended", 2800, STARTER), ("pretended", 6400, MAIN)],
        [("pretended", 6400, MAIN), ("pretended", 2800, STARTER)],
    )
    again = feast(name="feast_again", seeds=(5,), trials=2)
    assert Table(driver_of(again, tmp_path), AUTO).run() == [
        ("prefix-5", STARTER),
        ("trial-0000", MAIN),
        ("trial-0001", MAIN),
    ]


def test_a_job_of_several_stages_comes_back_where_the_next_one_needs_more(tmp_path: Path) -> None:
    reference = feast(trials=1, references=(one_row(),), seeds=(0, 1))
    told = Table(driver_of(reference, tmp_path), AUTO).run()
    shares = [share for run, share in told if run == "reference-as-it-is-seed-1"]
    assert shares == [STARTER, MAIN], "the test needs less than the stage before it, and stays with it"
    first = [share for run, share in told if run == "reference-as-it-is-seed-0"]
    assert first == [MAIN, 1.0], "a test is measured, too, over all of its one pass"
    lines = eaten(tmp_path)
    assert len(lines) == len({(line["key"], line["epoch"]) for line in lines}), "which is not made twice"


def one_row() -> Any:
    from medsearch.study.declare.variants import Variant

    return Variant("as it is", {"main.weight": 0.5})


def test_who_needs_a_whole_gpu_waits_for_it_and_is_not_overtaken(tmp_path: Path) -> None:
    """Trials of another batch are no kin: each is measured alone."""
    Table(driver_of(feast(trials=1), tmp_path), AUTO).run()
    other = feast(name="other", trials=3, fixed={"main.epochs": 2}, knobs={"starter.epochs": 4})
    table = Table(driver_of(other, tmp_path), AUTO)
    first = table.take()
    assert (first.job.run, first.grant.gpus) == ("trial-0000", 1.0), "the starter is stored; main is another"
    assert table.take() is None
    assert table.finish().requeue_reason == "packed"
    assert [table.take().grant.gpus for _ in range(2)] == [MAIN, MAIN]
    assert table.take() is None, "the GPU is full"
    table.finish()
    assert table.take().job.run == "trial-0002"


def test_a_large_share_is_not_starved_by_small_ones(tmp_path: Path) -> None:
    table = Table(driver_of(feast(trials=3), tmp_path), AUTO)
    for _ in range(3):  # the starter, and the first trial's probe
        assert table.take() is not None
        table.finish()
    small = table.take()
    assert small.grant.gpus == MAIN
    table.searcher.packing.probes.folder.rename(tmp_path / "lost")
    assert table.take() is None, "trial 1 now wants a whole GPU, of which half is taken"
    waiting = table.searcher._waiting[0].run
    assert (waiting, table.take()) == ("trial-0001", None)
    table.finish()
    assert table.take().job.run == waiting


def test_out_of_memory_on_a_share_means_a_gpu_of_its_own(tmp_path: Path) -> None:
    large = feast(knobs={"main.base": 6_000}, trials=2)
    told = Table(driver_of(large, tmp_path), FIXED).run()
    assert told == [
        ("prefix-0", 0.25),
        ("trial-0000", 0.25),
        ("trial-0000", 1.0),
        ("trial-0001", 0.25),
        ("trial-0001", 1.0),
    ]
    tries = [(line["at_once"], line["share"]) for line in eaten(tmp_path) if line["out"]]
    assert tries == [(8, 0.25), (4, 0.25), (2, 0.25), (1, 0.25)] * 2
    assert set(states(tmp_path).values()) == {("complete", None)}
    key = driver_of(large, tmp_path).ledger.runs()["trial-0001"].stages[1][1]
    memory = toy.study_environment(tmp_path).store.artifact(key).manifest.memory
    assert (memory.micro_batch, len(memory.halvings)) == (8, 3), "alone it starts at the top again"


DECEIVING = {"main.sample": 350, "main.later": 6_000}
"""The first epoch, which is measured, takes less than the third."""


def test_where_a_probe_deceived_the_run_ends_up_alone_and_its_kin_are_spared(tmp_path: Path) -> None:
    told = Table(driver_of(feast(knobs=DECEIVING, trials=2), tmp_path), AUTO).run()
    shares = [(run, share) for run, share in told if run != "prefix-0"]
    assert shares == [("trial-0000", 1.0), ("trial-0000", 0.25), ("trial-0000", 1.0), ("trial-0001", 1.0)]
    lines = [(line["epoch"], line["share"]) for line in eaten(tmp_path)[4:] if not line["out"]]
    assert lines == [(1, 1.0), (2, 0.25), (3, 1.0), (4, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]


def test_a_killed_driver_remembers_who_needs_a_gpu_alone(tmp_path: Path) -> None:
    what = feast(knobs=DECEIVING, trials=1)
    table = Table(driver_of(what, tmp_path), AUTO)
    shares = []
    for _ in range(4):  # the starter twice, then the trial's probe, then its share
        shares.append(table.take().grant.gpus)
        table.finish()
    assert shares == [1.0, 0.25, 1.0, 0.25]
    assert Table(driver_of(what, tmp_path), AUTO).take().grant.gpus == 1.0


def test_infeasible_is_told_once_and_to_the_sampler(tmp_path: Path) -> None:
    huge = feast(knobs={"main.base": 20_000}, trials=2)
    driver = driver_of(huge, tmp_path)
    told = Table(driver, FIXED).run()
    assert [share for _, share in told] == [0.25, 0.25, 1.0, 0.25, 1.0]
    assert states(tmp_path)["trial-0001"] == ("failed", "infeasible")
    reason = driver.ledger.runs()["trial-0001"].reason
    assert "CUDA out of memory. Tried to allocate 20800 MiB; no smaller micro-batch" in str(reason)
    trials = driver.proposals.study.trials
    assert [trial.constraints for trial in trials] == [{"memory": 1.0}] * 2
    trace = tmp_path / "studies" / "feast" / "failures" / "trial-0001.txt"
    assert "Traceback" in trace.read_text()


def test_a_run_with_a_whole_gpu_has_no_second_try(tmp_path: Path) -> None:
    whole = Resources(gpus_per_trial=1.0, device="cpu")
    told = Table(driver_of(feast(knobs={"main.base": 20_000}, trials=1), tmp_path), whole).run()
    assert told == [("prefix-0", 1.0), ("trial-0000", 1.0)]
    assert states(tmp_path)["trial-0000"] == ("failed", "infeasible")


def test_without_a_gpu_auto_is_no_gpu_and_nothing_is_measured(tmp_path: Path) -> None:
    table = Table(driver_of(feast(trials=1), tmp_path), AUTO, gpus=0)
    payload = table.take()
    assert (payload.share, payload.grant.gpus, payload.runtime.share) == ({"CPU": 1}, 0.0, 1.0)
    table.finish()
    table.run()
    assert not (tmp_path / "probes").exists()
    assert len(eaten(tmp_path)) == 8


def test_an_ablation_is_packed_alike_and_trains_nothing_twice(tmp_path: Path) -> None:
    """Thirty-six stage runs; kinds of stage that differ in more than weights are five, and each is measured once."""
    told = Table(sweep_of(ablation(), tmp_path), AUTO).run(at_once=8)
    assert sum(share == 1.0 for _, share in told) == 5
    assert {share for _, share in told} == {1.0, 0.125}
    starts = [(line["key"], line["from"]) for line in toy.executions(tmp_path)]
    assert len(starts) == len(set(starts)) == 36, "the toy's stages are single passes"
    assert sweep_of(ablation(), tmp_path).next() == "finished"


def test_a_plan_knows_the_time_of_a_stage_that_was_only_measured(tmp_path: Path) -> None:
    def hours() -> dict[str, float | None]:
        return {row.stage: row.hours for row in plan_search(feast(trials=1), toy.study_environment(tmp_path)).rows}

    assert hours() == {"starter": None, "main": None}
    table = Table(driver_of(feast(trials=1, knobs={"starter.seconds": 0.1}), tmp_path), AUTO)
    table.take()
    before = time.monotonic()
    table.finish()
    known = hours()
    assert 4 * 0.1 * 0.9 <= (known["starter"] or 0) * 3600 <= 4 * (time.monotonic() - before)
    assert known["main"] == known["starter"], "the same stage: likeness decides among those that are known"


def test_room_that_no_node_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="which no node of the cluster has"):
        Table(driver_of(feast(trials=1), tmp_path), FIXED, gpus=0)


def test_ray_is_asked_for_each_job_s_own_share(tmp_path: Path) -> None:
    table = Table(driver_of(feast(trials=1), tmp_path), AUTO)
    first = table.take()
    table.finish()
    second = table.take()
    asked = [request({"payload": payload}) for payload in (first, second)]
    assert [factory.required_resources for factory in asked] == [{"CPU": 1, "GPU": 1.0}, {"CPU": 1, "GPU": 0.25}]
    assert asked[0] != asked[1]
    assert asked[1] == request({"payload": second})
