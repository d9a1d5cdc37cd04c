"""Probes: what a stage takes of a GPU, measured once for each configuration and kept in HOME/probes.

A configuration is a stage with its recipe and version, the geometry of its data, a precision, a micro-batch and a kind
of GPU; it has one file, named by the fingerprint of all these. What later runs of it take raises the peak.

Configurations that differ in numbers only (a loss weight, a learning rate) are kin. A configuration that was never run
is packed like its kin, so that a search over weights does not wait for an empty GPU at every trial; zero and other
numbers are no kin, for a weight of zero may switch a network off. Where kin deceives, the run fails at its own share,
comes down the ladder of micro-batches, and is measured itself.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import Damaged
from medsearch.core.recipes import fingerprint, plain
from medsearch.core.records import read_record, write_sealed
from medsearch.stages.manifest import Manifest
from medsearch.stages.memory import Usage
from medsearch.stages.pipelines import StageRun
from medsearch.training.memory import CONTEXT
from medsearch.training.runtime import Runtime

MARGIN = 1.1
"""Of the measured peak: later epochs may take a little more than the first."""

MOST = 8
"""Runs on one GPU; beyond it they only wait for each other's kernels."""


@final
@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was measured of a configuration. whole: it was out of memory on a share, so it is given a GPU of its own."""

    stage: str
    recipe: Any
    kin: str
    usage: Usage
    whole: bool = False

    @property
    def share(self) -> float:
        """The part of a GPU that the configuration is given, in (0, 1]."""
        return 1.0 if self.whole else share_of(self.usage)


@final
@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How a probe is found: by the fingerprint of all that memory may depend on, else by that of its kin."""

    exact: str
    kin: str

    @staticmethod
    def of(run: StageRun, runtime: Runtime, device: str) -> "Configuration":
        """The configuration of a stage run on a kind of device."""
        content = {
            "stage": run.stage.name,
            "version": run.stage.version,
            "settings": run.stage,
            "geometry": run.task.geometry,
            "precision": runtime.precision,
            "micro_batch": runtime.micro_batch,
            "device": device,
        }
        return Configuration(exact=fingerprint(content), kin=fingerprint(_coarse(plain(content))))


@final
class Probes:
    """The probes in a folder. One driver writes a file at a time; another study's are seen when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, configuration: Configuration) -> Probe | None:
        """The configuration's own, or the hungriest of its kin's."""
        own = self._read(self.folder / f"{configuration.exact}.json")
        if own is not None:
            return own
        kin = [probe for probe in self if probe.kin == configuration.kin]
        return max(kin, key=lambda probe: (probe.whole, probe.usage.peak), default=None)

    def keep(self, configuration: Configuration, run: StageRun, usage: Usage, *, whole: bool = False) -> None:
        """Write down what a run took. A peak is never lowered; times are those of the last run."""
        path = self.folder / f"{configuration.exact}.json"
        known = self._read(path)
        if known is not None:
            usage = replace(usage, peak=max(usage.peak, known.usage.peak))
            whole = whole or known.whole
        recipe = plain(run.stage.recipe)
        probe = Probe(stage=run.stage.name, recipe=recipe, kin=configuration.kin, usage=usage, whole=whole)
        if probe != known:
            write_sealed(path, plain(probe))

    def __iter__(self) -> Iterator[Probe]:
        for path in sorted(self.folder.glob("*.json")):
            if (probe := self._read(path)) is not None:
                yield probe

    def timings(self) -> Iterator[Manifest]:
        """What a plan asks of a manifest (stage, recipe, epochs, seconds), for stages that were never finished."""
        for probe in self:
            epochs = probe.recipe.get("epochs") if isinstance(probe.recipe, Mapping) else None
            if isinstance(epochs, int) and probe.usage.seconds:
                seconds = probe.usage.seconds * epochs
                yield Manifest(stage=probe.stage, recipe=probe.recipe, metrics={}, epochs=epochs, seconds=seconds)

    def _read(self, path: Path) -> Probe | None:
        try:
            content = read_record(path)
            return Probe(**{**content, "usage": Usage(**content["usage"])})
        except (OSError, Damaged, TypeError, KeyError):  # not there, or of another version: it is measured again
            return None


def share_of(usage: Usage) -> float:
    """The largest 1/k of the GPU's memory in which the run and its process fit; all of it where there is no telling."""
    if usage.capacity <= 0:
        return 1.0
    needed = (usage.peak * MARGIN + CONTEXT) / usage.capacity
    count = max(1, min(MOST, math.floor(1 / needed)))
    return math.floor(1e4 / count) / 1e4  # Ray counts in ten-thousandths, and `count` of them must fit


def _coarse(content: Any) -> Any:
    """JSON with every number that is no count reduced to whether it is zero."""
    if isinstance(content, Mapping):
        return {name: _coarse(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_coarse(value) for value in content]
    return bool(content) if isinstance(content, float) else content
