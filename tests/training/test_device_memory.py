import errno
import mmap
import os
import resource
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from medsearch.training.memory import (
    CONTEXT,
    DeviceMeter,
    allowance,
    bounded,
    exhausted,
    forget,
    main_exhausted,
    main_taken,
    release,
)
from medsearch.training.runtime import Runtime


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:115] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_what_says_that_memory_ran_out(error: BaseException) -> None:
    assert exhausted(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), ValueError("out of memory"), OSError("out of memory"), KeyboardInterrupt()]
)
def test_what_does_not(error: BaseException) -> None:
    assert not exhausted(error)


def test_torch_really_says_so() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**48, dtype=torch.float64)
    assert exhausted(caught.value)


def test_a_forgotten_error_holds_no_locals() -> None:
    def fails() -> None:
        big = [0] * 1000
        raise MemoryError(len(big))

    try:
        fails()
    except MemoryError as error:
        frame = list(traceback.walk_tb(error.__traceback__))[-1][0]
        assert "big" in frame.f_locals
        forget(error)
        assert "big" not in frame.f_locals
    release()


def test_a_share_leaves_room_for_the_process_itself() -> None:
    capacity = 80 << 30
    assert allowance(1.0, capacity) == 1.0
    assert allowance(2.0, capacity) == 1.0
    assert allowance(0.25, capacity) * capacity == pytest.approx(0.25 * capacity - CONTEXT)
    assert allowance(0.01, 8 << 30) == 0.01, "never nothing, and never below"


def test_the_host_meter_sees_growth_and_forgets_it() -> None:
    meter = DeviceMeter(Runtime())
    meter.begin()
    torch.ones(64 << 20, dtype=torch.uint8)
    assert meter.peak() > 48 << 20
    meter.begin()
    assert meter.peak() < 48 << 20
    assert meter.device() == ("cpu", 0)


def test_without_a_gpu_there_is_nothing_to_read() -> None:
    meter = DeviceMeter(Runtime(device="cuda"))
    meter.begin()
    assert (meter.peak(), meter.device()) == (0, ("gpu", 0))


@pytest.mark.parametrize(
    "allocate",
    [
        lambda size: torch.empty(size, dtype=torch.uint8),
        lambda size: np.empty(size, dtype=np.uint8),
        bytearray,
        lambda size: mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
    ],
    ids=["torch", "numpy", "python", "kernel"],
)
def test_what_is_beyond_the_bound_is_refused_where_it_is_asked_for(allocate: Callable[[int], object]) -> None:
    """At once, untouched: a run that asks for all of the machine must not have it until somebody looks."""
    before = main_taken()
    with bounded(before + 200_000_000):
        allocate(50_000_000)
        began = time.monotonic()
        with pytest.raises((MemoryError, RuntimeError, OSError)) as caught:
            allocate(14_000_000_000)
        assert time.monotonic() - began < 1
        assert main_exhausted(caught.value)
        assert exhausted(caught.value)
        allocate(50_000_000)
        assert main_taken() < before + 200_000_000
    allocate(300_000_000)


def test_files_that_are_mapped_and_what_was_only_set_aside_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "arrays").write_bytes(b"")
    os.truncate(tmp_path / "arrays", 2_000_000_000)
    aside = mmap.mmap(-1, 3_000_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with bounded(main_taken() + 200_000_000):
        mapped = np.memmap(tmp_path / "arrays", dtype=np.uint8, mode="r")
        assert mapped[::100_000_000].sum() == 0
        np.ones(100_000_000, dtype=np.uint8)
        with pytest.raises(MemoryError):
            np.ones(300_000_000, dtype=np.uint8)
    aside.close()


def test_a_bound_is_taken_back_and_none_is_none() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with bounded(1_000_000_000):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] > 0
    with pytest.raises(KeyError), bounded(1_000_000_000):
        raise KeyError
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with bounded(0):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_full_device_is_not_the_machine_s_memory() -> None:
    assert not main_exhausted(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert main_exhausted(OSError(errno.ENOMEM, "Cannot allocate memory"))
