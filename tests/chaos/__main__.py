"""Long soaks: `python -m tests.chaos --rounds 20 --seed 7`; exit code 1 if anything was not as it should be."""

import argparse
import sys
import time
from collections.abc import Sequence

from .arena import AS_ROOT, Arena, scratch
from .mishaps import Mishap, script
from .rounds import Ended, Round

FORMS = ("sweep", "search", "apart", "modatts")
"""A sweep; a search whose sampler lives in PostgreSQL, too; a sweep whose nodes share a bucket and nothing else; one of
small networks."""


def main() -> int:
    options = _options()
    folder = scratch()
    print(f"homes and logs are in {folder}", flush=True)
    forms = [options.form] if options.form else [form for form in FORMS if AS_ROOT or form != "apart"]
    began, rounds = time.monotonic(), list[Ended]()
    with Arena.open(folder, pace=options.pace, bucket="apart" in forms) as arena:
        for number in range(options.rounds):
            form, seed = forms[number % len(forms)], options.seed + number
            rounds.append(_played(arena, form, f"seed-{seed}", script(seed, options.mishaps)))
            _tell(form, seed, rounds[-1])
    return _sum_up(rounds, time.monotonic() - began)


def _played(arena: Arena, form: str, name: str, mishaps: Sequence[Mishap]) -> Ended:
    if form == "search":
        driver = arena.driver("steady_search", name, "--storage", arena.postgresql.database(name))
    else:
        study = "micro_modatts" if form == "modatts" else "steady_sweep"
        driver = arena.driver(study, name, apart=form == "apart")
    return Round(arena, driver).play(mishaps)


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--form", choices=FORMS, help="by default, they take turns")
    made.add_argument("--mishaps", type=int, default=6, metavar="N", help="in a round; from six on, one of each kind")
    made.add_argument("--pace", type=float, default=1.0, metavar="S", help="seconds of an epoch")
    return made.parse_args()


def _tell(form: str, seed: int, ended: Ended) -> None:
    print(f"{form}, seed {seed}: {'; '.join(ended.mishaps)}")
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
