"""The worker: one process that does job after job, each step of Tune's an epoch.

A worker is used again for the next run, so nothing may stay behind: the generator of the last job is closed, which
frees its stage's lock and memory, before the next begins.
"""

import gc
import importlib
import os
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from ray import cloudpickle, tune

from medsearch.core.ownership import prepare_home
from medsearch.stages.code import own_sources
from medsearch.stages.context import Runtime
from medsearch.stages.memory import Meter
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.declare.schedulers import RUNG, SELECTION
from medsearch.study.engine.jobs import EVERYTHING, Job, ResourceGrant, RunResult, described, perform
from medsearch.study.ray.cluster_capacity import Share
from medsearch.training.memory import release

END = "end"
TRAINING = 0.9
"""The part of a machine's free memory that training may take."""

QUIET = 2.0
"""Seconds of epochs that one step may bundle where no scheduler looks: reporting one costs the driver a round trip."""


@final
@dataclass(frozen=True, kw_only=True)
class TrialPayload:
    """A job, where to do it, and how much of it: what travels to a worker.

    share: what Ray reserves for it. meter: what measures its memory; None: the device's own. memory: bytes of main
    memory that it may take; 0: what `part_of` says.
    """

    job: Job
    store: Store
    runtime: Runtime
    grant: ResourceGrant = EVERYTHING
    share: Share = field(default_factory=lambda: {"CPU": 1.0})
    meter: Meter | None = None
    memory: int = 0

    def __deepcopy__(self, memo: Any) -> "TrialPayload":
        """Itself: nothing in it changes, and Tune copies configurations often."""
        return self

    def __repr__(self) -> str:
        """Short, because Tune writes configurations into names."""
        return self.job.run

    def __reduce__(self) -> "tuple[Callable[..., TrialPayload | Unreadable], tuple[Any, ...]]":
        """As bytes beside this process's module path, and the user's own modules: a worker needs them to read a job."""
        content = {part.name: getattr(self, part.name) for part in fields(self)}
        path = [str(Path(entry).absolute()) for entry in sys.path]
        sources = own_sources(run.stage for run in self.job.runs)
        return read_payload, (path, cloudpickle.dumps(content), sources)


@final
@dataclass(frozen=True)
class Unreadable:
    """A payload that this worker cannot read."""

    reason: str


def read_payload(
    path: Sequence[str], content: bytes, sources: Mapping[str, tuple[Path, bytes]] = MappingProxyType({})
) -> TrialPayload | Unreadable:
    """A payload from its bytes, or why this worker cannot read it.

    path: where the driver looks for modules. sources: the user's own modules (`own_sources`).
    """
    adopt_path(path)
    here = {name for name, (file, text) in sources.items() if file.is_file() and file.read_bytes() == text}
    apart = {name: source for name, source in sources.items() if name not in here}
    if apart and (finder := SentModules(apart)) not in sys.meta_path:
        sys.meta_path.insert(0, finder)
    try:
        return TrialPayload(**cloudpickle.loads(content))
    except ModuleNotFoundError as error:
        line = f"No module named {error.name!r} in workers; install it or set PYTHONPATH"
        return Unreadable(f"{line} (on {socket.gethostname()})")
    except Exception as error:
        line = f"a worker on {socket.gethostname()} cannot read its run: {described(error)}"
        return Unreadable(f"{line}; install there what the driver has, in the same versions")


@final
@dataclass(frozen=True)
class SentModules(ExecutionLoader, MetaPathFinder):
    """Imports modules from `sources`, which the driver sent, on a machine that has not the same files.

    Ray's `runtime_env` would send a folder, with data and runs in it, and none in a cluster that was there before.
    """

    sources: Mapping[str, tuple[Path, bytes]]

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """How to import one of them; also a folder without `__init__.py` that some of them lie in."""
        if fullname in self.sources:
            return spec_from_loader(fullname, self)
        if any(name.startswith(f"{fullname}.") for name in self.sources):
            return ModuleSpec(fullname, None, is_package=True)
        return None

    def get_filename(self, fullname: str) -> str:
        """Where the module lies on the driver's machine."""
        return str(self.sources[fullname][0])

    def is_package(self, fullname: str) -> bool:
        """Whether it is the `__init__.py` of a folder."""
        return self.sources[fullname][0].name == "__init__.py"

    def get_source(self, fullname: str) -> str:
        """The text of the module's source."""
        return decode_source(self.sources[fullname][1])


def adopt_path(path: Sequence[str]) -> None:
    """Look for modules where the driver does, in its order, as far as the folders are here.

    Python's own folders and those of installed packages are this process's: another machine may have them elsewhere.
    """
    standard = Path(sysconfig.get_path("stdlib"))
    here = [str(Path(entry).absolute()) for entry in sys.path]
    first = []
    for entry in path:
        folder = Path(entry)
        installed = folder.name in ("site-packages", "dist-packages") or folder.is_relative_to(standard)
        if entry in here or (not installed and folder.exists()):
            first.append(entry)
    merged = [*first, *(entry for entry in here if entry not in first)]
    if merged != sys.path:
        sys.path[:] = merged
        importlib.invalidate_caches()


@final
class Worker(tune.Trainable):  # type: ignore[misc]
    """Ray Tune's trainable: `config` is {"payload": TrialPayload}."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the first job of this worker; Tune calls it once."""
        self._work: Generator[tuple[str, Epoch], None, RunResult] | None = None
        self._modules = 0
        self._begin(config["payload"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Leave the last job and begin the next."""
        self._begin(new_config["payload"])
        return True

    def step(self) -> dict[str, Any]:
        """Train until there is something to report: an epoch of the watched stage, a while of others, or the end."""
        began = time.monotonic()
        while self._work is not None:
            try:
                node, epoch = next(self._work)
            except StopIteration as stop:
                self._work = None
                return {END: asdict(stop.value), "done": True}
            result: dict[str, Any] = {"node": node, "epoch": epoch.number, "metrics": dict(epoch.metrics)}
            if node == self._job.watched:
                metric = self._job.objectives[0]
                if metric in epoch.metrics:
                    result |= {RUNG: epoch.number, SELECTION: epoch.metrics[metric]}
                return result
            if time.monotonic() - began > QUIET:
                return result
        msg = f"{self._job.run} was asked to go on after its end"
        raise RuntimeError(msg)

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002
        """Called by Tune when a run ends or is cut: let go of the stage, so that another worker may have it."""
        self.cleanup()
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: a stage resumes from its own checkpoint in the store."""

    def cleanup(self) -> None:
        """Leave the job; its stage keeps its checkpoint."""
        if self._work is not None:
            self._work.close()
            self._work = None

    def _begin(self, payload: TrialPayload | Unreadable) -> None:
        self.cleanup()
        release()
        if len(sys.modules) != self._modules:  # no later collection looks through what was imported: 0.1 s each time
            self._modules = len(sys.modules)
            gc.freeze()
        self.config: dict[str, Any] = {}  # Tune would send it back with every result
        if isinstance(payload, Unreadable):
            self._work = _halted(payload.reason)
            return
        self._job = payload.job
        threads = payload.runtime.threads  # torch that is not imported yet reads them from the environment
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        os.environ.update(dict.fromkeys(variables, str(threads)))
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(threads)
        prepare_home(payload.store.root.parent)
        self._work = perform(
            payload.job,
            payload.store,
            runtime=payload.runtime,
            grant=payload.grant,
            meter=payload.meter,
            memory=payload.memory or part_of(_machine(), payload.share),
        )


def _halted(reason: str) -> Generator[tuple[str, Epoch], None, RunResult]:
    """The work of a payload that cannot be read: none, and a result that ends the study."""
    yield from ()
    return RunResult(state="failed", reason=reason, cause="bad input", halts=True)


def part_of(machine: Mapping[str, float], share: Share) -> int:
    """Bytes of a machine's memory for a run with this share of its cores; 0, which bounds nothing, for a run on a GPU.

    A machine's memory is what was free when Ray started there; some of it is left to what is not training. What a CUDA
    driver sets aside of a process's memory has not been measured, so there a bound must be asked for.
    """
    if share.get("GPU") or not machine.get("CPU"):
        return 0
    return int(machine.get("memory", 0) * min(1.0, share["CPU"] / machine["CPU"]) * TRAINING)


@cache
def _machine() -> Mapping[str, float]:
    """What this worker's machine has, in Ray's words; nothing outside of a cluster."""
    import ray

    if not ray.is_initialized():
        return {}
    mine = ray.get_runtime_context().get_node_id()
    return next((node["Resources"] for node in ray.nodes() if node["NodeID"] == mine), {})


def end_of(result: Mapping[str, Any]) -> RunResult | None:
    """How a run ended, of a result of Tune's, which flattens what is nested; None where it goes on."""
    if f"{END}/state" not in result:
        return None
    content = {name.removeprefix(f"{END}/"): value for name, value in result.items() if name.startswith(f"{END}/")}
    usage = {name.removeprefix("usage/"): content.pop(name) for name in list(content) if name.startswith("usage/")}
    return RunResult(**{**content, "values": tuple(content.get("values", ())), "usage": usage or None})


def request(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """What Tune asks Ray for. It keeps idle workers by what they asked for, so runs of other shares get others."""
    return tune.PlacementGroupFactory([dict(config["payload"].share)])
