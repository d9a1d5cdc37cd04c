"""The task's own volumes as what units are cut from."""

from functools import partial

from medsearch.data.units import Mask, Source
from medsearch.data.views import Domain, SplitName, TaskView


def domain_source(task: TaskView, domain: Domain, split: SplitName, *, masks: bool = True) -> Source:
    """Volumes of one domain and split; with `masks=False` none is asked for."""
    return Source(
        subjects=task.subjects(domain, split),
        image=partial(task.mapped_image, domain, split),
        mask=partial(task.mapped_mask, domain, split) if masks else _unknown,
        presence=partial(task.presence, domain, split),
        tumour_areas=partial(task.tumour_areas, domain, split),
        box=task.box,
        geometry=task.geometry,
    )


def _unknown(subject: str) -> Mask | None:  # noqa: ARG001
    return None
