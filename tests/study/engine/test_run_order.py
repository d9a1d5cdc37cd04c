"""The laws of the order of runs hold for every extent and every order of ends."""

import random

import hypothesis.strategies as st
from hypothesis import given, settings

from medsearch.study.engine.run_order import Extent, Progress, doomed, finalists, prefix, searched, to_run
from medsearch.study.record.ledger import PlannedRun

plans = st.builds(
    Extent,
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True).map(tuple),
    trials=st.integers(1, 6),
    finalists=st.integers(0, 3),
    references=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True).map(tuple),
    prefixed=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(plans, st.integers(1, 5), st.integers(0, 2**32), st.floats(0, 0.5))
def test_every_run_comes_once_in_an_order_that_can_be_kept(extent: Extent, slots: int, seed: int, risk: float) -> None:
    rng = random.Random(seed)
    ended: dict[PlannedRun, str] = {}
    running: list[PlannedRun] = []
    values: dict[int, float] = {}
    while True:
        ranking = sorted(values, key=lambda number: -values[number])
        progress = Progress(ended=ended, running=frozenset(running), ranking=ranking)  # type: ignore[arg-type]
        ready = list(to_run(extent, progress))
        if not running and not ready:
            break
        if ready and len(running) < slots:
            run = ready[0]
            assert run not in running
            assert run not in ended
            _require_order(extent, progress, run)
            running.append(run)
            continue
        assert running, "stuck: nothing runs, nothing may begin, and it is not finished"
        run = running.pop(rng.randrange(len(running)))
        failed = rng.random() < risk
        ended[run] = "failed" if failed else "cut" if run.role == "trial" and rng.random() < risk else "complete"
        if run.role == "trial" and ended[run] == "complete":
            values[run.number or 0] = rng.random()
    _require_whole(extent, ended, values)


def _require_order(extent: Extent, progress: Progress, run: PlannedRun) -> None:
    first = prefix(extent.seeds[0])
    if run.role == "trial":
        assert run.seed == extent.seeds[0]
        assert not extent.prefixed or progress.ended[first] == "complete"
    if run.role == "replicate":
        assert searched(extent, progress)
        assert run.number in progress.ranking[: extent.finalists]
    if run != first and extent.prefixed:
        assert first in progress.ended or first in progress.running, (
            "nothing is more urgent than what all trials wait for"
        )


def _require_whole(extent: Extent, ended: dict[PlannedRun, str], values: dict[int, float]) -> None:
    progress = Progress(ended=ended, ranking=sorted(values, key=lambda n: -values[n]))  # type: ignore[arg-type]
    if doomed(extent, progress):
        assert not any(run.role in ("trial", "replicate") for run in ended)
        return
    assert sum(run.role == "trial" for run in ended) == extent.trials
    assert sum(run.role == "reference" for run in ended) == len(extent.references) * len(extent.seeds)
    chosen = finalists(extent, progress)
    assert len(chosen) == min(extent.finalists, len(values))
    assert sum(run.role == "replicate" for run in ended) == len(chosen) * len(extent.seeds)
    prefixes = {run.seed for run in ended if run.role == "prefix"}
    assert prefixes == (set(extent.seeds if extent.finalists else extent.seeds[:1]) if extent.prefixed else set())


def test_a_free_slot_takes_references_while_the_prefix_is_trained() -> None:
    extent = Extent(seeds=(0, 1), trials=2, finalists=1, references=("a",))
    begun = Progress(running=frozenset({prefix(0)}))
    assert [run.role for run in to_run(extent, begun)] == ["reference", "reference", "prefix"]
    ready = Progress(ended={prefix(0): "complete"})
    assert [run.role for run in to_run(extent, ready)][:2] == ["trial", "trial"]
