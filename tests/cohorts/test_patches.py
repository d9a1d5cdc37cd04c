import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medsearch.cohorts.patches import (
    HemispherePatches,
    PatchIndex,
    Slices,
    SubjectVolumes,
    batches,
    cycled,
    half_crops,
    half_slices,
)
from medsearch.imaging.geometry import Geometry, halves, padded_slices

GEOMETRY = Geometry(spacing=(10.0, 10.0, 10.0), slice_size=16, depth=(2, 6), crop=(4, 6, 4))
SHAPE = (8, 12, 10)
BOX = ((1, 7), (2, 11), (1, 9))


def volume(subject: str) -> NDArray[np.float16]:
    """A different number in every voxel, 0 outside the box."""
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE) / 1024 + 1 / 2048 + "ab".index(subject)
    box = np.zeros(SHAPE, bool)
    box[tuple(slice(*side) for side in BOX)] = True
    return np.where(box, values, 0).astype(np.float16)


def mask(subject: str) -> NDArray[np.uint8] | None:
    """Of "a" alone: two voxels at low x, in slices 3 and 7."""
    marked = np.zeros(SHAPE, np.uint8)
    marked[3, 6, 3] = marked[7, 6, 3] = 1
    return marked if subject == "a" else None


def tumour_areas(subject: str) -> NDArray[np.int64]:
    areas = np.zeros((2, SHAPE[0]), np.int64)
    areas[0, [3, 7]] = subject == "a"
    return areas


VOLUMES = SubjectVolumes(
    subjects=("a", "b"),
    image=volume,
    mask=mask,
    presence=lambda subject: (subject == "a", False),
    tumour_areas=tumour_areas,
    box=lambda _: BOX,
    geometry=GEOMETRY,
)


def test_slices_are_those_of_the_depth_range_subject_by_subject() -> None:
    slices = Slices(VOLUMES)
    assert len(slices) == 8
    for index in range(len(slices)):
        image, marked = slices[index]
        subject = "ab"[index // 4]
        np.testing.assert_array_equal(image, padded_slices(volume(subject), GEOMETRY)[index % 4])
        assert (image.dtype, image.shape) == (np.float32, (16, 16))
        if subject == "a":
            assert marked is not None
            assert marked.sum() == (index == 1)  # slice 3
            np.testing.assert_array_equal(slices.mask(index), marked)
        else:
            assert marked is None
            assert slices.mask(index) is None


def test_halves_are_told_apart_by_presence() -> None:
    diseased, healthy = half_crops(VOLUMES)
    assert diseased.units == (PatchIndex("a", 0),)
    assert healthy.units == (PatchIndex("a", 1), PatchIndex("b", 0), PatchIndex("b", 1))
    image, marked = diseased[0]
    np.testing.assert_array_equal(image, halves(volume("a"), GEOMETRY, BOX)[0])
    assert (image.dtype, image.shape, marked.sum()) == (np.float32, GEOMETRY.crop, 1)
    assert healthy[1][1] is None


def test_slices_of_halves_are_their_crops_planes_with_their_own_label() -> None:
    diseased, healthy = half_slices(VOLUMES)
    assert diseased.units == (PatchIndex("a", 0, 3),)  # slice 7 is beyond the crop
    assert len(healthy) == 15
    for list_ in (diseased, healthy):
        for index, (subject, side, z) in enumerate(list_.units):
            image, marked = list_[index]
            np.testing.assert_array_equal(image, halves(volume(subject), GEOMETRY, BOX)[side, z - 2])
            if marked is not None:
                np.testing.assert_array_equal(marked, halves(mask(subject), GEOMETRY, BOX)[side, z - 2])


def test_slices_of_little_brain_are_left_out() -> None:
    def nearly_empty(subject: str) -> NDArray[np.float16]:
        image = np.zeros(SHAPE, np.float16)
        image[4, 3:7, 5] = 1  # 4 of 24 voxels of the crop's plane
        image[5, 3:9, 5] = 1  # 6 of 24
        return image

    diseased, healthy = half_slices(dataclasses.replace(VOLUMES, image=nearly_empty))
    assert diseased.units == ()
    assert healthy.units == (PatchIndex("a", 1, 5), PatchIndex("b", 1, 5))


def test_only_what_is_cut_is_copied() -> None:
    """A crop's float32 is made of the crop, never of the volume."""

    class Watched(np.ndarray):
        def astype(self, *args: object, **kwargs: object) -> np.ndarray:
            assert self.size <= np.prod(GEOMETRY.crop)
            return super().astype(*args, **kwargs)

    watched = dataclasses.replace(VOLUMES, image=lambda subject: volume(subject).view(Watched))
    assert HemispherePatches(watched, (PatchIndex("a", 0), PatchIndex("a", 1, 4)))[1][0].shape == (6, 4)
    assert Slices(watched)[0][0].dtype == np.float32


@given(count=st.integers(0, 30), size=st.integers(1, 7), seed=st.integers(0, 3))
def test_batches_are_one_pass_in_random_order(count: int, size: int, seed: int) -> None:
    found = list(batches(count, size, np.random.default_rng(seed)))
    assert sorted(index for batch in found for index in batch) == list(range(count))
    assert [len(batch) for batch in found[:-1]] == [size] * (len(found) - 1)


@given(count=st.integers(0, 12), size=st.integers(1, 5), length=st.integers(0, 9), seed=st.integers(0, 3))
def test_cycled_uses_everything_equally_often(count: int, size: int, length: int, seed: int) -> None:
    found = list(cycled(count, size, length, np.random.default_rng(seed)))
    assert [len(batch) for batch in found] == [size if count else 0] * length
    uses = np.bincount([index for batch in found for index in batch], minlength=count)
    assert count == 0 or uses.max() - uses.min() <= 1


def test_orders_are_those_of_the_generator() -> None:
    first = list(batches(20, 4, np.random.default_rng(0)))
    assert first == list(batches(20, 4, np.random.default_rng(0)))
    assert first != list(batches(20, 4, np.random.default_rng(1)))


@pytest.mark.parametrize("z", [0, 7])
def test_a_slice_outside_the_depth_range_can_still_be_cut(z: int) -> None:
    image, _ = HemispherePatches(VOLUMES, (PatchIndex("a", 1, z),))[0]
    np.testing.assert_array_equal(image, volume("a")[z, 3:9, 5:9])
