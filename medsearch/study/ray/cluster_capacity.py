"""The cluster's capacity: whether one more run fits beside those under way, when their shares differ in size."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from medsearch.core.errors import BadInput

CALM = 5.0  # seconds for which the cluster's size is believed
EPSILON = 1e-6  # three runs of a third of a GPU fill it
KIND = "accelerator_type:"

Share = Mapping[str, float]
"""What a run asks of one machine, in Ray's words: {"CPU": 1.0, "GPU": 0.5}."""


@final
@dataclass
class _Machine:
    """What is free on a machine while shares are laid out: cores, the rest of each GPU, bytes of main memory."""

    cpus: float
    gpus: list[float]
    memory: float

    def waste(self, share: Share) -> float | None:
        """What would be left of the GPU that suits best; None where the share does not fit."""
        gpus = share.get("GPU", 0.0)
        if self.cpus + EPSILON < share.get("CPU", 0.0) or self.memory < share.get("memory", 0.0):
            return None
        if not gpus:
            return 0.0
        if gpus > 1:
            whole = sum(free >= 1 - EPSILON for free in self.gpus)
            return 0.0 if whole >= math.ceil(gpus - EPSILON) else None
        fitting = [free - gpus for free in self.gpus if free + EPSILON >= gpus]
        return min(fitting, default=None)

    def take(self, share: Share) -> None:
        """Lay the share out; Ray, too, fills the fullest GPU that has the room."""
        self.cpus -= share.get("CPU", 0.0)
        self.memory -= share.get("memory", 0.0)
        gpus = share.get("GPU", 0.0)
        if gpus > 1:
            for _ in range(math.ceil(gpus - EPSILON)):
                self.gpus.remove(next(free for free in self.gpus if free >= 1 - EPSILON))
                self.gpus.append(0.0)
        elif gpus:
            best = min(
                (index for index, free in enumerate(self.gpus) if free + EPSILON >= gpus), key=self.gpus.__getitem__
            )
            self.gpus[best] -= gpus


def fit_together(shares: Iterable[Share], machines: Iterable[Mapping[str, float]]) -> bool:
    """Whether all of the shares can be laid out on the machines, the largest first, each where it wastes least.

    Where Ray has laid the running ones out worse, the last run waits in Ray's queue until one of them ends: it counts
    as under way, so nothing smaller overtakes it.
    """
    free = [_Machine(of.get("CPU", 0.0), _gpus(of), of.get("memory", 0.0)) for of in machines]
    for share in sorted(shares, key=lambda share: (-share.get("GPU", 0.0), -share.get("CPU", 0.0))):
        wastes = [(waste, place) for place, machine in enumerate(free) if (waste := machine.waste(share)) is not None]
        if not wastes:
            return False
        free[min(wastes)[1]].take(share)
    return True


def living_machines() -> list[Mapping[str, float]]:
    """What each machine of the cluster that is alive has, in Ray's words."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@final
class ClusterCapacity:
    """The cluster's machines; asked anew every few seconds, for clusters grow and shrink."""

    def __init__(self, look: Callable[[], Sequence[Mapping[str, float]]] = living_machines) -> None:
        self._look = look
        self._machines: Sequence[Mapping[str, float]] = ()
        self._asked = -CALM

    def holds(self, shares: Iterable[Share]) -> bool:
        """Whether the cluster can hold all these runs at once; a run has its share on one machine."""
        return fit_together(shares, self._now())

    def require(self, share: Share) -> None:
        """Refuse to wait for room that no machine has.

        Raises:
            BadInput: no machine can hold such a run.

        """
        if not self.holds([share]):
            msg = f"a trial asks for {dict(share)}, which no node of the cluster has; give a trial less"
            raise BadInput(msg)

    @property
    def has_gpus(self) -> bool:
        """Whether any machine of the cluster has a GPU."""
        return any(_gpus(machine) for machine in self._now())

    @property
    def device(self) -> str:
        """The kind of GPU that runs meet here, as Ray detects it; all kinds where there are several."""
        kinds = {name.removeprefix(KIND) for machine in self._now() for name in machine if name.startswith(KIND)}
        return "+".join(sorted(kinds)) or "gpu"

    def _now(self) -> Sequence[Mapping[str, float]]:
        now = time.monotonic()
        if now - self._asked > CALM:
            self._machines, self._asked = self._look(), now
        return self._machines


def _gpus(machine: Mapping[str, float]) -> list[float]:
    whole = int(machine.get("GPU", 0.0) + EPSILON)
    part = machine.get("GPU", 0.0) - whole
    return [1.0] * whole + ([part] if part > EPSILON else [])
