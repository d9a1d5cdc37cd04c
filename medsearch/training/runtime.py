"""The device, precision and share of memory that a run computes with; none of it decides what is computed."""

from typing import Annotated, Literal

from medsearch.core.ranges import NonNegativeInt, PositiveInt, Range
from medsearch.core.recipes import recipe


@recipe
class Runtime:
    """Device, threads and precision of a run; the manifest records them.

    Nothing here is part of a stage's key, or the machine that a stage happened to meet would decide which rows of a
    table share it. Precision and the order of sums move its numbers by rounding. A micro-batch moves them further:
    what is a mean over samples stays that of the whole batch, but a batch-wise Dice becomes the mean of the parts' own
    and a normalisation over the batch sees a part. So a study keeps to one micro-batch where it can, and the manifest
    says where it could not.
    """

    device: str = "cpu"
    threads: PositiveInt = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast where the GPU has it in hardware, fp32 elsewhere."""
    micro_batch: NonNegativeInt = 0
    """Samples per forward pass; gradients accumulate to the recipe's batch. 0: the whole batch at once."""
    deterministic: bool = True
    share: Annotated[float, Range(0, 1, above=True)] = 1.0
    """Of the device's memory that the run may take. Above it, it is out of memory, however much is free: a run that
    shares its GPU fails by its own demand, never by its neighbours'."""

    @property
    def shared(self) -> bool:
        """Whether other runs may be on the same GPU."""
        return self.share < 1

    def at_once(self, batch: int) -> int:
        """How many of `batch` samples go through the networks together."""
        return min(batch, self.micro_batch) if self.micro_batch else batch
