import traceback

import pytest
import torch

from medsearch.training.memory import CONTEXT, DeviceMeter, allowance, exhausted, forget, release
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
