"""The agenda's laws hold for every plan and every order of ends."""

import random

import hypothesis.strategies as st
from hypothesis import given, settings

from medsearch.study.engine.run_order import (
    Plan,
    Progress,
    RunId,
    doomed,
    finalists,
    finished,
    prefix,
    searched,
    wanted,
)

plans = st.builds(
    Plan,
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True).map(tuple),
    trials=st.integers(1, 6),
    finalists=st.integers(0, 3),
    references=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True).map(tuple),
    prefixed=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(plans, st.integers(1, 5), st.integers(0, 2**32), st.floats(0, 0.5))
def test_every_run_comes_once_in_an_order_that_can_be_kept(plan: Plan, slots: int, seed: int, risk: float) -> None:
    rng = random.Random(seed)
    ended: dict[RunId, str] = {}
    running: list[RunId] = []
    values: dict[int, float] = {}
    while True:
        ranking = sorted(values, key=lambda number: -values[number])
        progress = Progress(ended=ended, running=frozenset(running), ranking=ranking)  # type: ignore[arg-type]
        ready = wanted(plan, progress)
        if finished(plan, progress):
            break
        if ready and len(running) < slots:
            slot = ready[0]
            assert slot not in running
            assert slot not in ended
            _require_order(plan, progress, slot)
            running.append(slot)
            continue
        assert running, "stuck: nothing runs, nothing may begin, and it is not finished"
        slot = running.pop(rng.randrange(len(running)))
        failed = rng.random() < risk
        ended[slot] = "failed" if failed else "cut" if slot.role == "trial" and rng.random() < risk else "complete"
        if slot.role == "trial" and ended[slot] == "complete":
            values[slot.number or 0] = rng.random()
    _require_whole(plan, ended, values)


def _require_order(plan: Plan, progress: Progress, slot: RunId) -> None:
    first = prefix(plan.seeds[0])
    if slot.role == "trial":
        assert slot.seed == plan.seeds[0]
        assert not plan.prefixed or progress.ended[first] == "complete"
    if slot.role == "replicate":
        assert searched(plan, progress)
        assert slot.number in progress.ranking[: plan.finalists]
    if slot != first and plan.prefixed:
        assert progress.has(first), "nothing is more urgent than what all trials wait for"


def _require_whole(plan: Plan, ended: dict[RunId, str], values: dict[int, float]) -> None:
    progress = Progress(ended=ended, ranking=sorted(values, key=lambda n: -values[n]))  # type: ignore[arg-type]
    if doomed(plan, progress):
        assert not any(slot.role in ("trial", "replicate") for slot in ended)
        return
    assert sum(slot.role == "trial" for slot in ended) == plan.trials
    assert sum(slot.role == "reference" for slot in ended) == len(plan.references) * len(plan.seeds)
    chosen = finalists(plan, progress)
    assert len(chosen) == min(plan.finalists, len(values))
    assert sum(slot.role == "replicate" for slot in ended) == len(chosen) * len(plan.seeds)
    prefixes = {slot.seed for slot in ended if slot.role == "prefix"}
    assert prefixes == (set(plan.seeds if plan.finalists else plan.seeds[:1]) if plan.prefixed else set())


def test_a_free_slot_takes_references_while_the_prefix_is_trained() -> None:
    plan = Plan(seeds=(0, 1), trials=2, finalists=1, references=("a",))
    begun = Progress(running=frozenset({prefix(0)}))
    assert [slot.role for slot in wanted(plan, begun)] == ["reference", "reference", "prefix"]
    ready = Progress(ended={prefix(0): "complete"})
    assert [slot.role for slot in wanted(plan, ready)][:2] == ["trial", "trial"]
