"""A search for a front, from proposals to finalists: samplers, restarts, trials that fail or do not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.study import GP, NSGA2, QMC, TPE, Random, Reaching
from medsearch.study.declare.samplers import Sampler
from medsearch.study.declare.spaces import integers
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.identity import note
from medsearch.study.engine.jobs import Job, RunResult
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.ranking import fronts, scored
from medsearch.study.engine.search_driver import SearchDriver
from tests.study.ablations import header_of, sweep_of, sweep_out
from tests.study.ray.drive import carry_out, do, driver_of
from tests.study.synthesis import OBJECTIVES, table, weight_search

SAMPLERS = [TPE(startup=3), GP(startup=3), QMC(), Random(), NSGA2(population=3)]
NO_ROOM = RunResult(state="failed", reason="out of memory with 1 sample at a time", cause="infeasible")
SMALL = {"trials": 6, "finalists": 2, "references": ()}


def front_of(driver: SearchDriver) -> set[int]:
    runs = driver.ledger.runs().values()
    found = {int(run.number or 0): run.values for run in runs if run.role == "trial" and run.state == "complete"}
    return set(fronts({n: scored(values, OBJECTIVES.values()) for n, values in found.items()})[0])


def told(proposals: Proposals, numbers: range) -> list[dict[str, object]]:
    found = []
    for number in numbers:
        knobs = proposals.propose(number)
        width = float(knobs["cyclegan.width"])
        end = RunResult(state="complete", values=(width / (width + 20), width / 16))
        proposals.tell(number, NO_ROOM if width > 40 else end)
        found.append(knobs)
    return found


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda of: of.name)
def test_a_restart_changes_no_proposal_and_what_does_not_fit_is_no_result(tmp_path: Path, sampler: Sampler) -> None:
    what = weight_search(sampler=sampler, trials=8)
    whole = told(Proposals(what, sqlite(tmp_path / "whole")), range(8))
    broken = []
    for number in range(8):
        broken += told(Proposals(what, sqlite(tmp_path / "broken")), range(number, number + 1))
    assert broken == whole
    ends = [end for _, _, end in Proposals(what, sqlite(tmp_path / "whole")).ended()]
    assert NO_ROOM in ends
    assert all(end == NO_ROOM or len(end.values) == 2 for end in ends)


def test_finalists_stand_for_the_front_and_both_values_are_kept(tmp_path: Path) -> None:
    driver = driver_of(weight_search(), tmp_path)
    carry_out(driver)
    runs, front = driver.ledger.runs(), front_of(driver)
    values = {number: runs[f"trial-{number:04d}"].values for number in front}
    first, second, *_ = driver.finalists
    assert {first, second} <= front
    assert values[first][0] == max(ssim for ssim, _ in values.values())
    assert values[second][1] == min(hours for _, hours in values.values())
    replicates = [run for run in runs.values() if run.role in ("replicate", "reference")]
    assert replicates
    assert all(len(run.values) == 2 and run.value == run.values[0] for run in replicates)
    shares, why = driver.proposals.importances()
    assert shares, why


def test_a_driver_that_comes_back_at_any_moment_ends_alike(tmp_path: Path) -> None:
    whole = driver_of(weight_search(**SMALL), tmp_path / "whole")
    carry_out(whole)
    broken = driver_of(weight_search(**SMALL), tmp_path / "broken")
    while isinstance(job := broken.next(), Job):
        broken.ended(job.run, do(broken, job))
        broken = driver_of(weight_search(**SMALL), tmp_path / "broken")
    assert broken.finalists == whole.finalists
    ours, theirs = ({run.run: run.values for run in of.ledger.runs().values()} for of in (broken, whole))
    assert ours == theirs


def test_a_kill_between_sampler_and_ledger_loses_neither_value(tmp_path: Path) -> None:
    driver = driver_of(weight_search(**SMALL), tmp_path)
    while isinstance(job := driver.next(), Job):
        end = do(driver, job)
        if job.planned.number == 2:
            driver.proposals.tell(2, end)
            break
        driver.ended(job.run, end)
    driver_of(weight_search(**SMALL), tmp_path)
    assert driver.ledger.runs()["trial-0002"].values == end.values


@pytest.mark.parametrize("cause", ["diverged", "infeasible"])
def test_failed_trials_are_on_no_front(tmp_path: Path, cause: str) -> None:
    driver, broken = driver_of(weight_search(**SMALL), tmp_path), {0, 3}
    while isinstance(job := driver.next(), Job):
        end = do(driver, job)
        if job.planned.role == "trial" and job.planned.number in broken:
            end = replace(end, state="failed", values=(), reason="made to fail", cause=cause)  # type: ignore[arg-type]
        driver.ended(job.run, end)
    assert not broken & {*driver.finalists, *front_of(driver)}
    assert len(driver.finalists) == 2


@pytest.fixture
def searched(tmp_path: Path) -> Callable[[], SearchDriver]:
    def run() -> SearchDriver:
        driver = driver_of(weight_search(), tmp_path)
        carry_out(driver)
        note(driver.ledger, chosen=driver.finalists)
        return driver

    return run


def test_an_ablation_takes_the_first_objectives_best_unless_told(
    tmp_path: Path, searched: Callable[[], SearchDriver]
) -> None:
    driver = searched()
    rows = {"variants": (Variant("as found"),), "reported": (), "of": weight_search()}
    assert (best := header_of(sweep_of(table(**rows), tmp_path)).of) is not None
    assert best.trial == driver.finalists[0]
    cheap = Reaching(metric="training/hours", at_most=1.5)
    assert (taken := header_of(sweep_of(table(**rows, name="cheap", take=cheap), tmp_path)).of) is not None
    assert driver.ledger.runs()[f"trial-{taken.trial:04d}"].values[1] <= 1.5
    free = Reaching(metric="training/hours", at_most=0.1)
    with pytest.raises(StudyFailed, match=r"cannot freeze the best with training/hours ≤ 0\.1: none of"):
        sweep_of(table(**rows, name="free", take=free), tmp_path)
    with pytest.raises(BadInput, match=r"takes the best with .* of no search; name one in `of`"):
        table(take=cheap)


def test_finalists_keep_a_budget_that_the_search_names(tmp_path: Path) -> None:
    driver = driver_of(weight_search(freeze=Reaching(metric="training/hours", at_most=3.0), finalists=2), tmp_path)
    carry_out(driver)
    assert all(driver.ledger.runs()[f"trial-{number:04d}"].values[1] <= 3.0 for number in driver.finalists)


def test_rows_are_retuned_towards_less_where_less_is_better(tmp_path: Path) -> None:
    widths = {"cyclegan.width": integers(8, 64)}
    cheap = table(
        variants=(Variant("as it stands"),), reported=(), seeds=(0,), retune=widths, trials=4,
        objective="training/hours", direction="minimize",
    )  # fmt: skip
    sweep = sweep_of(cheap, tmp_path)
    sweep_out(sweep)
    candidates = header_of(sweep).candidates
    assert candidates
    assert all(one.chosen == (one.value == min(of.value or 0.0 for of in candidates)) for one in candidates)
