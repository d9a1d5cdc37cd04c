"""What is killed, how the study ends, and what it comes to when it is run again: `python -m tests.chaos.table`.

One study per line, on this machine alone, or on a cluster that it has joined. Seconds are from the kill to the end of
the driver. A study that did not come to its end is run again on this machine; its table is held against that of a study
in which nothing died.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .arena import environment, scratch
from .driving import STUDIES, Driver
from .heads import write_heads
from .processes import command, descendants, kill_tree, title, wait_for
from .raylets import Raylets
from .still import sit_still
from .work import Work

STUDY = "steady_sweep"
PATIENCE = 400.0
"""Seconds after which a study is taken to hang."""

LINGERING = 20.0
"""Seconds that what a study started may take to be gone after it."""


@dataclass(frozen=True)
class Kill:
    """program: by which its process is known among those of the cluster; empty: the driver itself.

    told: what the environment of the first life says; a kill of no program happens by that alone. joined: the cluster
    is not the driver's own.
    """

    program: str | None
    told: Mapping[str, str] = field(default_factory=dict)
    joined: bool = False


KILLS = {
    "driver": Kill(""),
    "worker": Kill("Trainable.train"),
    "raylet": Kill("raylet/raylet"),
    "gcs_server": Kill("gcs/gcs_server"),
    "dashboard agent": Kill("ray::DashboardAgent"),
    "sender": Kill("medsearch.tracking.follow"),
    "memory monitor": Kill(None, {"RAY_memory_usage_threshold": "0.02"}),
    "joined gcs_server": Kill("gcs/gcs_server", joined=True),
    "joined raylet": Kill("raylet/raylet", joined=True),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """How one went. code: None if it had to be ended. left: processes that outlived the driver."""

    kill: str
    seconds: float
    code: int | None
    said: str
    left: list[str]
    again: int
    same: bool

    def __str__(self) -> str:
        code = "hangs" if self.code is None else str(self.code)
        left = f"; left behind: {', '.join(self.left)}" if self.left else ""
        table = "same table" if self.same else "ANOTHER TABLE"
        return (
            f"{self.kill:17} {self.seconds:6.1f} s  exit {code:5}  {table} (again: {self.again}){left}\n    {self.said}"
        )


def play(name: str, folder: Path, still: Path, *, pace: float = 0.5) -> Line:
    """Kill `name` once two epochs have begun, wait for the end, and run the study again."""
    kill, home = KILLS[name], folder / name.replace(" ", "-")
    home.mkdir()
    with ExitStack() as held:
        nodes = held.enter_context(Raylets.running(environment(folder, pace), gpus=0)) if kill.joined else None
        joining = ["--address", nodes.address] if nodes else []
        driver = _driver(
            folder, home, *joining, **environment(folder, pace), **kill.told, **(nodes.joining if nodes else {})
        )
        driver.start()
        assert driver.process is not None
        work = Work(home, folder / "work")
        wait_for(
            lambda: driver.over is not None or work.begun >= 2 or kill.program is None, "two epochs", seconds=PATIENCE
        )
        started = descendants(driver.process.pid)
        if kill.program is not None and driver.over is None:
            os.kill(_target(kill.program, descendants(nodes.nodes["head"].pid) if nodes else started), signal.SIGKILL)
        began = time.monotonic()
        code = _ended(driver)
        seconds = time.monotonic() - began
    left = _left(folder)
    titles = [title(pid) for pid in left]
    for pid in left:
        kill_tree(pid)
    lines = driver.log.read_text(errors="replace").strip().splitlines()
    again = code
    if code != 0:
        once_more = _driver(folder, home, **environment(folder, 0.0))
        once_more.start()
        wait_for(lambda: once_more.over is not None, "the end of the second life", seconds=PATIENCE)
        again = once_more.over
    assert again is not None
    said = lines[-1] if lines else ""
    same = _table(home) == _table(still)
    return Line(kill=name, seconds=seconds, code=code, said=said, left=titles, again=again, same=same)


def _driver(folder: Path, home: Path, *more: str, **told: str) -> Driver:
    options = ["--home", str(home), "--data", str(folder / "heads"), *more]
    return Driver(file=STUDIES / f"{STUDY}.py", options=options, environment=told, home=home)


def _target(program: str, started: list[int]) -> int:
    if not program:
        return started[0]
    found = [pid for pid in started[1:] if program in (command(pid) if "." in program else title(pid))]
    if not found:
        msg = f"no {program} among {[title(pid) for pid in started]}"
        raise LookupError(msg)
    return found[0]


def _ended(driver: Driver) -> int | None:
    end = time.monotonic() + PATIENCE
    while driver.over is None:
        time.sleep(0.1)
        if time.monotonic() > end:
            driver.abort()
            return None
    return driver.over


def _left(folder: Path) -> list[int]:
    """What still lives after a while of all that was started for a study, known by its environment."""
    mark = f"STEADY_WORK={folder / 'work'}\0".encode()

    def living() -> list[int]:
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in _environment(path)]

    end = time.monotonic() + LINGERING
    while living() and time.monotonic() < end:
        time.sleep(0.2)
    return living()


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # it has ended
        return b""


def _table(home: Path) -> bytes:
    path = home / "studies" / STUDY / "report" / "table.csv"
    return path.read_bytes() if path.exists() else b""


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="python -m tests.chaos.table", description=__doc__)
    made.add_argument("kills", nargs="*", choices=[*KILLS, []], help="by default, all of them")
    made.add_argument("--pace", type=float, default=0.5, metavar="S", help="seconds of an epoch")
    return made.parse_args()


def prepared(folder: Path) -> Path:
    """The cohort, and the home of the undisturbed study."""
    (folder / "work").mkdir()
    write_heads(folder / "heads")
    os.environ |= environment(folder, 0.0)
    return sit_still(STUDY, folder / "heads", folder / "still")


def main() -> int:
    options = _options()
    folder = scratch()
    print(f"homes and logs are in {folder}", flush=True)
    still, bad = prepared(folder), 0
    for name in options.kills or KILLS:
        line = play(name, folder, still, pace=options.pace)
        print(line, flush=True)
        bad += not line.same or line.code is None or bool(line.left)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
