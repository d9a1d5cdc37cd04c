from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from medsearch.cohorts.patches import (
    PatchIndex,
    SliceRule,
    SubjectVolumes,
    hemisphere_slices,
    hemisphere_volumes,
    hemispheres,
)
from medsearch.cohorts.views import TaskView
from medsearch.imaging.geometry import Geometry, halves, place_halves
from tests.micro import TASK, Micro

GEOMETRY = Geometry(spacing=(1.0, 1.0, 1.0), slice_size=16, depth=(1, 3), crop=(2, 4, 2))
BOX = ((0, 6), (0, 10), (0, 20))
SHAPE = (6, 10, 20)


@pytest.mark.parametrize("shape", [(6, 10, 20), (5, 9, 13)])
def test_whole_hemispheres_hold_every_voxel(shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    whole = hemispheres(GEOMETRY, shape)
    both = halves(volume, whole, BOX)
    assert both.shape == (2, *shape[:2], (shape[2] + 1) // 2)
    np.testing.assert_array_equal(place_halves(both, shape, whole, BOX), volume)


def volumes(brain: list[int], tumour: list[int]) -> SubjectVolumes:
    """Slice z has that many voxels of brain in the half at low x, and of tumour; the other half is empty."""
    volume, areas = np.zeros(SHAPE, np.float16), np.zeros((2, SHAPE[0]), np.int64)
    for z, count in enumerate(brain):
        volume[z, :, :10] = (np.arange(100) < count).reshape(10, 10)
    areas[0] = tumour

    def image(_: str) -> NDArray[np.float16]:
        return volume

    return SubjectVolumes(
        subjects=("a",),
        image=image,
        mask=lambda _: None,
        presence=lambda _: (True, False),
        tumour_areas=lambda _: areas,
        box=lambda _: BOX,
        geometry=hemispheres(GEOMETRY, SHAPE),
    )


def test_a_slice_is_diseased_from_a_share_of_its_brain_healthy_without_tumour_and_else_unseen() -> None:
    of = volumes(brain=[100, 100, 100, 50, 25, 26], tumour=[0, 3, 4, 2, 0, 0])
    diseased, healthy = hemisphere_slices(of, SliceRule(diseased_share=0.04))
    assert diseased.units == (PatchIndex("a", 0, 2), PatchIndex("a", 0, 3))
    assert healthy.units == (PatchIndex("a", 0, 0), PatchIndex("a", 0, 5))  # a quarter of the slice must be exceeded
    assert hemisphere_slices(of, SliceRule(diseased_share=0.03))[0].units == tuple(
        PatchIndex("a", 0, z) for z in (1, 2, 3)
    )
    assert diseased[0][0].shape == (10, 10)


def test_nothing_is_never_a_disease() -> None:
    of = volumes(brain=[100] * 6, tumour=[0] * 6)
    assert not hemisphere_slices(of, SliceRule(diseased_share=0.0))[0].units


def test_slices_of_real_volumes_are_their_own_halves(micro: Micro) -> None:
    parts = frozenset({"target.train.images", "target.train.presence", "target.train.masks"})
    view = TaskView(micro.prepared, replace(TASK, target_labels=1.0), parts)
    of = hemisphere_volumes(view, "target", "train")
    diseased, healthy = hemisphere_slices(of, SliceRule())
    assert len(diseased)
    assert len(healthy)
    for index, unit in enumerate(diseased.units):
        image, mask = diseased[index]
        assert image.shape == (24, 12)
        assert mask is not None
        assert mask.sum() == view.tumour_areas("target", "train", unit.subject)[unit.side, unit.z]
        assert mask.sum() >= 0.01 * np.count_nonzero(image)
