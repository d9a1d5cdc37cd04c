"""Long soaks: `python -m tests.chaos --rounds 20 --seed 7`; exit code 1 if anything was not as it should be."""

import argparse
import sys
import time

from .arena import Arena, scratch
from .mishaps import script
from .rounds import Ended, Round
from .still import sit_still

STUDY = "steady_sweep"


def main() -> int:
    options = _options()
    folder = scratch()
    print(f"homes and logs are in {folder}", flush=True)
    began, rounds = time.monotonic(), list[Ended]()
    with Arena.open(folder, pace=options.pace) as arena:
        still = sit_still(STUDY, arena.heads, folder / "still")
        arena.tracking.wait()
        for number in range(options.rounds):
            home = folder / f"round-{number:03d}"
            mishaps = script(options.seed + number, options.mishaps)
            ended = Round(arena, arena.driver(STUDY, home), home=home, still=still, study=STUDY).play(mishaps)
            rounds.append(ended)
            _tell(options.seed + number, ended)
    return _sum_up(rounds, time.monotonic() - began)


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--mishaps", type=int, default=6, metavar="N", help="in a round; from six on, one of each kind")
    made.add_argument("--pace", type=float, default=1.0, metavar="S", help="seconds of an epoch")
    return made.parse_args()


def _tell(seed: int, ended: Ended) -> None:
    print(f"seed {seed}: {'; '.join(ended.mishaps)}")
    print(
        f"  {ended.kills} kills survived, {ended.lives} lives of the driver, {ended.lost:.1f} s of work lost, "
        f"{len(ended.duplicates)} duplicates, {ended.seconds:.0f} s"
    )
    for violation in ended.violations:
        print(f"  VIOLATION: {violation}")
    sys.stdout.flush()


def _sum_up(rounds: list[Ended], seconds: float) -> int:
    bad = sum(bool(ended.violations) for ended in rounds)
    kills, lost = sum(ended.kills for ended in rounds), sum(ended.lost for ended in rounds)
    copies = sum(len(ended.duplicates) for ended in rounds)
    print(
        f"{len(rounds)} rounds in {seconds:.0f} s: {kills} kills survived, {lost:.1f} s of work lost, "
        f"{copies} duplicates, {bad} rounds with violations"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
