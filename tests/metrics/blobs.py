"""Made-up masks."""

import numpy as np


def blob(seed: int, shape: tuple[int, int, int] = (14, 12, 10)) -> np.ndarray:
    """A ball of random place and size, with a rough rim; it may touch the border."""
    rng = np.random.default_rng(seed)
    distance = np.sqrt(
        sum((axis - rng.uniform(2, size - 2)) ** 2 for axis, size in zip(np.indices(shape), shape, strict=True))
    )
    return distance + rng.uniform(-1, 1, shape) < rng.uniform(2, 5)
