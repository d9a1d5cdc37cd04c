import numpy as np
import pytest

from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import brain_grid


@pytest.mark.parametrize("sigma", [3.0, 8.0, 25.0])
def test_fields_have_mean_zero_and_sd_one(sigma: float) -> None:
    axes = brain_grid(8.0).axes
    values = np.stack([SmoothField.draw(np.random.default_rng(number), sigma).on(axes) for number in range(60)])
    assert abs(values.mean()) < 0.1
    assert values.std() == pytest.approx(1, abs=0.1)


def test_fields_are_as_smooth_as_asked() -> None:
    """White noise behind a Gaussian of sigma correlates by exp(-d^2 / 4 sigma^2); B-splines come close."""
    sigma, step = 10.0, 2.0
    axes = brain_grid(step).axes
    values = np.stack([SmoothField.draw(np.random.default_rng(n), sigma).on(axes) for n in range(30)])
    for distance in (5, 10, 20):
        shift = int(distance / step)
        measured = np.mean(values[:, shift:] * values[:, :-shift]) / np.mean(values**2)
        assert measured == pytest.approx(np.exp(-(distance**2) / (4 * sigma**2)), abs=0.06)


def test_a_field_does_not_depend_on_the_grid() -> None:
    field = SmoothField.draw(np.random.default_rng(0), 6.0)
    fine, coarse = brain_grid(1.0), brain_grid(3.0)
    values = field.on(coarse.axes)
    whole = field.on(fine.axes)
    for index in ((10, 20, 15), (30, 5, 40)):
        place = [axis[i] for axis, i in zip(coarse.axes, index, strict=True)]
        nearest = tuple(int(np.abs(axis - at).argmin()) for axis, at in zip(fine.axes, place, strict=True))
        assert whole[nearest] == pytest.approx(values[index], abs=1e-4)
