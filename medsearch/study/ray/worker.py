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
from medsearch.stages.store import Store
from medsearch.study.declare.schedulers import RUNG, SELECTION
from medsearch.study.engine.grants import EVERYTHING, ResourceGrant
from medsearch.study.engine.jobs import Job, Report, RunResult, described, perform
from medsearch.study.ray.cluster_capacity import Share
from medsearch.training.memory import release

END = "end"
TRAINING = 0.9
"""Of a node's free memory."""

QUIET = 2.0
"""Seconds of epochs that one step may bundle where no scheduler looks: telling of one costs the driver a round trip."""


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
    """A payload from its bytes. path: where the driver looks for modules. sources: the user's own (`own_sources`)."""
    adopt_path(path)
    apart = {name: (file, text) for name, (file, text) in sources.items() if not _is_here(file, text)}
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


def _is_here(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


@final
@dataclass(frozen=True)
class SentModules(ExecutionLoader, MetaPathFinder):
    """Imports modules from `sources`, which the driver sent, on a node that has not the same files.

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
        """Where it lies on the driver's node."""
        return str(self.sources[fullname][0])

    def is_package(self, fullname: str) -> bool:
        """Whether it is the `__init__.py` of a folder."""
        return self.sources[fullname][0].name == "__init__.py"

    def get_source(self, fullname: str) -> str:
        """Its text."""
        return decode_source(self.sources[fullname][1])


def adopt_path(path: Sequence[str]) -> None:
    """Look for modules where the driver does, in its order, as far as the folders are here.

    Python's own folders and those of installed packages are this process's: another machine may have them elsewhere.
    """
    standard = Path(sysconfig.get_path("stdlib"))

    def installed(entry: Path) -> bool:
        return entry.name in ("site-packages", "dist-packages") or entry.is_relative_to(standard)

    here = [str(Path(entry).absolute()) for entry in sys.path]
    first = [entry for entry in path if entry in here or (not installed(Path(entry)) and Path(entry).exists())]
    wanted = [*first, *(entry for entry in here if entry not in first)]
    if wanted != sys.path:
        sys.path[:] = wanted
        importlib.invalidate_caches()


@final
class Worker(tune.Trainable):  # type: ignore[misc]
    """Ray Tune's trainable: `config` is {"payload": TrialPayload}."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the first job."""
        self._work: Generator[Report, None, RunResult] | None = None
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
                report = next(self._work)
            except StopIteration as stop:
                self._work = None
                return {END: asdict(stop.value), "done": True}
            watched = report.node == self._job.watched
            if watched or time.monotonic() - began > QUIET:
                return _result(report, self._job.objectives[0] if watched else None)
        msg = f"{self._job.run} was asked to go on after its end"
        raise RuntimeError(msg)

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002
        """Called by Tune when a run ends or is cut: let go of the stage, so that another worker may have it."""
        self._close()
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: a stage resumes from its own checkpoint in the store."""

    def cleanup(self) -> None:
        """Leave the job; its stage keeps its checkpoint."""
        self._close()

    def _begin(self, payload: TrialPayload | Unreadable) -> None:
        self._close()
        release()
        self._spare_modules()
        self.config: dict[str, Any] = {}  # Tune would send it back with every result
        if isinstance(payload, Unreadable):
            self._work = _halted(payload.reason)
            return
        self._job = payload.job
        _set_threads(payload.runtime.threads)
        prepare_home(payload.store.root.parent)
        self._work = perform(
            payload.job,
            payload.store,
            runtime=payload.runtime,
            grant=payload.grant,
            meter=payload.meter,
            memory=payload.memory or part_of(_node(), payload.share),
        )

    def _spare_modules(self) -> None:
        """What was imported stays: no later collection looks through it, which takes a tenth of a second."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            gc.freeze()

    def _close(self) -> None:
        if self._work is not None:
            self._work.close()
            self._work = None


def _halted(reason: str) -> Generator[Report, None, RunResult]:
    """No work, but an end to the study."""
    yield from ()
    return RunResult(state="failed", reason=reason, cause="bad input", halts=True)


def part_of(node: Mapping[str, float], share: Share) -> int:
    """Bytes of a node's memory for a run with this share of its cores; 0, which bounds nothing, for a run on a GPU.

    A node's memory is what was free when Ray started there; some of it is left to what is not training. What a CUDA
    driver sets aside of a process's memory has not been measured, so there a bound must be asked for.
    """
    if share.get("GPU") or not node.get("CPU"):
        return 0
    return int(node.get("memory", 0) * min(1.0, share["CPU"] / node["CPU"]) * TRAINING)


@cache
def _node() -> Mapping[str, float]:
    """What this worker's node has, in Ray's words; nothing outside of a cluster."""
    import ray

    if not ray.is_initialized():
        return {}
    mine = ray.get_runtime_context().get_node_id()
    return next((node["Resources"] for node in ray.nodes() if node["NodeID"] == mine), {})


def _result(report: Report, metric: str | None) -> dict[str, Any]:
    result: dict[str, Any] = {"node": report.node, "epoch": report.epoch, "metrics": dict(report.metrics)}
    if metric is not None and metric in report.metrics:
        result |= {RUNG: report.epoch, SELECTION: report.metrics[metric]}
    return result


def _set_threads(threads: int) -> None:
    """As many threads as the run was given; before torch is imported by the environment, afterwards by itself."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def end_of(result: Mapping[str, Any]) -> RunResult | None:
    """The end in a result of Tune's, which flattens what is nested."""
    if f"{END}/state" not in result:
        return None
    fields = {name.removeprefix(f"{END}/"): value for name, value in result.items() if name.startswith(f"{END}/")}
    usage = {name.removeprefix("usage/"): fields.pop(name) for name in list(fields) if name.startswith("usage/")}
    return RunResult(**{**fields, "values": tuple(fields.get("values", ())), "usage": usage or None})


def request(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """What Tune asks Ray for. It keeps idle workers by what they asked for, so runs of other shares get others."""
    return tune.PlacementGroupFactory([dict(config["payload"].share)])
