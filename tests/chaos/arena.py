"""Where rounds are played: a cluster of two nodes, an MLflow server on PostgreSQL, a cohort, a folder for homes."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.append(str(TESTS))  # `postgres` is shared with other tests

from postgres import PostgreSQL  # noqa: E402

from medsearch.study.databases import with_driver  # noqa: E402

from .driving import STUDIES, Driver  # noqa: E402
from .heads import write_heads  # noqa: E402
from .raylets import Raylets  # noqa: E402
from .tracking import Tracking  # noqa: E402

GPUS = 0.5
"""Of a run: two share the pretended GPU of a node, where they have the cores."""


@dataclass(frozen=True, kw_only=True)
class Arena:
    """pace: seconds of an epoch of the steady method. packed: two runs at a time on a node, else one."""

    folder: Path
    heads: Path
    raylets: Raylets
    tracking: Tracking
    postgresql: PostgreSQL
    pace: float
    packed: bool

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *, pace: float, packed: bool = True) -> Iterator["Arena"]:
        """All is gone afterwards but `folder`. MLflow needs some more seconds until it answers.

        Raises:
            Unavailable: there is no PostgreSQL on this machine.

        """
        with ExitStack() as held:
            postgresql = held.enter_context(PostgreSQL.temporary())
            tracking = Tracking(folder, with_driver(postgresql.database("tracking")))
            tracking.start()
            held.callback(tracking.stop, at_once=True)
            heads = write_heads(folder / "heads")
            raylets = held.enter_context(Raylets.running(environment(pace)))
            places = {"folder": folder, "heads": heads, "pace": pace, "packed": packed}
            yield cls(raylets=raylets, tracking=tracking, postgresql=postgresql, **places)

    def driver(self, study: str, home: Path, *options: str) -> Driver:
        """A driver of the study file `study`, with its home, that joins the cluster; not yet started."""
        where = ["--home", str(home), "--data", str(self.heads), "--address", self.raylets.address]
        share = ["--cpus-per-trial", "0.5" if self.packed else "1", "--gpus-per-trial", str(GPUS)]
        home.mkdir(parents=True)
        return Driver(
            file=STUDIES / f"{study}.py",
            options=[*where, *share, "--tracking-uri", self.tracking.uri, *options],
            environment={**environment(self.pace), **self.raylets.joining},
            log=home / "driver.log",
        )


def environment(pace: float) -> dict[str, str]:
    """Where the steady method is found, and how fast it is."""
    paths = [str(TESTS.parent), str(STUDIES)]
    return {"PYTHONPATH": ":".join(paths), "STEADY_PACE": str(pace), "OMP_NUM_THREADS": "1"}


def scratch() -> Path:
    """A folder under /tmp."""
    return Path(tempfile.mkdtemp(prefix="chaos-"))
