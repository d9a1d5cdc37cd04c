"""What the regressor trains on: stacks of P slices of K volumes, each with its region's first and last slice (Eq. 2).

Slices are numbered from a region's first one, 0, to its last one. They are not augmented: the paper says nothing of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from medsearch.core.errors import BadInput
from medsearch.training.prefetch import TensorBatch

Sampling = Literal["equal-steps", "random"]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class StackBatch(TensorBatch):
    """Stacks of slices in [-1, 1], superior ones first, and their body masks; `of` so many in the whole batch."""

    x: Float[Tensor, "k p 1 h w"]
    bm: Bool[Tensor, "k p h w"]
    of: int

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, part: slice) -> "StackBatch":
        """Some of the stacks."""
        return StackBatch(self.x[part], self.bm[part], self.of)

    @property
    def emphasis(self) -> float:
        """What makes the sums of Eqs. 1-3 over some of the stacks add up, when steps weigh them by their shares."""
        return self.of / len(self)


def stack(count: int, size: int, *, sampling: Sampling, rng: np.random.Generator) -> Numbers:
    """`size` of a region's `count` slices, rising, the first and the last among them.

    Those between lie at equal steps, of a random length and from a random start (after Yan et al. 2018, who favour
    starts near the ends), or are drawn at random.
    """
    between, within = size - 2, count - 2
    if sampling == "random":
        drawn = np.sort(rng.choice(within, between, replace=False))
    elif between:
        step = int(rng.integers(1, within // between, endpoint=True))
        start = int(rng.integers(0, within - (between - 1) * step))
        drawn = start + step * np.arange(between)
    else:
        drawn = np.arange(0)
    return np.concatenate([[0], 1 + drawn, [count - 1]]).astype(np.intp)


def stacks(
    counts: Sequence[int], *, volumes: int, size: int, sampling: Sampling, rng: np.random.Generator
) -> Iterator[tuple[int, Numbers]]:
    """Which slices of which volumes make a step; a volume comes twice only where there are fewer than are asked for.

    Args:
        counts: slices of every volume's region.
        volumes: K.
        size: P.
        sampling: of the slices between.
        rng: draws all.

    """
    rounds = -(-volumes // len(counts))
    order = np.concatenate([rng.permutation(len(counts)) for _ in range(rounds)])[:volumes]
    for volume in order.tolist():
        yield volume, stack(counts[volume], size, sampling=sampling, rng=rng)


def require_slices(counts: Mapping[str, int], size: int) -> None:
    """Refuse a case whose region is too short for a stack, and stacks that cannot have two ends.

    Raises:
        BadInput: with the case.
    """
    if size < 2:
        msg = f"regressor.slices = {size}: a stack has a first and a last slice; it must be 2 or more"
        raise BadInput(msg)
    for case, count in counts.items():
        if count < size:
            msg = (
                f"the abdominal region of {case} has {count} slices, fewer than the {size} of regressor.slices; lower "
                "that, or leave the case out"
            )
            raise BadInput(msg)
