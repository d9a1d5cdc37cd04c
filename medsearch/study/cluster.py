"""Starting, joining and leaving Ray. All that Ray must be told before it is imported is told here."""

import importlib.metadata
import math
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, final

from medsearch.core.errors import BadInput
from medsearch.core.machine import cores
from medsearch.stages.context import Runtime
from medsearch.study.joining import TOKEN, join

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
    """

    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    measured: bool = False
    device: str | None = None
    cpus: int | None = None
    gpus: int | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    micro_batch: int = 0

    def __post_init__(self) -> None:
        """Refuse shares that no machine can give."""
        if not (0 < self.cpus_per_trial < math.inf and 0 <= self.gpus_per_trial < math.inf):
            msg = f"{self.cpus_per_trial} CPUs and {self.gpus_per_trial} GPUs per trial; CPUs must be above 0"
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
        """Ray's words for it."""
        gpus = {"GPU": self.gpus_per_trial} if self.gpus_per_trial else {}
        return {"CPU": self.cpus_per_trial, **gpus}


@contextmanager
def cluster(
    resources: Resources, address: str | None, *, starting: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Iterator[None]:
    """A Ray cluster: the caller's if there is one, that at `address`, or an embedded one that ends with the block.

    starting: a block to start it in.

    Raises:
        BadInput: the cluster cannot be joined, or has no token to join it with.

    """
    os.environ.update(ENVIRONMENT)
    _use_token(address)
    import ray

    if ray.is_initialized():
        yield
        return
    session = None
    try:
        with starting(), _without_ray_s_signal_handler():
            session = start(resources, address)
        yield
    finally:
        ray.shutdown()
        if session is not None:
            shutil.rmtree(session, ignore_errors=True)  # its logs; each life of a study would leave some


def start(resources: Resources, address: str | None) -> Path | None:
    """Join `address`, or start an embedded cluster and return the folder of its logs.

    Raises:
        BadInput: the cluster cannot be joined, or the folder for temporary files has too long a name to start one.

    """
    import ray

    if address is None:
        _require_short_sockets()
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        started = ray.init(
            address="local",
            num_cpus=resources.cpus or cores(),
            num_gpus=resources.gpus,
            object_store_memory=OBJECTS,
            **quiet,
        )
        return Path(started.address_info["session_dir"])
    join(address)
    return None


def _require_short_sockets() -> None:
    """Refuse a folder for temporary files in which the names of Ray's sockets would be longer than systems take."""
    variable = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    folder = os.environ.get(variable, "")
    below = f"/ray/session_YYYY-MM-DD_HH-MM-SS_ffffff_{os.getpid()}/sockets/plasma_store"
    most = SOCKET - len(below)
    if len(os.fsencode(folder)) > most:
        msg = (
            f"{variable} is {len(os.fsencode(folder))} characters, Ray's sockets need {most} or fewer; set "
            f"{variable}=/tmp ({folder})"
        )
        raise BadInput(msg)


@contextmanager
def _without_ray_s_signal_handler() -> Iterator[None]:
    """Ray puts a SIGTERM handler in the place of ours, which raises in the middle of its own start and crashes it."""
    from ray._private import utils

    theirs = utils.set_sigterm_handler
    utils.set_sigterm_handler = _leave
    try:
        yield
    finally:
        utils.set_sigterm_handler = theirs


def _leave(handler: object) -> None:
    """Set no handler."""


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


def gpus_here() -> int:
    """How many GPUs this machine has, without asking torch, which takes seconds; 0 if torch was built for none."""
    if importlib.metadata.version("torch").endswith("+cpu"):
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len([device for device in Path("/dev").glob("nvidia*") if device.name.removeprefix("nvidia").isdigit()])
