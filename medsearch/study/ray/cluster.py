"""Starting, joining and leaving Ray, and whether the machines of a joined cluster are fit for the study.

All that Ray must be told before it is imported is told here.
"""

import importlib.metadata
import math
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, final

from medsearch import __version__
from medsearch.core.errors import BadInput, MedsearchError
from medsearch.core.locks import free, locked
from medsearch.core.machine import cores, python_path
from medsearch.stages.context import Runtime
from medsearch.study.ray.cluster_loss import REMEDY, monitored, started_in_time

FOLDER = "msray-"
TOKEN = "set RAY_AUTH_TOKEN_PATH to a copy of its auth_token file"
ANSWER = 10.0  # seconds for the head of a cluster to take a connection
PATIENCE = 60.0  # seconds for a machine to start a process and import the package
OBJECTS = 200_000_000  # bytes of shared memory; results are a few numbers
SOCKET = 103 if sys.platform == "darwin" else 107  # bytes of the name of a Unix socket

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # its own account of a dead worker, twenty lines long; ours is one
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # whoever waits for an answer says what is wrong
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours stops at once and says how to go on
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # Tune's snapshots are never read
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # jobs are handed out by slots: let their workers start together
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


@final
@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run is given. cpus, gpus: of the embedded cluster; None: what the machine has.

    measured: shares of a GPU are found by measuring (`packing`); `gpus_per_trial` is that of a run not yet measured,
    and where the cluster has no GPU there is nothing to share. device: None: the GPU where a run has one.
    memory_per_trial: bytes of main memory; 0: as large a part of its machine's as of the cores; of a run on a GPU, any.
    """

    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    measured: bool = False
    device: str | None = None
    cpus: int | None = None
    gpus: int | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    micro_batch: int = 0
    memory_per_trial: int = 0

    def __post_init__(self) -> None:
        """Refuse shares that no machine can give."""
        if not (0 < self.cpus_per_trial < math.inf and 0 <= self.gpus_per_trial < math.inf):
            msg = f"{self.cpus_per_trial} CPUs and {self.gpus_per_trial} GPUs per trial; CPUs must be above 0"
            raise BadInput(msg)
        if self.memory_per_trial < 0:
            msg = (
                f"{self.memory_per_trial} bytes of memory per trial; it must be above 0, or 0 for a part of the node's"
            )
            raise BadInput(msg)
        if self.micro_batch < 0:
            msg = f"a micro-batch of {self.micro_batch} samples; it must be 1 or more, or 0 for the whole batch at once"
            raise BadInput(msg)

    @property
    def runtime(self) -> Runtime:
        """How stages compute on this share."""
        return Runtime(
            device=self.device or ("cuda" if self.gpus_per_trial else "cpu"),
            threads=max(1, int(self.cpus_per_trial)),
            precision=self.precision,
            micro_batch=self.micro_batch,
        )

    @property
    def without_gpus(self) -> "Resources":
        """The same on a cluster that has none."""
        return replace(self, gpus_per_trial=0.0, measured=False)

    @property
    def per_trial(self) -> dict[str, float]:
        """What Ray is asked for: {"CPU": 1.0, "GPU": 0.5, "memory": bytes}, without what is 0."""
        return self.share(self.gpus_per_trial)

    def share(self, gpus: float) -> dict[str, float]:
        """`per_trial` with another share of a GPU."""
        share = {"CPU": self.cpus_per_trial, "GPU": gpus, "memory": self.memory_per_trial}
        return {name: amount for name, amount in share.items() if amount}


@contextmanager
def cluster(
    resources: Resources, address: str | None, *, starting: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Iterator[None]:
    """A Ray cluster: the caller's if there is one, that at `address`, or an embedded one that ends with the block.

    starting: a block to start it in.

    Raises:
        BadInput: the cluster cannot be joined, or has no token to join it with.
        MedsearchError: the embedded one does not start.

    """
    os.environ.update(ENVIRONMENT)
    _use_token(address)
    import ray

    if ray.is_initialized():
        yield
        return
    with ExitStack() as held:
        folder = None if address else held.enter_context(own_folder())
        held.callback(ray.shutdown)
        with starting(), started_in_time(), ray_s_signal_handler_off():
            if folder is not None:
                start(resources, folder)
            elif address is not None:
                join(address)
        node = ray._private.worker._global_node
        monitor = held.enter_context(monitored(node, embedded=folder is not None))
        held.callback(ray.shutdown)  # before the monitor has left: a lost cluster may hold it up
        held.callback(monitor.leave)
        yield


def start(resources: Resources, folder: Path) -> None:
    """Start an embedded cluster that keeps its sockets and logs in `folder`.

    Raises:
        MedsearchError: it does not start.

    """
    import ray

    os.environ["PYTHONPATH"] = python_path()  # its workers read a run with the code that wrote it
    try:
        ray.init(
            address="local",
            num_cpus=resources.cpus or cores(),
            num_gpus=resources.gpus,
            object_store_memory=OBJECTS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(folder),
        )
    except Exception as error:  # Ray raises several kinds, Exception itself among them
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        msg = f"Ray does not start on this machine ({line}); {REMEDY}"
        raise MedsearchError(msg) from error


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder for an embedded cluster that is this user's alone, and gone afterwards.

    Ray's default, /tmp/ray, belongs to whoever came first. Folders of drivers that were killed are removed: their lock
    is free.

    Raises:
        BadInput: the folder for temporary files has so long a name that Ray's sockets cannot lie in it.

    """
    parent = _short_parent()
    for left in parent.glob(f"{FOLDER}*/lock"):
        with suppress(FileNotFoundError):  # another driver removes it just now
            if left.parent.lstat().st_uid == os.geteuid():
                with free(left) as unused:
                    if unused:
                        shutil.rmtree(left.parent, ignore_errors=True)
    made = tempfile.TemporaryDirectory(prefix=FOLDER, dir=parent, ignore_cleanup_errors=True)
    with made as folder, locked(Path(folder) / "lock"):
        yield Path(folder)


def _short_parent() -> Path:
    """The folder for temporary files, in which the names of Ray's sockets must be no longer than systems take."""
    variable = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    folder = os.environ.get(variable) or tempfile.gettempdir()
    below = f"/{FOLDER}12345678/session_YYYY-MM-DD_HH-MM-SS_ffffff_{os.getpid()}/sockets/plasma_store"
    most = SOCKET - len(below)
    if len(os.fsencode(folder)) > most:
        msg = (
            f"{variable} is {len(os.fsencode(folder))} characters, Ray's sockets need {most} or fewer; set "
            f"{variable}=/tmp ({folder})"
        )
        raise BadInput(msg)
    return Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())  # a TMPDIR that is not there is passed over


@contextmanager
def ray_s_signal_handler_off() -> Iterator[None]:
    """Ray puts a SIGTERM handler in the place of ours, which raises in the middle of its own start and crashes it."""
    from ray._private import utils

    theirs = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda handler: None  # noqa: ARG005
    try:
        yield
    finally:
        utils.set_sigterm_handler = theirs


def _use_token(address: str | None) -> None:
    """Ray listens on every interface, so nothing starts or joins without a token, whatever the environment says.

    An embedded cluster gets one of its own, which lives in the environment only: no file that others can read, no
    need of a writable home. Ray turns tokens on for it when the mode is unset; to join, the mode must be set.
    """
    given = bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"))
    if address is None:
        os.environ.pop("RAY_AUTH_MODE", None)
        if not given:
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        return
    os.environ["RAY_AUTH_MODE"] = "token"
    if not given and not (Path.home() / ".ray" / "auth_token").exists():
        msg = f"no token for the Ray cluster at {address!r}; {TOKEN}"
        raise BadInput(msg)


def join(address: str) -> None:
    """Make this process a driver of the cluster at `address`: HOST:PORT, or "auto" on one of its machines.

    Raises:
        BadInput: nothing answers there, it is no Ray head, or it refuses the token.

    """
    import ray
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    try:
        with _hushed():
            host, _, port = address.rpartition(":")
            if port.isdigit():  # asked once here: Ray itself asks twenty times, for a second to a minute each
                socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
                GcsClient(address=address)
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except ray.exceptions.AuthenticationError as error:
        msg = f"the Ray cluster at {address!r} refuses this token; {TOKEN}"
        raise BadInput(msg) from error
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        line = lines[-1].strip() if lines else type(error).__name__
        msg = f"cannot join the Ray cluster at {address!r}: {line}; is it up, and is this what `ray start --head` said?"
        raise BadInput(msg) from error


@contextmanager
def _hushed() -> Iterator[None]:
    """Within, nothing reaches standard error: Ray's C++ writes so much there that our one line would drown."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def require_fit_machines(home: Path | None, resources: Resources) -> None:
    """Refuse machines that could hold a run, but lack the package, have another version of it, or do not see `home`.

    One that dies meanwhile is no reason to stop: runs go elsewhere. home: None where machines need not see it.

    Raises:
        BadInput: a machine is not fit; the message names it, as a node, which is Ray's word for it.

    """
    import ray

    with ExitStack() as held:
        mark: Path | None = None  # a file in the home for machines to see
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
            prefix = f".seen-by-{socket.gethostname()}-"
            mark = Path(held.enter_context(tempfile.NamedTemporaryFile(prefix=prefix, dir=home)).name)
        able = [node for node in ray.nodes() if all(node["Resources"].get(name, 0) for name in resources.per_trial)]
        asked = [(node, _asked(node, mark)) for node in able if node["Alive"]]
        for node, task in asked:
            answer = _answer(node, task, mark)
            if answer is None:
                continue
            version, visible = answer
            if version != __version__:
                msg = f"node {_name(node)} has medsearch {version}, the driver {__version__}; install the same version"
                raise BadInput(msg)
            if mark is not None and not visible:
                msg = f"node {_name(node)} does not see {mark.parent}; put --home on storage that all nodes share"
                raise BadInput(msg)


def look(mark: str | None) -> tuple[str, bool]:
    """On a machine: which version is installed, and whether the file `mark`, if there is one, is visible."""
    return __version__, mark is None or Path(mark).exists()


def _asked(node: Mapping[str, Any], mark: Path | None) -> Any:
    """`look` as a task that Ray runs on the machine."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=there)(look).remote(None if mark is None else str(mark))


def _answer(node: Mapping[str, Any], task: Any, mark: Path | None) -> tuple[str, bool] | None:
    """Which version the machine has and whether it sees the mark; None if it has died.

    Where only the process has died, another is asked.

    Raises:
        BadInput: the package is not there, or nothing is heard.

    """
    import ray

    end = time.monotonic() + PATIENCE
    while True:
        try:
            version, visible = ray.get(task, timeout=max(1.0, end - time.monotonic()))
        except ray.exceptions.RayTaskError as error:  # it ran there: the package is not what it should be
            line = str(error.cause or error).strip().splitlines()[-1]
            msg = f"node {_name(node)} cannot run medsearch: {line}; install version {__version__} there"
            raise BadInput(msg) from error
        except ray.exceptions.RayError as error:
            if not any(other["NodeID"] == node["NodeID"] and other["Alive"] for other in ray.nodes()):
                return None
            if time.monotonic() > end:
                remedy = "look at it, or take it out of the cluster"
                msg = f"node {_name(node)} did not answer within {PATIENCE:g} s; {remedy}"
                raise BadInput(msg) from error
            time.sleep(0.5)
            task = _asked(node, mark)
        else:
            return version, visible


def _name(node: Mapping[str, Any]) -> str:
    address, name = node["NodeManagerAddress"], node.get("NodeName")
    return f"{name} ({address})" if name and name != address else str(address)


def gpus_here() -> int:
    """How many GPUs this machine has, without asking torch, which takes seconds; 0 if torch was built for none."""
    if importlib.metadata.version("torch").endswith("+cpu"):
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len([device for device in Path("/dev").glob("nvidia*") if device.name.removeprefix("nvidia").isdigit()])
