"""What sharing stages saved, in stage-seconds: a stage that many cells ask for was trained once."""

from dataclasses import dataclass
from typing import final

from medsearch.stages.store import Store
from medsearch.study.engine.graph import Graph


@final
@dataclass(frozen=True, kw_only=True)
class Savings:
    """Stage runs asked for and distinct, of those that are stored; seconds of each cell run alone, and as it is."""

    asked: int
    distinct: int
    alone: float
    shared: float

    def __str__(self) -> str:
        if not self.alone:
            return "no stage run is stored yet"
        part = 1 - self.shared / self.alone
        return (
            f"{self.distinct} stage runs served {self.asked}: {self.shared:,.0f} stage-seconds instead of "
            f"{self.alone:,.0f}, {part:.0%} saved by sharing"
        )


def savings(graph: Graph, store: Store) -> Savings:
    """What the stored stage runs of a graph took, and would have taken without sharing."""
    seconds = {key: float(store.artifact(key).manifest.seconds or 0) for key in graph.items if store.has(key)}
    asked = [run.key for owner in graph.owners for run in owner.runs if run.key in seconds]
    return Savings(
        asked=len(asked),
        distinct=len(seconds),
        alone=sum(seconds[key] for key in asked),
        shared=sum(seconds.values()),
    )
