"""A portion: what a job may use, and how far it may go with it. It travels to the worker with the job."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class ResourceGrant:
    """gpus: of a device, or of several. trains: keys of the stages that fit into it; None: all that the job has.

    probes: keys of the stages that are measured over one epoch, after which the job comes back; over all, if one is a
    single pass.
    """

    gpus: float = 0.0
    trains: frozenset[str] | None = None
    probes: frozenset[str] = frozenset()

    def covers(self, key: str) -> bool:
        """Whether the stage may be trained within it."""
        return self.trains is None or key in self.trains


EVERYTHING = ResourceGrant()
"""No GPU, and no limit to what is done."""
