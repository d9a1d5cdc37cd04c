"""How to compute, never what."""

from typing import Literal

from medsearch.core.recipes import recipe


@recipe
class Runtime:
    """Device, threads and precision of a run. Nothing here is part of a key; the manifest records it."""

    device: str = "cpu"
    threads: int = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast where the GPU has it in hardware, fp32 elsewhere."""
    micro_batch: int = 0
    """Samples per forward pass; gradients accumulate to the recipe's batch. 0: the whole batch at once."""
    deterministic: bool = True
