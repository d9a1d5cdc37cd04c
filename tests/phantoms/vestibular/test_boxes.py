import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medsearch.phantoms.vestibular.boxes import Box

steps = st.tuples(*[st.sampled_from([-2.0, -0.41, 0.5, 1.5])] * 3)


def test_a_box_lies_around_its_middle() -> None:
    box = Box.around((1.0, -2.0, 3.0), (10, 8, 6), (-1.0, 2.0, 1.5))
    assert box.shape == (10, 4, 4)
    np.testing.assert_allclose([axis.mean() for axis in box.axes], (1, -2, 3), atol=1e-6)
    assert box.axes[0][0] > box.axes[0][-1]
    np.testing.assert_allclose(box.voxel_ml, 3e-3)


@given(steps)
def test_affine_and_axes_say_the_same(steps: tuple[float, float, float]) -> None:
    box = Box.around((5.0, 6.0, 7.0), (20, 20, 20), steps)
    index = tuple(size - 1 for size in box.shape)
    np.testing.assert_allclose((box.affine @ [*index, 1])[:3], [axis[-1] for axis in box.axes], atol=1e-4)


@given(steps, st.tuples(*[st.integers(1, 3)] * 3))
def test_a_finer_box_covers_the_same_place(steps: tuple[float, float, float], factors: tuple[int, int, int]) -> None:
    box = Box.around((0.0, 0.0, 0.0), (12, 10, 8), steps)
    for coarse, fine, factor in zip(box.axes, box.finer(factors).axes, factors, strict=True):
        np.testing.assert_allclose(fine.reshape(-1, factor).mean(axis=1), coarse, atol=1e-4)


def test_layers_are_parts_of_the_box() -> None:
    box = Box.around((0.0, 0.0, 0.0), (4, 4, 9), (1.0, 1.0, -1.0))
    parts = [box.layers(0, 4).axes[2], box.layers(4, 8).axes[2], box.layers(8, 12).axes[2]]
    np.testing.assert_allclose(np.concatenate(parts), box.axes[2])
