import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.imaging.augmentation.tumours import heterogeneity, repeats, vary_tumour


def crop(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = rng.uniform(-1, 1, (6, 7, 8)).astype(np.float32)
    mask = np.zeros(image.shape, np.uint8)
    mask[1:5, 1:5, 2:6] = 1
    return image, mask


def test_the_tumour_and_nothing_else_gets_one_factor() -> None:
    image, mask = crop()
    mask[0, 0, 0] = 2  # ignored voxels of a pseudo-mask are no tumour
    varied = vary_tumour(image, mask, rng=np.random.default_rng(3))
    factors = varied[mask == 1] / image[mask == 1]
    assert factors.std() < 1e-5
    assert abs(factors.mean() - 1) > 1e-3
    np.testing.assert_array_equal(varied[mask != 1], image[mask != 1])
    assert varied.dtype == np.float32


def test_factors_are_uniform_between_seven_and_thirteen_tenths() -> None:
    rng, one = np.random.default_rng(0), np.ones((1, 1), np.float32)
    factors = np.array([vary_tumour(one, one, rng=rng).item() for _ in range(4000)])
    assert factors.min() == pytest.approx(0.7, abs=2e-3)
    assert factors.max() == pytest.approx(1.3, abs=2e-3)
    assert np.quantile(factors, (0.25, 0.5, 0.75)) == pytest.approx((0.85, 1.0, 1.15), abs=0.02)


def test_varying_is_seeded_changes_no_argument_and_does_nothing_at_zero() -> None:
    image, mask = crop()
    before = image.copy()
    one, two = (vary_tumour(image, mask, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(vary_tumour(image, mask, rng=np.random.default_rng(5), reach=0), image)


def test_heterogeneity_is_the_spread_inside() -> None:
    image, mask = crop()
    assert heterogeneity(image, mask) == pytest.approx(image[2:4, 2:4, 3:5].std(), rel=1e-5)
    assert heterogeneity(3 * image, mask) == pytest.approx(3 * heterogeneity(image, mask), rel=1e-5)
    thin = np.zeros_like(mask)
    thin[2, 2, 2:4] = 1
    assert heterogeneity(image, thin) == pytest.approx(abs(image[2, 2, 2] - image[2, 2, 3]) / 2, rel=1e-5)
    assert heterogeneity(image, np.zeros_like(mask)) == 0


def test_a_partial_rim_does_not_count_as_heterogeneous() -> None:
    image, mask = crop()
    image[mask == 1] = 0.2
    image[1, 1:5, 2:6] = 0.9
    assert heterogeneity(image, mask) == 0


def test_small_ones_and_large_heterogeneous_ones_come_more_often() -> None:
    volumes = [5.0, 0.1, 2.0, 9.0, 0.2, 2.1, 8.0, 0.3, 2.2, 7.0, 2.3, 6.0]
    spreads = [0.0, 0.9, 0.9, 0.1, 0.0, 0.9, 0.5, 0.0, 0.9, 0.3, 0.0, 0.4]
    assert repeats(volumes, spreads) == (1, 2, 2, 1, 2, 1, 2, 2, 1, 1, 1, 2)
    assert repeats(volumes, spreads, times=4, small=0) == (1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4)
    assert repeats(volumes, spreads, large=0, small=0.1) == (1, 2, *[1] * 10)
    assert repeats(volumes, spreads, times=1) == (1,) * 12
    assert repeats([], []) == ()


def test_equals_are_treated_alike() -> None:
    assert repeats([1.0] * 6, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]) == (1,) * 6
    assert repeats([1, 1, 2, 3, 4, 5], [0] * 6) == (2, 2, 1, 1, 1, 1)


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1)), max_size=30),
    st.integers(1, 5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.randoms(),
)
def test_order_and_measure_do_not_matter_and_shares_hold(
    tumours: list[tuple[float, float]], times: int, small: float, large: float, random: object
) -> None:
    volumes, spreads = [volume for volume, _ in tumours], [spread for _, spread in tumours]
    counts = repeats(volumes, spreads, times=times, small=small, large=large)
    assert set(counts) <= {1, times}
    if times > 1:
        assert counts.count(times) <= (small + large / 2) * len(tumours) + 1e-6
    assert repeats([2 * volume for volume in volumes], spreads, times=times, small=small, large=large) == counts
    order = list(range(len(tumours)))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = repeats([volumes[i] for i in order], [spreads[i] for i in order], times=times, small=small, large=large)
    assert mixed == tuple(counts[i] for i in order)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"heterogeneities": [1.0]}, "2 volumes but 1 heterogeneities"),
        ({"times": 0}, "repeated 0 times"),
        ({"small": -0.1}, "shares -0.1"),
        ({"large": 1.1}, "and 1.1"),
    ],
)
def test_impossible_repeats_are_refused(wrong: dict[str, float], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        repeats(**{"volumes": [1.0, 2.0], "heterogeneities": [0.0, 1.0], **wrong})  # type: ignore[arg-type]


def test_other_grids_are_refused() -> None:
    image, mask = crop()
    with pytest.raises(BadInput, match="different grids"):
        vary_tumour(image, mask[1:], rng=np.random.default_rng(0))
    with pytest.raises(BadInput, match="different grids"):
        heterogeneity(image, mask[1:])
