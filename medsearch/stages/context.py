"""What a running stage is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medsearch.core.recipes import recipe
from medsearch.data.views import TaskView


@recipe
class Runtime:
    """How to compute, never what: nothing here is part of a key. The manifest records it."""

    device: str = "cpu"
    threads: int = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 autocast where the device has it in hardware, fp32 elsewhere."""
    micro_batch: int = 0
    """Samples per forward pass; gradients accumulate to the recipe's batch. 0: the whole batch."""
    deterministic: bool = True


@dataclass(frozen=True)
class Artifact:
    """A finished stage in the store."""

    key: str
    directory: Path
    manifest: Mapping[str, Any]

    @property
    def metrics(self) -> Mapping[str, float]:
        """The outcome's metrics."""
        return self.manifest["metrics"]

    def file(self, name: str) -> Path:
        """The path of one output."""
        return self.directory / name


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """Everything a stage may use: the declared part of the task, what came before it, a seed, and two folders."""

    task: TaskView
    upstream: Mapping[str, Artifact]
    seed: int
    runtime: Runtime
    directory: Path
    """Outputs; they appear in the store when the stage is finished."""
    checkpoint: Path
    """A resumable state lives here while the stage runs."""
