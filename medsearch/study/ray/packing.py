"""Packing: which share of a GPU a job is granted, and what it may do with it.

With a fixed share every job has that one. With measured shares (`--gpus-per-trial auto`)

    a stage that was never measured   runs its first epoch alone on a GPU, then is handed out again
    a stage that was measured         has 1/k of a GPU, k as large as its peak allows

and a job whose next stage needs more than its share, or was never measured, comes back and is handed out anew. Nothing
is lost when it comes back: the stage goes on from its checkpoint, and one that is a single pass is measured over all of
it. A job that was out of memory on its share with one sample at a time comes back, too, and has a GPU of its own.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import final

from medsearch.stages.memory import Usage
from medsearch.stages.pipelines import StageRun, stages_to_train
from medsearch.stages.store import Store
from medsearch.study.engine.jobs import Job, ResourceGrant, RunResult
from medsearch.study.engine.probes import MOST, Configuration, Probes
from medsearch.study.ray.cluster import Resources
from medsearch.study.ray.cluster_capacity import ClusterCapacity
from medsearch.training.runtime import Runtime


@final
class Packing:
    """Grants jobs their shares, and remembers what they took.

    Raises:
        BadInput: no machine of the cluster can hold a run.

    """

    def __init__(self, resources: Resources, *, capacity: ClusterCapacity, probes: Probes, store: Store) -> None:
        self.resources = resources if capacity.has_gpus or not resources.measured else resources.without_gpus
        self.capacity = capacity
        self.probes = probes
        self.store = store
        self._alone: set[str] = set()
        capacity.require(self.resources.per_trial)

    def has_room(self, beside: Iterable[ResourceGrant]) -> bool:
        """Whether there is room for the smallest job; which one it is, is not asked before there is."""
        least = self.resources.per_trial
        if self.resources.measured:
            least = {**least, "GPU": 1 / MOST}
        return self.capacity.holds([*(self.resources.share(grant.gpus) for grant in beside), least])

    def fits(self, grant: ResourceGrant, beside: Iterable[ResourceGrant]) -> bool:
        """Whether the cluster can hold it now."""
        return self.capacity.holds([self.resources.share(held.gpus) for held in (*beside, grant)])

    def grant(self, job: Job) -> ResourceGrant:
        """The job's, for the stage that it comes to next and for those after it that need no more."""
        gpus = self.resources.gpus_per_trial
        if job.run in self._alone:
            return ResourceGrant(gpus=max(1.0, gpus))
        if not self.resources.measured:
            return ResourceGrant(gpus=gpus)
        needed = stages_to_train(job.runs, self.store, ends=job.keys[-1:])
        left = [run for run in job.runs if run.key in needed]
        if not left:
            return ResourceGrant(gpus=1 / MOST)
        first = self.probes.find(self._configuration(left[0]))
        if first is None:
            return ResourceGrant(gpus=gpus, trains=frozenset({left[0].key}), probes=frozenset({left[0].key}))
        trains = [left[0].key]
        for run in left[1:]:
            probe = self.probes.find(self._configuration(run))
            if probe is None or probe.share > first.share:
                break
            trains.append(run.key)
        return ResourceGrant(gpus=first.share, trains=frozenset(trains))

    def runtime(self, grant: ResourceGrant) -> Runtime:
        """How stages compute within a grant: with its part of a GPU, of the whole one where it has none."""
        return replace(self.resources.runtime, share=min(1.0, grant.gpus) if grant.gpus else 1.0)

    def learn(self, job: Job, grant: ResourceGrant, end: RunResult) -> None:
        """Take in what the job took: of a probe, of stages that it finished, or that its share was too small."""
        if end.requeue_reason == "alone":
            self._alone.add(job.run)
        if not self.resources.measured:
            return
        needed = stages_to_train(job.runs, self.store, ends=job.keys[-1:])
        for run in job.runs:
            if run.key not in needed and grant.covers(run.key):
                usage = Usage.recorded(self.store.artifact(run.key).manifest)
                if usage is not None and usage.capacity:
                    self.probes.keep(self._configuration(run), run, usage)
        first = next((run for run in job.runs if run.key in needed), None)
        if first is None:
            return
        configuration = self._configuration(first)
        if end.requeue_reason == "alone":  # the stage that was out of memory is the first that is left
            known = self.probes.find(configuration)
            usage = known.usage if known else Usage(device=self.capacity.device, capacity=0, peak=0, seconds=0.0)
            self.probes.keep(configuration, first, usage, whole=True)
        elif end.usage is not None and first.key in grant.probes:
            self.probes.keep(configuration, first, Usage(**end.usage))

    def _configuration(self, run: StageRun) -> Configuration:
        return Configuration.of(run, self.resources.runtime, self.capacity.device)
