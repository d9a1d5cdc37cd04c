"""Axial slices of whole hemispheres, diseased or healthy by how much of the brain is tumour (the thesis, 4.4.1)."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.ranges import Fraction
from medsearch.core.recipes import recipe
from medsearch.data.geometry import Geometry, Triple, halves
from medsearch.data.sources import domain_source
from medsearch.data.units import Halves, Source, Unit
from medsearch.data.views import Domain, SplitName, TaskView


@recipe
class SliceRule:
    """Which slices of a hemisphere are diseased, which healthy, and which nobody sees.

    diseased_share: of the brain's area in the slice, tumour; a slice with less is neither diseased nor healthy.
        The paper says 1 %; the released code counts the brain once per contrast, which makes it 4 %.
    least_brain: share of the slice that is brain (released code).
    """

    diseased_share: Fraction = 0.01
    least_brain: Fraction = 0.25

    def parted(
        self, images: NDArray[Any], tumour: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Diseased and healthy slices (2, z) of both hemispheres (2, z, y, x) with `tumour` (2, z) voxels in each."""
        brain = np.count_nonzero(images, axis=(2, 3))
        seen = brain > self.least_brain * images[0, 0].size
        return seen & (tumour >= self.diseased_share * brain) & (tumour > 0), seen & (tumour == 0)


def hemispheres(geometry: Geometry, shape: Triple) -> Geometry:
    """The geometry whose halves are whole ones: all slices and rows, and every column up to the midline."""
    return replace(geometry, depth=(0, shape[0]), crop=(shape[0], shape[1], -(-shape[2] // 2)))


def hemisphere_source(task: TaskView, domain: Domain, split: SplitName, *, masks: bool = True) -> Source:
    """Volumes of one domain and split, cut into whole hemispheres; with `masks=False` no mask is asked for."""
    source = domain_source(task, domain, split, masks=masks)
    return replace(source, geometry=hemispheres(task.geometry, task.shape))


def hemisphere_slices(source: Source, rule: SliceRule) -> tuple[Halves, Halves]:
    """The diseased slices of `source`, and the healthy ones."""
    diseased, healthy = [], []
    for subject in source.subjects:
        cut = halves(source.image(subject), source.geometry, source.box(subject))
        sick, well = rule.parted(cut, source.tumour_areas(subject))
        diseased += _units(subject, sick)
        healthy += _units(subject, well)
    return Halves(source, tuple(diseased)), Halves(source, tuple(healthy))


def _units(subject: str, where: NDArray[np.bool_]) -> list[Unit]:
    return [Unit(subject, side, z) for side, z in np.argwhere(where).tolist()]
