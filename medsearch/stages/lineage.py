"""What is left to train of stage runs that take each other's outputs."""

from collections.abc import Collection, Sequence

from medsearch.stages.pipelines import StageRun
from medsearch.stages.store import Store


def due(runs: Sequence[StageRun], store: Store, *, ends: Collection[str] = ()) -> frozenset[str]:
    """The keys of those to train: what is not finished, and what lacks outputs while one that is to train takes it.

    runs: each after what it takes. ends: keys whose outputs are wanted for their own sake.
    """
    taken, found = set(ends), set()
    for run in reversed(runs):
        stored = store.whole(run.key) if run.key in taken else store.has(run.key)
        if not stored:
            found.add(run.key)
            taken.update(run.upstream.values())
    return frozenset(found)
