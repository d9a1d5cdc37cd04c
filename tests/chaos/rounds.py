"""One round: a study on a cluster with mishaps, held against the same study without any."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medsearch.tracking.reading import StudyReader

from .arena import Arena
from .driving import Driver
from .mishaps import KILLS, Kind, Mishap
from .tracking import duplicates, unfinished

PATIENCE = 180.0
"""Seconds without an epoch after which a study is taken to hang."""


@dataclass
class Ended:
    """How a round went. violations: empty, if all is as it should be."""

    mishaps: list[str] = field(default_factory=list)
    kills: int = 0
    lost: float = 0.0
    seconds: float = 0.0
    lives: int = 0
    duplicates: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


class Round:
    """A driver and what happens to it, held against the undisturbed run of the same study."""

    def __init__(self, arena: Arena, driver: Driver) -> None:
        self.arena, self.driver, self.home, self.study = arena, driver, driver.home, driver.file.stem
        self.still = arena.still(self.study)
        self.work = arena.work(self.home, self.study)
        self.needed = arena.work(self.still, self.study).begun
        self.ended = Ended()
        self._returns: list[tuple[float, Callable[[], object]]] = []

    def play(self, mishaps: Sequence[Mishap]) -> Ended:
        """Run the study to its end while `mishaps` happen, and look at what is left."""
        began, waiting = time.monotonic(), list(mishaps)
        self.driver.start()
        progress, since = 0, time.monotonic()
        while self.driver.over is None:
            time.sleep(0.1)
            self._bring_back()
            if (now := self.work.begun) != progress:
                progress, since = now, time.monotonic()
            if waiting and progress >= waiting[0].after * self.needed:
                self._happen(waiting.pop(0))
            if time.monotonic() - since > PATIENCE:
                self.ended.violations.append(f"no epoch for {PATIENCE:g} s")
                self.driver.abort()
        self.ended.seconds = time.monotonic() - began
        self._bring_back(now=True)
        self.ended.violations += [f"it ended before {mishap} could happen" for mishap in waiting]
        self._look()
        return self.ended

    def _happen(self, mishap: Mishap) -> None:
        said = HAPPEN[mishap.kind](self, mishap)
        self.ended.mishaps.append(f"{mishap}{f' ({said})' if said else ''}")
        self.ended.kills += mishap.kind in KILLS

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        self._returns.append((time.monotonic() + seconds, what))

    def _bring_back(self, *, now: bool = False) -> None:
        due = [entry for entry in self._returns if now or entry[0] <= time.monotonic()]
        self._returns = [entry for entry in self._returns if entry not in due]
        for _, what in due:
            what()

    def _cut_node(self, mishap: Mishap) -> str:
        self._bring_back(now=True)
        self.arena.raylets.cut_power("second")
        self._later(mishap.away, lambda: self.arena.raylets.start("second"))
        return f"back after {mishap.away:g} s"

    def _kill_raylet(self, mishap: Mishap) -> str:
        self._bring_back(now=True)
        self.arena.raylets.kill_raylet("second")
        self._later(mishap.away, lambda: self.arena.raylets.start("second"))
        return f"back after {mishap.away:g} s"

    def _kill_worker(self, mishap: Mishap) -> str:
        for pid in self.arena.raylets.training():
            os.kill(pid, signal.SIGKILL)
            return f"process {pid}"
        return "none was at work"

    def _kill_driver(self, mishap: Mishap) -> str:
        self.driver.kill()
        self.driver.start()
        return ""

    def _stop_mlflow(self, mishap: Mishap) -> str:
        self.arena.tracking.stop(at_once=not mishap.gently)
        self._later(mishap.away, self.arena.tracking.start)
        return f"back after {mishap.away:g} s"

    def _restart_postgresql(self, mishap: Mishap) -> str:
        if mishap.gently:
            self.arena.postgresql.stop()
        else:
            self.arena.postgresql.crash()
        self._later(mishap.away, self.arena.postgresql.start)
        return f"back after {mishap.away:g} s"

    def _look(self) -> None:
        """All that must hold at the end."""
        ended, log = self.ended, self.driver.log.read_text()
        ended.lives, ended.lost = self.driver.lives, self.work.lost(self.needed, self.arena.pace)
        if self.driver.over:
            last = log.strip().splitlines()[-1:]
            ended.violations.append(f"the driver ended with {self.driver.over}: {' '.join(last)}")
        if "Traceback" in log:
            ended.violations.append("the driver showed a traceback")
        self._compare()
        ended.violations += self.work.faults()
        self.arena.tracking.wait()
        if f"medsearch sync {self.study}" in log:
            self._sync()
        self._look_at_mlflow()

    def _look_at_mlflow(self) -> None:
        reader = StudyReader(self.home / "studies" / self.study, self.home / "stages")
        reader.refresh()
        runs = self.arena.tracking.runs(self.study)
        mine = [run for run in runs if run["tags"].get("medsearch.origin") == reader.study.origin]
        names = {run["tags"]["medsearch.run"].rpartition("/")[2] for run in mine}
        self.ended.duplicates = duplicates(mine)
        violations = [f"MLflow has {name} more than once" for name in self.ended.duplicates]
        violations += [f"MLflow has no {name}" for name in sorted(reader.study.runs.keys() - names)]
        violations += [f"MLflow's run {name} is not FINISHED" for name in unfinished(mine)]
        self.ended.violations += violations

    def _compare(self) -> None:
        mine, theirs = (home / "studies" / self.study / "report" for home in (self.home, self.still))
        tables = sorted(theirs.glob("*.csv"))
        assert tables, f"the undisturbed run has no table in {theirs}"
        for table in tables:
            found = mine / table.name
            if not found.exists() or found.read_bytes() != table.read_bytes():
                self.ended.violations.append(f"{table.name} is not that of the undisturbed run")

    def _sync(self) -> None:
        """As the driver's last line says, where the server was away at its end."""
        command = ["sync", self.study, "--home", str(self.home), "--tracking-uri", self.arena.tracking.uri]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("medsearch")), *command],
            env={**os.environ, **self.driver.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.ended.violations.append(f"medsearch sync failed: {done.stdout.strip()}{done.stderr.strip()[-300:]}")


HAPPEN: dict[Kind, Callable[[Round, Mishap], str]] = {
    "node": Round._cut_node,
    "raylet": Round._kill_raylet,
    "worker": Round._kill_worker,
    "driver": Round._kill_driver,
    "mlflow": Round._stop_mlflow,
    "postgresql": Round._restart_postgresql,
}
