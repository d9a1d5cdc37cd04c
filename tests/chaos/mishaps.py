"""What goes wrong in a round, and when: drawn from a seed."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["node", "raylet", "worker", "driver", "mlflow", "postgresql"]
KILLS: tuple[Kind, ...] = ("node", "raylet", "worker", "driver")
"""Mishaps that kill what computes; the others stop servers."""


@dataclass(frozen=True)
class Mishap:
    """kind: what goes wrong. after: when so much of the epochs that are needed was begun, 0 to 1.

    away: seconds until a server comes back. gently: it is told to stop rather than killed.
    """

    kind: Kind
    after: float
    away: float = 0.0
    gently: bool = False

    def __str__(self) -> str:
        return f"{self.kind} at {self.after:.0%}"


def script(seed: int, count: int) -> tuple[Mishap, ...]:
    """`count` mishaps in the order in which they happen; the first six are one of each kind."""
    rng = random.Random(seed)
    kinds = list[Kind]()
    while len(kinds) < count:
        more = list(get_args(Kind))
        rng.shuffle(more)
        kinds += more[: count - len(kinds)]
    places = sorted(rng.uniform(0.05, 0.95) for _ in kinds)
    return tuple(
        Mishap(kind, round(after, 3), away=round(rng.uniform(0.0, 6.0), 1), gently=rng.random() < 0.5)
        for kind, after in zip(kinds, places, strict=True)
    )
