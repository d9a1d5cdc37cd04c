"""Memory of the device that a run computes on: when it is out, how to get it back, how much was taken, how much may be.

Importable without torch, which is asked only where a run has imported it.
"""

import errno
import gc
import re
import resource
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

from medsearch.training.runtime import Runtime

CONTEXT = 768 << 20
"""Bytes that a process takes of a GPU besides torch's tensors: the driver's context and the kernels of libraries."""

OUT = re.compile(r"out of memory|can't allocate memory|ALLOC_FAILED", re.IGNORECASE)
"""What CUDA, torch's allocator of the CPU, cuBLAS and cuDNN say."""


MAIN = re.compile(r"can't allocate memory", re.IGNORECASE)
"""What of it torch's allocator of the CPU says."""


def exhausted(error: BaseException) -> bool:
    """Whether memory ran out. torch's own error for it is a RuntimeError."""
    return main_exhausted(error) or (isinstance(error, RuntimeError) and bool(OUT.search(str(error))))


def main_exhausted(error: BaseException) -> bool:
    """Whether the machine's own memory ran out, or what a run may take of it (`bounded`)."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(MAIN.search(str(error))))


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Within, this process is refused main memory of its own beyond `size` bytes; 0: it is not.

    The kernel refuses it where it is asked for, before a page is touched: numpy raises MemoryError, torch its
    RuntimeError, and a run comes down the ladder of micro-batches or ends by its own fault, while the machine has room.
    Files mapped for reading, and what other processes share, do not count. What is set aside and not used when the
    block begins (stacks of threads, arenas) does not, either. On Linux; other systems ignore the limit.
    """
    if not size:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = size + max(0, _status("VmData") - main_taken())
    resource.setrlimit(resource.RLIMIT_DATA, (most if before[1] < 0 else min(most, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def main_taken() -> int:
    """Bytes of main memory that are this process's own."""
    return _status("RssAnon")


def forget(error: BaseException) -> None:
    """Clear the frames that a handled error holds, and with them the tensors of the training that it ended."""
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__


def release() -> None:
    """Give back what is held in reference cycles, and the GPU memory that torch keeps for itself."""
    gc.collect()
    if torch := _cuda():
        torch.cuda.empty_cache()


def allowance(share: float, capacity: int) -> float:
    """The fraction of a device of `capacity` bytes that torch may take of a `share`: its context comes off it."""
    return 1.0 if share >= 1 else max(0.01, share - CONTEXT / capacity)


@final
class DeviceMeter:
    """Measures on a run's GPU what torch reserved there, on the CPU the growth of the process (for information)."""

    def __init__(self, runtime: Runtime) -> None:
        self._gpu = runtime.device.startswith("cuda")
        self._began = 0

    def begin(self) -> None:
        """Begin to measure: `peak` is of what is taken from now on."""
        if not self._gpu:
            with suppress(OSError):  # not on Linux, or not allowed: the peak is then that of the whole process
                Path("/proc/self/clear_refs").write_text("5")
            self._began = _status("VmRSS")
        elif torch := _cuda():
            torch.cuda.empty_cache()  # what an earlier stage of this process reserved is none of this one's peak
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        """Bytes taken at most since `begin`."""
        if not self._gpu:
            return max(0, _status("VmHWM") - self._began)
        torch = _cuda()
        return int(torch.cuda.max_memory_reserved()) if torch else 0

    def device(self) -> tuple[str, int]:
        """The device's name, and the bytes that it has; 0 where there is no telling."""
        torch = _cuda() if self._gpu else None
        if torch is None:
            return ("cpu", 0) if not self._gpu else ("gpu", 0)
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        return str(properties.name), int(properties.total_memory)


def _cuda() -> Any:
    """torch, if this process has imported it and computes on a GPU."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


def _status(field: str) -> int:
    """A size from Linux's account of this process, in bytes; 0 elsewhere."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0
