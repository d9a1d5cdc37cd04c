"""The next batch is cut and augmented while a GPU works on the last."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar

from medsearch.training.adversarial import pieces
from medsearch.training.runtime import Runtime

Item = TypeVar("Item")
Part = TypeVar("Part", bound="Parted")
Moved = TypeVar("Moved", bound="TensorBatch")


class Parted(Protocol):
    """A batch that can be cut along its samples."""

    def __len__(self) -> int: ...

    def __getitem__(self: Part, part: slice, /) -> Part: ...

    def to(self: Part, device: str, /) -> Part:
        """The same batch with its tensors on `device`, such as "cuda"."""


class TensorBatch:
    """A dataclass of tensors, and of other such batches, all cut and moved as one; other fields stay as they are.

    Fields that hold fewer samples than others, as masks of the annotated ones do, hold the first ones of the batch.
    """

    def __len__(self) -> int:
        """The number of samples of the fields that hold most."""
        return max(len(value) for value in self._counted().values())

    def __getitem__(self: Moved, part: slice) -> Moved:
        """The samples `part` of every tensor: a micro-batch."""
        return replace(self, **{name: value[part] for name, value in self._counted().items()})  # type: ignore[type-var]

    def to(self: Moved, device: str) -> Moved:
        """The same batch with its tensors on `device`, such as "cuda"."""
        return replace(self, **{name: value.to(device) for name, value in self._counted().items()})  # type: ignore[type-var]

    def _counted(self) -> dict[str, Any]:
        """The fields that are tensors or batches, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if hasattr(value, "to")}


def micro_batches(batches: Iterator[Part], runtime: Runtime) -> Iterator[list[Part]]:
    """Each batch as the parts that a step takes, on the run's device; the next one is made meanwhile."""
    for batch in prefetched(batches, runtime.device):
        yield [batch[part].to(runtime.device) for part in pieces(len(batch), runtime.micro_batch)]


def prefetched(items: Iterator[Item], device: str) -> Iterator[Item]:
    """The same items; away from the CPU, each is made in the background while its predecessor is used.

    One thread draws them all in order, so random numbers fall as they would without it. On a CPU the cores are busy.
    """
    if device == "cpu":
        yield from items
        return
    end: Any = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item
