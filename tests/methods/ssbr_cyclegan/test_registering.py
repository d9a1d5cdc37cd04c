import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from medsearch.methods.ssbr_cyclegan import registering
from medsearch.methods.ssbr_cyclegan.registering import AIR, ByRegistration, as_image, beginning, registered
from medsearch.methods.ssbr_cyclegan.selection import Pairs
from tests.methods.ssbr_cyclegan.bodies import LENGTH, SIDE, patient

# Of the second body against the first: a little longer, wider, lain aslant, shifted; in (z, y, x).
MOVED = np.array([[0.94, 0.03, 0.0, 5.0], [-0.03, 0.95, 0.05, -6.0], [0.0, -0.05, 0.93, 8.0]])
A = patient("a", 30, 48)
B = patient("b!", 34, 48, moved=MOVED, contrast=1)


def pairs(seed: int = 0) -> Pairs:
    return ByRegistration()(A, B, 12, rng=np.random.default_rng(seed))


def apart(transform: object) -> np.ndarray:
    """How far places of the body are from where the transform from A to B should put them, mm."""
    inside = np.random.default_rng(0).uniform((-90, -50, -70), (90, 50, 70), (200, 3))
    expected = np.linalg.solve(MOVED[:, :3], (inside - MOVED[:, 3]).T).T
    corner = np.array([LENGTH, SIDE, SIDE]) / 2  # places are from the middle, SimpleITK's from the first voxel
    first, other = (corner - np.array(of.spacing) / 2 for of in (A, B))
    found = [transform.TransformPoint((place + first)[::-1].tolist())[::-1] for place in inside]
    return np.linalg.norm(np.array(found) - other - expected, axis=1)


def test_a_known_affine_is_undone() -> None:
    fixed, moving = as_image(A), as_image(B)
    before, after = (apart(of) for of in (beginning(fixed, moving), registered(fixed, moving, seed=20)))
    assert before.mean() > 10
    assert after.mean() < 2  # voxels are 6 mm wide, slices 10 mm thick
    assert after.max() < 5


def test_equal_numbers_are_then_equal_places() -> None:
    of = pairs()
    x_a, x_b = of.cut(A, B)
    assert x_a.shape == x_b.shape == (12, 48, 48)
    assert np.array_equal(of.a, of.b)
    assert len(set(of.a.tolist())) == 12
    both, either = (x_a > -0.5) & (x_b > -0.5), (x_a > -0.5) | (x_b > -0.5)
    assert both.sum() / either.sum() > 0.93
    assert of.resampled.min() >= AIR


def test_repeated_runs_differ_by_rounding_alone() -> None:
    one, other = pairs(), pairs()
    np.testing.assert_allclose(one.resampled, other.resampled, atol=1e-3)
    assert np.array_equal(one.a, other.a)
    assert not np.array_equal(one.a, pairs(1).a)


def test_it_begins_with_the_regions_laid_end_to_end() -> None:
    short = patient("short", 15, 48, length=150.0)
    first = beginning(as_image(A), as_image(short))
    ends = [first.TransformPoint((0.0, 0.0, z - 5.0))[2] + 5.0 for z in (0.0, 300.0)]
    assert ends == pytest.approx([0.0, 150.0])


def test_only_slices_that_the_other_patient_reaches_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    down = sitk.TranslationTransform(3, (0.0, 0.0, 100.0))  # slices of A lie 100 mm lower in B
    monkeypatch.setattr(registering, "registered", lambda *_, **__: down)
    of = pairs()
    assert of.a.max() < 20


def test_a_search_that_breaks_off_leaves_what_it_began_with(caplog: pytest.LogCaptureFixture) -> None:
    fixed, moving = as_image(A), as_image(B)
    nothing = moving * 0  # of one value alone, there is nothing to be informed of
    found = registered(fixed, nothing, seed=20)
    assert "broke off" in caplog.text
    assert found.GetParameters() == beginning(fixed, moving).GetParameters()
