"""What a running stage is given: its part of the task, the artifacts that it takes, a seed, and two folders."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from medsearch.cohorts.views import TaskView, View
from medsearch.stages.manifest import Manifest
from medsearch.training.epochs import WEIGHTS
from medsearch.training.runtime import Runtime

if TYPE_CHECKING:
    from medsearch.training.checkpoints import M

__all__ = ["STATES", "WEIGHTS", "Artifact", "Runtime", "StageContext"]

STATES = {"last": WEIGHTS, "best": "best.safetensors"}
"""Those of a stage that hands on two states, that of its last epoch and that of its best."""

V = TypeVar("V", bound=View[Any, Any], default=TaskView)
"""What a stage sees of its task: of tumours to segment, unless it says otherwise."""


@dataclass(frozen=True)
class Artifact:
    """A finished stage in the store. `bring` sees to it that an output lies in `directory` before it is asked for."""

    key: str
    directory: Path
    manifest: Manifest
    bring: Callable[[str], None] | None = field(default=None, compare=False, repr=False)

    @property
    def metrics(self) -> Mapping[str, float]:
        """What the stage came to, by the name of the metric, as in "validation/dice"."""
        return self.manifest.metrics

    def file(self, name: str) -> Path:
        """The path of one output, or of a folder of them, fetched if need be.

        Raises:
            BadInput: it was pruned.
            Damaged: it is not as it was written, here or at the URI, or the stage is not finished any more; what is
                damaged is set aside.
            Unreachable: it lies at a URI that does not answer.

        """
        if self.bring is not None:
            self.bring(name)
        return self.directory / name


@dataclass(frozen=True, kw_only=True)
class StageContext(Generic[V]):
    """Everything a stage may use: the declared part of the task, what came before it, a seed, and two folders."""

    task: V
    upstream: Mapping[str, Artifact]
    seed: int
    runtime: Runtime
    directory: Path
    """Outputs; they appear in the store when the stage is finished."""
    checkpoint: Path
    """A resumable state lives here while the stage runs; its files are replaced as a whole, never changed in place."""

    def trained(self, role: str, network: "M", name: str, *, file: str = WEIGHTS) -> "M":
        """`network`, on the run's device and in eval mode, with the weights that the stage upstream left of it.

        role: of that stage in `upstream`. name: by which it left the network in its output `file`.

        Raises:
            BadInput: names or shapes of weights differ.

        """
        from medsearch.training.checkpoints import load_trained  # imports torch
        from medsearch.training.precision import prepare_torch

        prepare_torch(self.runtime)
        return load_trained(network, self.upstream[role].file(file), name, self.runtime.device)


def training_hours(artifacts: Iterable[Artifact]) -> float:
    """How long these trained together, h, by their own records; a stage that several rows share counts in each."""
    return sum(float(artifact.manifest.seconds or 0) for artifact in artifacts) / 3600
