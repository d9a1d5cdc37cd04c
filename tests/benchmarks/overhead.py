"""What orchestration costs per stage run, beside plain Ray Tune: `python -m tests.benchmarks.overhead`.

Both sleep in the same cluster, with reuse_actors and the same number of workers, and take turns. The overhead is what
lies between two sleeps of one worker; how long workers take to start shows in the seconds of the whole study. Plain
Tune writes no ledger, no journal, no manifest and syncs nothing to disk; ours does.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.study import Ablation, Variant
from medsearch.study.ray.cluster import Resources, cluster
from medsearch.study.ray.execution import ClusterOptions, run_ablation
from tests.benchmarks.naps import NAPPING, sleep
from tests.study import toy

TARGETS = {1.0: 0.15, 30.0: 0.05}
"""Share of the stage's own seconds, by those seconds."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """`runs` stage runs of `seconds` each, `slots` at a time."""

    seconds: float
    runs: int
    slots: int


@dataclass(frozen=True, kw_only=True)
class Timing:
    """gaps: seconds between two sleeps of a worker. whole: seconds of the study, from its start to its end."""

    gaps: tuple[float, ...]
    whole: float


def ours(load: Load, home: Path) -> None:
    """As a user runs it."""
    rows = tuple(Variant(f"nap {number}", {"number": number}) for number in range(load.runs))
    study = Ablation(
        name="naps",
        question="What does orchestration cost?",
        method=NAPPING,
        tasks={"t1 to t2": CrossModalityTask()},
        fixed={"seconds": load.seconds},
        variants=rows,
        selection="oracle",
        seeds=(0,),
    ).at("tiny")
    run_ablation(study, {"brats2020": toy.study_environment(home)}, ClusterOptions(resources=Resources()))


def plain(load: Load, home: Path) -> None:
    """Ray Tune with a trainable that sleeps; our environment spares it loggers and snapshots."""
    from ray import tune

    class Sleeper(tune.Trainable):  # type: ignore[misc]
        def step(self) -> dict[str, Any]:
            sleep(load.seconds, home / "naps.txt")
            return {"dice": 0.5, "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None: ...

        def load_checkpoint(self, checkpoint: Any) -> None: ...

    tune.Tuner(
        tune.with_resources(Sleeper, {"CPU": 1}),
        tune_config=tune.TuneConfig(num_samples=load.runs, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(home / "tune"), verbose=0),
    ).fit()


def timed(of: Callable[[Load, Path], None], load: Load, home: Path) -> Timing:
    """One study in a home of its own."""
    home.mkdir(parents=True)
    began = time.monotonic()
    of(load, home)
    whole = time.monotonic() - began
    return Timing(gaps=tuple(_gaps(home / "naps.txt", load)), whole=whole)


def _gaps(file: Path, load: Load) -> Iterator[float]:
    naps: dict[str, list[tuple[float, float]]] = {}
    for line in file.read_text().splitlines():
        who, began, ended = line.split()
        naps.setdefault(who, []).append((float(began), float(ended)))
    assert sum(map(len, naps.values())) == load.runs
    for own in naps.values():
        yield from (later[0] - earlier[1] for earlier, later in pairwise(sorted(own)))


def measured(load: Load, rounds: int, folder: Path) -> Iterator[tuple[str, Timing]]:
    """Ours and plain Tune's, in turns."""
    for number in range(rounds):
        for name, of in (("medsearch", ours), ("plain Tune", plain)):
            yield name, timed(of, load, folder / f"{load.seconds:g}-{name[:5]}-{number}")


def main() -> None:
    options = _options()
    loads = [Load(seconds=1.0, runs=options.short, slots=options.slots)]
    loads += [Load(seconds=30.0, runs=options.long, slots=options.slots)] if options.long else []
    heads = ("s between", 10), ("at most", 8), ("overhead", 9), ("target", 7), ("whole", 8)
    print(f"{'stage':>6} {'':12} {'runs':>5} " + " ".join(f"{head:>{width}}" for head, width in heads))
    with tempfile.TemporaryDirectory() as folder, cluster(Resources(cpus=options.slots), None):
        for load in loads:
            found: dict[str, list[Timing]] = {}
            for name, timing in measured(load, options.rounds, Path(folder)):
                found.setdefault(name, []).append(timing)
            _tell(load, found)


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks.overhead", description=__doc__)
    made.add_argument("--short", type=int, default=40, metavar="N", help="stage runs of 1 s")
    made.add_argument("--long", type=int, default=6, metavar="N", help="stage runs of 30 s")
    made.add_argument("--slots", type=int, default=2, metavar="N", help="workers at a time")
    made.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each")
    return made.parse_args()


def _tell(load: Load, found: dict[str, list[Timing]]) -> None:
    for name, timings in found.items():
        gaps = [gap for timing in timings for gap in timing.gaps]
        over, worst = statistics.mean(gaps), max(gaps)
        whole = statistics.median(timing.whole for timing in timings)
        target = f"{TARGETS[load.seconds]:.0%}" if name == "medsearch" else ""
        print(
            f"{load.seconds:>4g} s {name:12} {load.runs:>5} {over:>10.3f} {worst:>8.3f} {over / load.seconds:>9.1%} "
            f"{target:>7} {whole:>8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
