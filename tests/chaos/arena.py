"""Where rounds are played: a cluster of two nodes, an MLflow server on PostgreSQL, a cohort, a folder for homes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from medsearch.study.engine.databases import with_driver
from tests.bucket import CREDENTIALS, Buckets
from tests.postgres import PostgreSQL

from .driving import STUDIES, Driver
from .heads import write_heads
from .raylets import Raylets
from .still import sit_still
from .tracking import Tracking
from .work import Journals, Work

ROOT = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0
"""Only root can give a node a disk of its own on this machine."""

GPUS = 0.5
"""Of a run: two share the pretended GPU of a node, where they have the cores."""


@dataclass(frozen=True, kw_only=True)
class Arena:
    """pace: seconds of an epoch of the steady method. packed: two runs at a time on a node, else one."""

    folder: Path
    raylets: Raylets
    tracking: Tracking
    postgresql: PostgreSQL
    buckets: Buckets | None
    pace: float
    packed: bool

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *, pace: float, packed: bool = True, bucket: bool = False) -> Iterator["Arena"]:
        """All is gone afterwards but `folder`. MLflow needs some more seconds until it answers.

        Raises:
            Unavailable: there is no PostgreSQL on this machine.

        """
        for name in ("homes", "cache", "work"):
            (folder / name).mkdir()
        with ExitStack() as held:
            postgresql = held.enter_context(PostgreSQL.temporary())
            tracking = Tracking(folder, with_driver(postgresql.database("tracking")))
            tracking.start()
            held.callback(tracking.stop, at_once=True)
            write_heads(folder / "heads")
            buckets = Buckets() if bucket else None
            if buckets is not None:
                held.callback(buckets.stop)
            unseen = (folder / "cache",) if AS_ROOT else ()
            raylets = held.enter_context(Raylets.running(environment(folder, pace), unseen=unseen))
            servers = {"tracking": tracking, "postgresql": postgresql, "buckets": buckets}
            yield cls(folder=folder, raylets=raylets, pace=pace, packed=packed, **servers)

    @property
    def heads(self) -> Path:
        """The cohort."""
        return self.folder / "heads"

    def work(self, home: Path, study: str) -> Work:
        """What was trained in a home."""
        return (Work if study.startswith("steady") else Journals)(home, self.folder / "work")

    def still(self, study: str) -> Path:
        """The home of the undisturbed run of a study."""
        home = self.folder / f"still-{study}"
        if not home.exists():
            os.environ |= _steady(self.folder, 0.0)
            sit_still(study, self.heads, home)
        return home

    def driver(self, study: str, name: str, *options: str, apart: bool = False) -> Driver:
        """A driver that joins the cluster, in a new home; not yet started.

        apart: nodes share a bucket and nothing else.
        """
        home = self.folder / "homes" / name
        home.mkdir()
        where = ["--home", str(home), "--data", str(self.heads), "--cache", str(self.folder / "cache")]
        where += ["--address", self.raylets.address, "--tracking-uri", self.tracking.uri]
        gpus = GPUS if study.startswith("steady") else 0  # torch does not believe in pretended ones
        share = ["--cpus-per-trial", "0.5" if self.packed else "1", "--gpus-per-trial", str(gpus)]
        if apart:
            assert self.buckets is not None
            share += ["--store", self.buckets.new()]
        self._part(apart=apart)
        return Driver(
            file=STUDIES / f"{study}.py",
            options=[*where, *share, *options],
            environment={**environment(self.folder, self.pace), **self.raylets.joining},
            home=home,
        )

    def _part(self, *, apart: bool) -> None:
        """Nodes have caches of their own; here are homes of their own, too, or no longer."""
        unseen = (self.folder / "cache", *([self.folder / "homes"] if apart else [])) if AS_ROOT else ()
        if unseen != self.raylets.unseen:
            self.raylets.unseen = unseen
            self.raylets.cut_power("second")
            self.raylets.start("second")


def environment(folder: Path, pace: float) -> dict[str, str]:
    """Where the steady method is found, how fast it is, where it says what it does."""
    return {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        **_steady(folder, pace),
        **CREDENTIALS,
    }


def _steady(folder: Path, pace: float) -> dict[str, str]:
    return {"STEADY_PACE": str(pace), "STEADY_WORK": str(folder / "work")}


def scratch() -> Path:
    """A folder under /tmp."""
    return Path(tempfile.mkdtemp(prefix="chaos-"))
