"""Randomness by name: one root seed, and an independent stream for everything that draws.

Adding a draw, a stage or a knob never moves the numbers that another name sees.
"""

import hashlib
from collections.abc import Iterable

import numpy as np


def seed(root: int, *names: str | int) -> int:
    """The seed of the stream `names` under `root`: a 63-bit integer, equal on every machine.

    >>> seed(0, "translation", "epoch", 3) == seed(0, "translation", "epoch", 3)
    True
    """
    path = "\x1f".join([str(root), *(str(name) for name in names)])
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "big") >> 1


def generator(root: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator on the stream `names` under `root`."""
    return np.random.default_rng(seed(root, *names))


def ranked(root: int, subjects: Iterable[str], *stream: str) -> tuple[str, ...]:
    """Subjects in a random order in which each one's place relative to the others depends on nobody else."""
    return tuple(sorted(subjects, key=lambda subject: (seed(root, *stream, subject), subject)))
