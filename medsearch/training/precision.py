"""bf16 autocast where the device has it in hardware; full precision elsewhere."""

import platform
from contextlib import AbstractContextManager

import torch

from medsearch.core.errors import BadInput
from medsearch.training.memory import allowance
from medsearch.training.runtime import Runtime


def uses_bf16(runtime: Runtime) -> bool:
    """Whether forward passes run in bf16."""
    if runtime.precision == "auto":
        return runtime.device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return runtime.precision == "bf16"


def autocast(runtime: Runtime) -> AbstractContextManager[object]:
    """The context of a forward pass; losses are computed outside it, in fp32."""
    return torch.autocast(runtime.device.split(":")[0], dtype=torch.bfloat16, enabled=uses_bf16(runtime))


def prepare_torch(runtime: Runtime) -> None:
    """Set this process's threads, determinism and share of the GPU for a run; nothing of an earlier run's stays.

    Raises:
        BadInput: the run is to compute on a GPU, and torch finds none here.

    """
    if runtime.device.startswith("cuda") and not torch.cuda.is_available():
        msg = (
            f"a stage was given a GPU on {platform.node()}, but torch {torch.__version__} finds none there; install a "
            "torch with CUDA and a driver that fits it, or compute on CPUs with --gpus-per-trial 0"
        )
        raise BadInput(msg)
    torch.set_num_threads(runtime.threads)
    torch.use_deterministic_algorithms(runtime.deterministic, warn_only=True)
    # nothing reads such memory, and filling it costs a tenth of the time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not runtime.deterministic
    if runtime.device.startswith("cuda"):
        index = torch.device(runtime.device).index
        capacity = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(allowance(runtime.share, capacity), index)
