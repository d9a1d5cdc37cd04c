"""Jobs: the runs of a study as work that a worker can do alone, and how a job is done.

    PlannedRun -> Job         what the ledger calls a run, with the stage runs that a worker trains for it
    Job -> RunResult          `perform` trains them, within a `ResourceGrant`, and says how the run ended
    RunResult -> RunRecord    what the ledger keeps of it (`record.ledger`)

A job is plain data that travels to a worker. Nothing here knows of Ray.
"""

import errno
import math
import os
import re
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, final

from medsearch.cohorts.atomic_folder import local_copy, publish
from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.tasks import Task
from medsearch.cohorts.views import view
from medsearch.core.errors import BadInput, Damaged, Diverged, MedsearchError, explained
from medsearch.core.paths import child
from medsearch.core.recipes import plain
from medsearch.stages.context import Artifact, Runtime, training_hours
from medsearch.stages.execution import StageExecutor, run_stage, usage_now
from medsearch.stages.memory import Meter
from medsearch.stages.pipelines import Setting, StageRun, stages_to_train
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.declare.search import Search
from medsearch.study.record.headers import About, Role
from medsearch.study.record.ledger import PlannedRun
from medsearch.training.memory import DeviceMeter, bounded, exhausted, main_exhausted, main_taken

HOURS = "training/hours"
"""An objective that every search may have: how long the scored stage and all before it trained."""

OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EIO)
"""Errors that say nothing of a run: another one would meet them, too."""
IN_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE)
"""Those of them that are known by their words, where an error has no number."""
NUMBERED = (errno.EMFILE,)
"""Those whose words must end in the number, as in "Too many open files (24)" or "(os error 24)"."""

Cause = Literal["diverged", "out of memory", "infeasible", "bad input", "damaged", "error", "worker died"]
"""`damaged`: a file that it takes; what is damaged is made anew, and then the run is handed out again.
`out of memory`: on a share of a device, so that the run is tried again with a whole one, or on a machine that others
use.
`infeasible`: alone."""


Recompute = Literal["warn", "changed", "unknown", "never"]
"""Of stored stages that other code has trained: to be named, to be trained anew, those of unknown code as well, or
neither."""


@final
@dataclass(frozen=True, kw_only=True)
class StudyEnvironment:
    """Where a study runs and on which data.

    cohort: fingerprint of the files. roster: who is included. prepared: the folder of the arrays for a task,
    made if need be. about: what headers say of data, code and machine. remote: URI of the store, if it is not under the
    home. cache: a folder on every machine for its own copy of prepared arrays. recompute: what is done about stored
    stages of other code; outdated: those that are trained anew, with when each was finished.
    """

    home: Path
    cohort: str
    roster: Roster
    prepared: Callable[[Task], Path]
    about: About
    remote: str | None = None
    cache: Path | None = None
    recompute: Recompute = "warn"
    outdated: Mapping[str, float] | None = field(default=None, repr=False)

    @property
    def store(self) -> Store:
        """The stage store: under the home, or at a URI with the home's as this machine's mirror of it."""
        root = self.home.resolve() / "stages"
        return Store(root, self.remote or None, self.outdated)

    @property
    def stored(self) -> Store:
        """The same, with all that is finished: what reports read while stages are trained anew."""
        return replace(self, outdated=None).store

    @property
    def probes(self) -> Path:
        """What stages were measured to take of a GPU."""
        return self.home.resolve() / "probes"

    @property
    def apart(self) -> bool:
        """Whether workers need not see the home: stages lie at a URI, from which each machine copies arrays, too."""
        return self.remote is not None and self.cache is not None

    def arrays(self, task: Task) -> Path | str:
        """Where workers find the arrays for a task: the folder itself, or its copy at the store's URI."""
        made = self.prepared(task)
        if not self.apart or self.remote is None:
            return made
        base, separator, options = self.remote.partition("?")
        return publish(made, f"{base.rstrip('/')}/prepared{separator}{options}")

    def study(self, name: str) -> Path:
        """The folder of the study of that name: HOME/studies/<name>."""
        return child(self.home.resolve() / "studies", name, what="study name")


def unprepared(task: Task) -> Path:  # noqa: ARG001
    """A plan reads no arrays, and must not make any."""
    return Path()


def require_served(runs: Iterable[StageRun], environment: Callable[[Task], StudyEnvironment]) -> None:
    """Refuse data that lack what a stage run declares to read, however late in the study that run comes.

    Raises:
        BadInput: a case lacks an image, a mask or a weak label.

    """
    reads: dict[Task, frozenset[str]] = {}
    for run in runs:
        reads[run.task] = reads.get(run.task, frozenset()) | run.stage.reads()
    for task, parts in reads.items():
        view(task.arrays(environment(task).prepared(task)), task, parts).require_served()


@final
@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: its stage runs in order, and what to tell of them.

    watched: the node at whose epochs a scheduler may stop the run; None for a run that is never stopped.
    scored: the node whose metrics `objectives` are the run's values; None for a run without values.
    prepared: a folder, or the URI of its copy. cache: where a machine keeps its own.
    """

    planned: PlannedRun
    prepared: Path | str
    runs: tuple[StageRun, ...]
    watched: str | None = None
    scored: str | None = None
    objectives: tuple[str, ...] = ()
    cache: Path | None = None

    @property
    def run(self) -> str:
        """The name of the run in the ledger and on disk."""
        return self.planned.run

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its stage runs."""
        return tuple(key for _, key in self.planned.stages)


@final
@dataclass(frozen=True, kw_only=True)
class ResourceGrant:
    """What a job may use, and how far it may go with it; it travels to the worker with the job.

    gpus: of a device, or of several. trains: keys of the stages that fit into it; None: all that the job has.
    probes: keys of the stages that are measured over one epoch, after which the job comes back; over all, if one is a
    single pass.
    """

    gpus: float = 0.0
    trains: frozenset[str] | None = None
    probes: frozenset[str] = frozenset()

    def covers(self, key: str) -> bool:
        """Whether the stage may be trained within it."""
        return self.trains is None or key in self.trains


EVERYTHING = ResourceGrant()
"""No GPU, and no limit to what is done."""


@final
@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a job ended: with values in the order of the objectives, cut at a rung, or failed for a reason.

    trace: where in the program it failed, for a file beside the ledger. requeue_reason: it has not ended but came
    back, to be handed out with another share of a device, alone on one, or to another worker; a study never sees such
    an end.
    usage: what a stage was measured to take (`stages.memory.Usage`), where the job came back for that.
    halts: it says nothing of the run, but of where it was done, such as a full disk: the study ends with this reason,
    and the run goes on when it is run again.
    """

    state: Literal["complete", "cut", "failed"]
    values: tuple[float, ...] = ()
    rung: int | None = None
    reason: str | None = None
    cause: Cause | None = None
    trace: str = ""
    requeue_reason: Literal["", "packed", "alone", "elsewhere"] = ""
    usage: Mapping[str, Any] | None = None
    halts: bool = False

    @property
    def value(self) -> float | None:
        """The value of the first objective, by which trials are ranked; None where there is none."""
        return self.values[0] if self.values else None


@final
@dataclass(frozen=True)
class SearchJobs:
    """The jobs of a search on its data, each made when it is asked for."""

    search: Search
    environment: StudyEnvironment

    def job(
        self, role: Role, seed: int, *, knobs: Mapping[str, Any], number: int | None = None, label: str = ""
    ) -> Job:
        """The run of `role` under `seed` with `knobs`, which may be those of a trial or of a reference."""
        setup = self.search.setup(knobs)
        early = role != "reference" and bool(self.search.scored_stage)
        tested = role in ("replicate", "reference") and not early
        pipeline = self.search.pipeline(setup, test=tested)
        runs = pipeline.runs(Setting(setup.task, self.environment.cohort, self.environment.roster), seed)
        scored = self.search.scored(setup)
        if role == "prefix":
            upstream = ancestors(runs, self.search.searched_stage)
            runs = tuple(run for run in runs if run.node in upstream)
        elif early:
            upstream = ancestors(runs, scored) | {scored}
            runs = tuple(run for run in runs if run.node in upstream)
        has_values = role != "prefix" and any(run.node == scored for run in runs)
        return Job(
            planned=PlannedRun(
                role=role,
                seed=seed,
                number=number,
                label=label,
                knobs=dict(knobs),
                stages=tuple((run.node, run.key) for run in runs),
            ),
            prepared=self.environment.arrays(setup.task),
            cache=self.environment.cache,
            runs=runs,
            watched=self.search.searched_stage if role == "trial" else None,
            scored=scored if has_values else None,
            objectives=tuple(self.search.objectives) if has_values else (),
        )

    def kinds(self) -> Iterable[StageRun]:
        """The stage runs of one tested configuration and of every reference under one seed: what the search reads."""
        here = self.search.resolved
        yield from self.job("replicate", here.seeds[0], knobs={}).runs
        for reference in here.references:
            yield from self.job("reference", here.seeds[0], knobs=reference.knobs).runs


def ancestors(runs: tuple[StageRun, ...], node: str) -> frozenset[str]:
    """The nodes that must be finished before `node` begins."""
    by_key = {run.key: run for run in runs}
    found: set[str] = set()
    open_ = [run for run in runs if run.node == node]
    while open_:
        for key in open_.pop().upstream.values():
            if by_key[key].node not in found:
                found.add(by_key[key].node)
                open_.append(by_key[key])
    return frozenset(found)


def perform(
    job: Job,
    store: Store,
    *,
    runtime: Runtime,
    grant: ResourceGrant = EVERYTHING,
    meter: Meter | None = None,
    memory: int = 0,
) -> Generator[tuple[str, Epoch], None, RunResult]:
    """Do the job as far as its grant goes, yielding each epoch that is trained now with the name of its node.

    memory: bytes of main memory that it may take; 0: as many as there are. A failure is returned, with its traceback,
    not raised. A stage that is probed is left after an epoch, with its checkpoint kept; one without a batch is a single
    pass and keeps none, so it goes on to its end, and its manifest says what it took.
    """
    with bounded(memory):
        try:
            prepared = job.runs[0].task.arrays(local_copy(job.prepared, job.cache))
            executor = StageExecutor(store, prepared, runtime, meter or DeviceMeter(runtime))
            artifacts: dict[str, Artifact] = {}
            needed = stages_to_train(job.runs, store, ends=[run.key for run in job.runs[-1:]])
            for run in job.runs:
                if run.key in needed and not grant.covers(run.key):
                    return REQUEUED
                probed = run.key in grant.probes and run.stage.batch is not None
                began = time.monotonic()
                with closing(run_stage(executor, run, whole=run.key in needed)) as training:
                    while True:
                        try:
                            epoch = next(training)
                        except StopIteration as end:
                            artifacts[run.node] = end.value
                            break
                        usage = usage_now(executor, run, epoch, seconds=time.monotonic() - began) if probed else None
                        yield run.node, epoch
                        if usage is not None:
                            return replace(REQUEUED, usage=plain(usage))
            return RunResult(state="complete", values=values(job, artifacts))
        except (Exception, SystemExit) as error:
            if (refusal := refused_by_system(error)) is not None:
                where = explained(refusal, [store.root, Path(tempfile.gettempdir())])
                reason = f"{where} (on {socket.gethostname()})"
                return RunResult(state="failed", reason=reason, cause="bad input", halts=True)
            return replace(failure(error, shared=runtime.shared, memory=memory), trace=traceback.format_exc())


REQUEUED = RunResult(
    state="failed", reason="it goes on with another share of a device", cause="error", requeue_reason="packed"
)


def stored_end(job: Job, store: Store) -> RunResult:
    """The end of a job whose stages are all stored."""
    try:
        return RunResult(
            state="complete", values=values(job, {node: store.artifact(key) for node, key in job.planned.stages})
        )
    except MedsearchError as error:
        return failure(error)


def values(job: Job, artifacts: Mapping[str, Artifact]) -> tuple[float, ...]:
    """The job's objectives: metrics of the scored stage, or `HOURS`.

    Raises:
        BadInput: the scored stage says nothing of one.
        Diverged: one is not finite.

    """
    if job.scored is None:
        return ()
    metrics = dict(artifacts[job.scored].metrics)
    if HOURS in job.objectives and HOURS not in metrics:
        trained = ancestors(job.runs, job.scored) | {job.scored}
        metrics[HOURS] = training_hours(artifacts[node] for node in trained)
    for name in job.objectives:
        if name not in metrics:
            msg = f"stage {job.scored!r} reports no {name!r}; it reports {', '.join(metrics) or 'nothing'}"
            raise BadInput(msg)
        if not math.isfinite(metrics[name]):
            msg = f"{name} = {metrics[name]} at the end of {job.scored!r}: training diverged"
            raise Diverged(msg)
    return tuple(float(metrics[name]) for name in job.objectives)


def failure(error: BaseException, *, shared: bool = False, memory: int = 0) -> RunResult:
    """A failed end: one line, and the kind of thing that went wrong.

    shared: on a device that other runs are on. memory: bytes of main memory that the run was allowed; 0: any.
    """
    line = first_line(error) or type(error).__name__
    if isinstance(error, Diverged):
        return RunResult(state="failed", reason=line, cause="diverged")
    if exhausted(error) and shared:
        return RunResult(state="failed", reason=f"out of memory: {line}", cause="out of memory", requeue_reason="alone")
    if memory and main_exhausted(error):
        had = f"it had {main_taken() / 1e9:.1f} GB and may take {memory / 1e9:.1f} GB of the machine's"
        remedy = "use a smaller batch or network, fewer trials at a time, or give it more with --memory-per-trial"
        return RunResult(state="failed", reason=f"out of memory: {had}: {line}; {remedy}", cause="infeasible")
    if exhausted(error):
        remedy = "no smaller micro-batch and no larger share are left; use a smaller network, or a larger device"
        return RunResult(state="failed", reason=f"out of memory: {line}; {remedy}", cause="infeasible")
    if isinstance(error, Damaged):
        return RunResult(state="failed", reason=line, cause="damaged")
    if isinstance(error, MedsearchError):
        return RunResult(state="failed", reason=line, cause="bad input")
    return RunResult(state="failed", reason=described(error), cause="error")


def first_line(error: BaseException) -> str:
    """The first line of an error's message; empty where it has none, or cannot say it."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an error of its own __str__ must not hide that there was one
        return ""
    return lines[0] if lines else ""


def described(error: BaseException) -> str:
    """An error in one line: its kind, and what it says."""
    return f"{type(error).__name__}: {line}" if (line := first_line(error)) else f"{type(error).__name__}, no message"


def refused_by_system(error: BaseException) -> OSError | None:
    """What the system refused to any run here, such as room on the disk; None where that is not what `error` says.

    Libraries that are no Python's tell of it in an OSError without a number, a RuntimeError or an error of their own,
    in the system's words. A method's errors may hold such words, too: those of files that are open count only with the
    system's number beside them.
    """
    from safetensors import SafetensorError

    if isinstance(error, OSError) and error.errno is not None:
        return error if error.errno in OF_THE_MACHINE else None
    if not isinstance(error, OSError | RuntimeError | SafetensorError):
        return None
    line = first_line(error)
    for number in IN_WORDS:
        if os.strerror(number) in line and (number not in NUMBERED or re.search(rf"(?<!\d){number}\)", line)):
            return OSError(number, os.strerror(number))
    return None
