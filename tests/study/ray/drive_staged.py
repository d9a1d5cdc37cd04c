"""A staged study's driver as its own process: `python drive_staged.py HOME [TRIALS of the first group]`."""

import sys
from dataclasses import replace
from pathlib import Path

from medsearch.cli.exits import exits
from medsearch.study.ray.execution import run_staged
from tests.study import toy
from tests.study.staging import FIRST, SECOND, staged


def main(home: Path, trials: int = 3) -> None:
    """Run it; say what was frozen and what was loaded for it."""
    with exits():
        done = run_staged(staged(groups=(replace(FIRST, trials=trials), SECOND)), toy.study_environment(home))
        print(done.trained, [one.number for one in done.frozen], sorted({"ray", "optuna"} & set(sys.modules)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
