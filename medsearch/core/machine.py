"""What the machine under a process gives it, and work on many files at once in as many threads as that allows."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import medsearch

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def python_path() -> str:
    """A PYTHONPATH by which another process finds this very package, whichever is installed."""
    here, given = str(Path(medsearch.__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")
    return given if given.split(os.pathsep)[0] == here else os.pathsep.join(filter(None, [here, given]))


def cores() -> int:
    """The cores that this process may use: in a container or a batch job they are fewer than the machine's.

    The least of what the scheduler allows (affinity), of CPU time quotas of control groups (Docker's `--cpus`,
    Kubernetes' limits; version 1 or 2), rounded up, and of what Slurm gave to the task.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    slurm = int(given) if given.isdigit() and int(given) else allowed
    return max(1, min(allowed, slurm, *(math.ceil(quota) for quota in _quotas())))


def _quotas() -> Iterator[float]:
    """CPUs by the quota of this process's control group and of each above it, of those that have one."""
    try:
        lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / "cpu" if controllers else CGROUPS
        # A container may see its own group as the root, under whatever name it has outside.
        for group in {root, *((root / own.lstrip("/")).parents), root / own.lstrip("/")}:
            if not group.is_relative_to(root):
                continue
            names = ["cpu.max"] if (group / "cpu.max").exists() else ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            try:
                quota, period = " ".join((group / name).read_text(encoding="utf-8") for name in names).split()
                share = float(quota) / float(period)
            except (OSError, ValueError, ZeroDivisionError):  # none here, or "max"
                continue
            if share > 0:
                yield share


Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKERS = 2
"""Volumes are large, and the machine may be shared: more threads would cost memory before they save time."""


def concurrently(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The result of `work` on every item, in order. Left early (an error, Ctrl-C), it begins no further item."""
    pool = ThreadPoolExecutor(max_workers=min(_WORKERS, cores()))
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
