import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.layouts import layout
from medsearch.core.errors import BadInput
from medsearch.imaging.geometry import (
    AxialGeometry,
    Box,
    Geometry,
    bounding_box,
    half_starts,
    halves,
    outside_crops,
    padded_slices,
    place_halves,
    presence,
    unpad_slices,
)

BRATS = (155, 240, 240)  # z, y, x
BRATS_BRAIN: Box = ((2, 140), (40, 200), (45, 195))
GEOMETRIES = layout("brats2020").geometries
PAPER = GEOMETRIES["paper"]
shapes = st.tuples(st.integers(1, 12), st.integers(1, 14), st.integers(2, 12))


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    low = draw(st.integers(0, 6))
    depth = (low, low + draw(st.integers(1, 9)))
    crop = tuple(draw(st.integers(1, 9)) for _ in range(3))
    return Geometry(slice_size=draw(st.integers(1, 20)), depth=depth, crop=crop)


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, ...]) -> Box:
    sides = [sorted((draw(st.integers(0, size)), draw(st.integers(0, size)))) for size in shape]
    return tuple((low, high) for low, high in sides)


def counted(shape: tuple[int, ...]) -> np.ndarray:
    """A volume in which every voxel has its own value, none of them 0."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


@given(shapes, geometries())
def test_slices_come_back_where_they_were(shape: tuple[int, int, int], g: Geometry) -> None:
    volume = counted(shape)
    seen = unpad_slices(padded_slices(np.ones(shape, np.float32), g), shape, g)
    np.testing.assert_array_equal(unpad_slices(padded_slices(volume, g), shape, g), volume * seen)
    outside = np.ones(shape[0], bool)
    outside[g.depth[0] : g.depth[1]] = False
    assert not seen[outside].any()
    if g.slice_size >= max(shape[1:]):
        assert seen[~outside].all()


@given(st.data(), shapes, geometries())
def test_halves_come_back_where_they_were(data: st.DataObject, shape: tuple[int, int, int], g: Geometry) -> None:
    box, volume = data.draw(boxes(shape)), counted(shape)
    seen = place_halves(halves(np.ones(shape, np.float32), g, box), shape, g, box)
    assert set(np.unique(seen)) <= {0, 1}
    np.testing.assert_array_equal(place_halves(halves(volume, g, box), shape, g, box), volume * seen)
    crops = counted((2, *g.crop))
    inside = halves(np.ones(shape, np.float32), g, box)
    np.testing.assert_array_equal(halves(place_halves(crops, shape, g, box), g, box), crops * inside)


@given(st.data(), shapes, geometries())
def test_mask_and_image_are_cut_alike(data: st.DataObject, shape: tuple[int, int, int], g: Geometry) -> None:
    box, image = data.draw(boxes(shape)), counted(shape)
    mask = (image > image.size / 2).astype(np.uint8)
    np.testing.assert_array_equal(halves(mask, g, box), halves(image, g, box) > image.size / 2)
    np.testing.assert_array_equal(padded_slices(mask, g), padded_slices(image, g) > image.size / 2)
    assert outside_crops(mask, g, box) == mask.sum() - place_halves(halves(mask, g, box), shape, g, box).sum()


@given(st.data(), shapes, geometries())
def test_sides_meet_at_the_midline(data: st.DataObject, shape: tuple[int, int, int], g: Geometry) -> None:
    volume = np.broadcast_to(np.arange(1, shape[2] + 1), shape)
    low, high = halves(volume, g, data.draw(boxes(shape)))
    assert low.max(initial=0) <= shape[2] // 2
    assert set(np.unique(high)) <= {0, *range(shape[2] // 2 + 1, shape[2] + 1)}


def test_paper_windows_are_the_released_columns_and_slices() -> None:
    low, high = half_starts(BRATS, PAPER, BRATS_BRAIN)
    assert low == (30, 40, 56)  # columns 56-119
    assert high == (30, 40, 120)  # columns 120-183


def test_mask_of_the_first_slice_lies_in_the_first_slice() -> None:
    """The released code cuts masks one slice off."""
    mask = np.zeros(BRATS, np.uint8)
    mask[30, 100, 100] = 1
    crops = halves(mask, PAPER, BRATS_BRAIN)
    assert crops[0, 0, 60, 44] == 1
    assert crops.sum() == 1
    assert padded_slices(mask, PAPER)[0, 108, 108] == 1


def test_crop_that_fits_stays_inside() -> None:
    whole = halves(np.ones(BRATS, np.uint8), PAPER, ((0, 155), (0, 60), (0, 240)))
    assert whole.all()


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_scales_see_what_the_paper_sees(name: str) -> None:
    g = GEOMETRIES[name]
    edge = g.spacing[0]
    assert g.spacing == (edge, edge, edge)
    for mine, papers in ((g.crop, PAPER.crop), (g.depth, PAPER.depth), ((g.slice_size,), (PAPER.slice_size,))):
        assert [size * edge for size in mine] == pytest.approx([float(size) for size in papers], abs=edge)


def test_presence_looks_at_every_slice_of_each_side() -> None:
    mask = np.zeros((5, 4, 6), np.uint8)
    assert presence(mask) == (False, False)
    mask[0, 0, 2] = 1
    assert presence(mask) == (True, False)
    mask[4, 3, 3] = 4
    assert presence(mask) == (True, True)


def test_bounding_box_is_tight_and_of_nothing_is_everything() -> None:
    where = np.zeros((6, 7, 8), bool)
    assert bounding_box(where) == ((0, 6), (0, 7), (0, 8))
    where[2, 3, 1] = where[4, 3, 5] = True
    assert bounding_box(where) == ((2, 5), (3, 4), (1, 6))


@pytest.mark.parametrize(
    "wrong", [{"spacing": (1.0, 0.0, 1.0)}, {"depth": (5, 5)}, {"crop": (1, 0, 1)}, {"slice_size": 0}]
)
def test_empty_extents_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=f"'{next(iter(wrong))}' of Geometry takes|has no slice; depth is"):
        Geometry(**wrong)


def test_the_paper_s_slices_are_the_default() -> None:
    assert (AxialGeometry().slice_size, AxialGeometry().window) == (128, (-1000.0, 1000.0))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"slice_size": 0}, "among 4, 8, 12, ..., got 0"),
        ({"slice_size": 66}, "among 4, 8, 12, ..., got 66"),
        ({"window": (100.0, 100.0)}, "low < high"),
        ({"window": (100.0,)}, "takes 2 numbers"),
        ({"window": (float("nan"), 1.0)}, "takes 2 numbers from -1024 to 3071"),
    ],
)
def test_impossible_geometries_are_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        AxialGeometry(**wrong)
