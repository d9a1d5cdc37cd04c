"""Bodies as levels of a depth: what is less deep than a level is inside."""

import numpy as np

from medsearch.phantoms.grids import Array

_EDGE_MM = 1.5


def inside(depth: Array, below: float) -> Array:
    """One where `depth` is less than `below`, zero where more, with an edge of `_EDGE_MM`."""
    return np.asarray(np.clip((below - depth) / _EDGE_MM + 0.5, 0, 1), dtype=np.float32)


def level(depth: Array, available: Array, voxels: float) -> float:
    """The level of `depth` below which the available shares add up to `voxels` (or all there is)."""
    candidates = np.isfinite(depth) & (available > 0)
    order = np.argsort(depth[candidates])
    filled = np.cumsum(available[candidates][order], dtype=np.float64)
    if not len(filled):
        return -np.inf
    last = min(int(np.searchsorted(filled, voxels)), len(filled) - 1)
    return float(depth[candidates][order[last]])
