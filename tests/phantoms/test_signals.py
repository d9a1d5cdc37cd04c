import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.phantoms.signals import Tissue, balanced, flair, flash, signal, spin_echo, turbo_spin_echo

TISSUES = st.builds(Tissue, st.floats(200, 4500), st.floats(20, 2000), st.floats(0.3, 1.0), st.floats(0.0, 1.0))


def test_worked_numbers() -> None:
    white = Tissue(850.0, 75.0, 0.72)
    assert spin_echo(white) == pytest.approx(
        0.72 * (1 - 2 * np.exp(-595 / 850) + np.exp(-600 / 850)) * np.exp(-10 / 75)
    )
    assert turbo_spin_echo(white) == pytest.approx(0.72 * (1 - np.exp(-5000 / 850)) * np.exp(-95 / 75))
    assert flair(white) == pytest.approx(0.72 * (1 - 2 * np.exp(-2500 / 850) + np.exp(-8890 / 850)) * np.exp(-110 / 75))


def test_flair_nulls_its_fluid() -> None:
    nulled = [flair(Tissue(float(t1), 1200.0, 1.0)) for t1 in range(2500, 6000, 10)]
    assert 3200 < 2500 + 10 * int(np.argmin(nulled)) < 4500
    assert min(nulled) < 0.01 < min(nulled[0], nulled[-1])


def test_gadolinium_shortens_t1_as_measured() -> None:
    """An enhancing rim at 0.15 mmol/l loses 838 +- 210 ms of T1 (qT1 study, Frankfurt 2020)."""
    rim = Tissue(1600.0, 100.0, 0.83, 0.15)
    assert 1600 - rim.enhanced().t1 == pytest.approx(838, abs=210)
    assert rim.enhanced().t2 < rim.t2
    assert rim.enhanced().gadolinium == 0


@given(TISSUES)
def test_without_agent_nothing_is_enhanced(tissue: Tissue) -> None:
    plain = Tissue(tissue.t1, tissue.t2, tissue.density)
    assert plain.enhanced().t1 == pytest.approx(plain.t1)
    assert signal("t1ce", plain) == pytest.approx(signal("t1", plain))
    assert tissue.enhanced().t1 <= tissue.t1 * (1 + 1e-12)


@given(TISSUES, st.floats(0.1, 1.0))
def test_signals_are_positive_and_proportional_to_density(tissue: Tissue, share: float) -> None:
    for contrast in ("flair", "t1", "t1ce", "t2"):
        less = Tissue(tissue.t1, tissue.t2, share * tissue.density, tissue.gadolinium)
        assert signal(contrast, tissue) >= 0
        assert signal(contrast, less) == pytest.approx(share * signal(contrast, tissue))


@given(TISSUES, st.floats(1.01, 2.0))
def test_contrasts_weigh_what_they_are_named_for(tissue: Tissue, factor: float) -> None:
    longer_t1 = Tissue(tissue.t1 * factor, tissue.t2, tissue.density)
    longer_t2 = Tissue(tissue.t1, tissue.t2 * factor, tissue.density)
    assert signal("t1", longer_t1) < signal("t1", tissue) or tissue.gadolinium > 0 or tissue.t1 < 250
    assert signal("t2", longer_t2) > signal("t2", tissue)
    assert signal("flair", longer_t2) >= signal("flair", tissue)


def test_another_contrast_is_unknown() -> None:
    with pytest.raises(KeyError):
        signal("pd", Tissue(1.0, 1.0, 1.0))


def test_worked_numbers_of_gradient_echoes() -> None:
    """By hand: the factors of each equation, for white matter at 1.5 T."""
    white = Tissue(650.0, 80.0, 0.72)
    left, two = np.exp(-11 / 650), np.exp(-9.95 / 80)
    assert flash(white) == pytest.approx(
        0.72 * np.sin(np.pi / 9) * (1 - left) / (1 - np.cos(np.pi / 9) * left) * np.exp(-4.76 / 80)
    )
    one, c = np.exp(-9.95 / 650), np.cos(np.deg2rad(70))
    assert balanced(white) == pytest.approx(
        0.72 * np.sin(np.deg2rad(70)) * (1 - one) / (1 - (one - two) * c - one * two) * np.sqrt(two)
    )


@given(st.floats(300, 4000), st.floats(5, 50))
def test_flash_is_brightest_at_the_ernst_angle(t1: float, repetition: float) -> None:
    tissue = Tissue(t1, 100.0, 1.0)
    ernst = np.rad2deg(np.arccos(np.exp(-repetition / t1)))
    best = flash(tissue, repetition=repetition, flip=ernst)
    assert best >= max(flash(tissue, repetition=repetition, flip=ernst + off) for off in (-2, 2))


@given(st.floats(300, 4000), st.floats(0.02, 0.9))
def test_balanced_shows_the_ratio_of_t2_to_t1(t1: float, ratio: float) -> None:
    """At 90 degrees and a short repetition the steady state is 1 / (1 + T1 / T2)."""
    tissue = Tissue(t1, ratio * t1, 1.0)
    assert balanced(tissue, repetition=1e-3, flip=90) == pytest.approx(1 / (1 + 1 / ratio), rel=1e-3)
