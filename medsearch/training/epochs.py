"""What a training hands to whoever runs its stage: a record of every epoch, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WEIGHTS = "weights.safetensors"
"""The output in which a training leaves its networks."""


@dataclass(frozen=True)
class Epoch:
    """One epoch's record: losses as `train/<term>`, the selection metric as `validation/dice`.

    steps, stepping: how many optimiser steps were made, and in how many seconds; they are no part of what it says.
    """

    number: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: int = field(default=0, compare=False, repr=False)
    stepping: float = field(default=0.0, compare=False, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What a finished stage says of itself; its files lie in the folder it was given."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
