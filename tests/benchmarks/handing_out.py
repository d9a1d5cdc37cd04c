"""The driver's time to plan, hand out and take in an ablation's stage runs: `python -m tests.benchmarks.handing_out`.

Nothing is trained and no Ray is started: every job ends as soon as it is handed out. Lines of the ledger are written
but not synced to the disk, whose time is not the driver's. What is printed is CPU time of this process; for each stage
run it should not grow with their number.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from medsearch.study import Ablation, Variant
from medsearch.study.engine.ablation_driver import AblationDriver
from medsearch.study.engine.ablation_header import begin, describe
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.jobs import Job, RunResult
from medsearch.study.plan import plan_ablation
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.ablations import ablation

SIZES = (1000, 3000, 10000)
SEEDS = 6
OWN = 3 * 2 * SEEDS
"""Stage runs that a row shares with no other: all but the translation, in two columns."""
GROWTH = 1.5
"""Of the time per stage run, from the smallest to the largest ablation: more is not linear."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of the driver's CPU for `runs` stage runs, by what it does."""

    runs: int
    plan: float
    begin: float
    hand_out: float
    end: float

    @property
    def per_run(self) -> float:
        """Milliseconds for each stage run, of all together."""
        return 1000 * (self.plan + self.begin + self.hand_out + self.end) / self.runs


def made_up(runs: int) -> Ablation:
    """An ablation with about so many distinct stage runs: rows that differ in one weight of the toy method."""
    rows = tuple(Variant(f"row {index}", {"segmentation.weights.a": 1.0 + index}) for index in range(runs // OWN))
    return ablation(variants=rows, seeds=tuple(range(SEEDS)))


def timed(study: Ablation, home: Path) -> Timing:
    """Plan it, begin it, hand out every stage run and take in its end, and describe how it ended."""
    environment = toy.study_environment(home)
    clock = [time.process_time()]
    plan = plan_ablation(study, {"brats2020": environment})
    clock.append(time.process_time())
    ledger, grapher = Ledger(environment.study(study.name)), Grapher(study, {"brats2020": environment})
    begin(grapher, ledger)
    driver = AblationDriver(grapher, store=environment.store, ledger=ledger)
    clock.append(time.process_time())
    handed_out = 0
    while isinstance(job := driver.next(), Job):
        driver.ended(job.run, RunResult(state="complete"))
        handed_out += 1
    clock.append(time.process_time())
    describe(grapher, ledger, driver.failed)
    complete = sum(record.state == "complete" for record in ledger.runs().values())
    clock.append(time.process_time())
    assert handed_out == complete == plan.distinct == driver.counts.stored
    plan, start, hand_out, end = (after - before for before, after in pairwise(clock))
    return Timing(runs=handed_out, plan=plan, begin=start, hand_out=hand_out, end=end)


def main() -> None:
    """Print a line for each size, and whether time grows with it as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    timings = []
    print("stage runs  plan s  begin s  hand out s  end s  ms per run  of the smallest")
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as home, patch.object(os, "fsync", lambda _: None):
            timing = timed(made_up(size), Path(home))
        timings.append(timing)
        ratio = timing.per_run / timings[0].per_run
        print(
            f"{timing.runs:10d}  {timing.plan:6.2f}  {timing.begin:7.2f}  {timing.hand_out:10.2f}  {timing.end:5.2f}  "
            f"{timing.per_run:10.2f}  {ratio:15.2f}",
            flush=True,
        )
    growth = timings[-1].per_run / timings[0].per_run
    print(f"time per stage run grows {growth:.2f}-fold: {'linear' if growth <= GROWTH else 'NOT LINEAR'}")


if __name__ == "__main__":
    main()
