"""How long do all tables and the page of a thousand stored stage runs take?

    python -m tests.benchmarks.report_speed [--runs 1000] [--profile]

Writes a made-up ablation of 12 columns, as figure 5.7 has them, with 37 test cases and two pictures per test stage,
into a folder of its own, then rebuilds its report twice: as a first command does, and once more with everything
imported. At most 30 s is what the project promises.
"""

import argparse
import cProfile
import itertools
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medsearch.core.reported import Reported
from medsearch.reporting.report import rebuild
from medsearch.stages.store import Store
from tests.reporting import made_up_ablation as made_up

PROMISED_S = 30.0
CASES = 37
SEEDS = (0, 1, 2)
COLUMNS = tuple(f"{source} → {target}" for source, target in itertools.permutations(("T1", "T2", "T1ce", "FLAIR"), 2))


def rows(runs: int) -> tuple[made_up.Made, ...]:
    """So many variants that their distinct stage runs are `runs` or a few more; each is compared with the first."""
    made: list[made_up.Made] = []
    while distinct(made) < runs:
        number = len(made)
        made.append(
            made_up.Made(
                label=f"Variant {number}",
                knobs={"segmentation.lr": 1e-4 * (number + 1)},
                dice=dict.fromkeys(COLUMNS, 0.6 + 0.02 * number),
                own={"segmentation": f"variant {number}"},
                against="Variant 0" if number else "",
            )
        )
    return tuple(made)


def distinct(made: Sequence[made_up.Made]) -> int:
    """Stage runs that these rows ask for, each once."""
    return len(
        {key for row in made for column in COLUMNS for seed in SEEDS for _, key in made_up.stages(row, column, seed)}
    )


def write(home: Path, runs: int) -> tuple[Path, Store, int]:
    """The study's folder, its store, and how many stage runs it has."""
    made = rows(runs)
    (brats, *_) = made_up.columns()
    values = [
        Reported(**made_up.PAPER, row=row.label, column=column, value=0.7, spread=0.01, spread_of="seeds", n=3)
        for row in made
        for column in COLUMNS
    ]
    header = made_up.header(
        made,
        columns=tuple(replace(brats, label=label) for label in COLUMNS),
        seeds=SEEDS,
        supervised=made[-1].label,
        reported=tuple(values),
    )
    folder, store = home / "studies" / "speed", Store(home / "stages")
    made_up.write(folder, store, of=header, rows=made, failures={}, waiting=frozenset(), cases=CASES)
    made_up.add_pictures(folder, store, names=("predictions", "translations"), alike=False)
    return folder, store, distinct(made)


def main() -> None:
    """Write, rebuild, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="stored stage runs, at least")
    parser.add_argument("--profile", action="store_true", help="say what the second rebuild spends its time on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder, store, runs = write(Path(home), options.runs)
        seconds = {name: _timed(folder, store) for name in ("first", "again")}
        size = (folder / "report" / "index.html").stat().st_size / 2**20
        print(f"{runs} stage runs, {len(COLUMNS)} columns, {CASES} test cases, two metrics; page {size:.1f} MiB")
        told = ", ".join(f"{name} {wall:.1f} s ({cpu:.1f} s of CPU)" for name, (wall, cpu) in seconds.items())
        print(f"{told}; promised {PROMISED_S:.0f} s")
        if options.profile:
            profile = cProfile.Profile(time.process_time)
            profile.runcall(rebuild, folder, store)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
    sys.exit(0 if seconds["first"][0] <= PROMISED_S else 1)


def _timed(folder: Path, store: Store) -> tuple[float, float]:
    began, worked = time.monotonic(), time.process_time()
    rebuild(folder, store)
    return time.monotonic() - began, time.process_time() - worked


if __name__ == "__main__":
    main()
