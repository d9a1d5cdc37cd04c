"""Signal equations: what a tissue with given relaxation times looks like in each sequence.

T1, T2 and all sequence times in ms; signals without scale. Equations and protocol values at 3 T: the usual spin echo,
turbo spin echo and inversion recovery expressions (Bernstein, King, Zhou: Handbook of MRI Pulse Sequences, ch. 14).
"""

from dataclasses import dataclass, replace

import numpy as np

R1_GADOLINIUM = 4.9
"""Longitudinal relaxivity in L/mmol/s (gadobutrol in plasma at 3 T; Szomolanyi et al., Invest Radiol 2019)."""

R2_GADOLINIUM = 6.2
"""Transverse relaxivity in L/mmol/s, 1.2 to 1.4 times the longitudinal one."""


@dataclass(frozen=True)
class Tissue:
    """T1 and T2 in ms, proton density relative to water, and gadolinium in mmol/L some minutes after injection."""

    t1: float
    t2: float
    density: float
    gadolinium: float = 0.0

    def enhanced(self) -> "Tissue":
        """The tissue with the contrast agent in it: its concentration adds to both relaxation rates."""
        t1 = 1 / (1 / self.t1 + R1_GADOLINIUM * self.gadolinium / 1000)
        t2 = 1 / (1 / self.t2 + R2_GADOLINIUM * self.gadolinium / 1000)
        return replace(self, t1=t1, t2=t2, gadolinium=0.0)


def spin_echo(tissue: Tissue, *, repetition: float = 600.0, echo: float = 10.0) -> float:
    """The signal of a T1-weighted spin echo; repetition and echo time in ms."""
    inverted = 2 * np.exp(-(repetition - echo / 2) / tissue.t1)
    recovery = 1 - inverted + np.exp(-repetition / tissue.t1)
    return float(tissue.density * recovery * np.exp(-echo / tissue.t2))


def turbo_spin_echo(tissue: Tissue, *, repetition: float = 5000.0, echo: float = 95.0) -> float:
    """The signal of a T2-weighted turbo spin echo; repetition and effective echo time in ms."""
    return float(tissue.density * (1 - np.exp(-repetition / tissue.t1)) * np.exp(-echo / tissue.t2))


def flair(tissue: Tissue, *, inversion: float = 2500.0, repetition: float = 9000.0, echo: float = 110.0) -> float:
    """Fluid-attenuated inversion recovery; the magnitude, so that a badly nulled fluid is bright, not negative."""
    recovery = 1 - 2 * np.exp(-inversion / tissue.t1) + np.exp(-(repetition - echo) / tissue.t1)
    return float(tissue.density * abs(recovery) * np.exp(-echo / tissue.t2))


def signal(contrast: str, tissue: Tissue, *, inversion: float = 2500.0) -> float:
    """The signal of `tissue` in one of BraTS's contrasts: flair, t1, t1ce, t2.

    Raises:
        KeyError: another contrast.
    """
    equations = {
        "flair": lambda: flair(tissue, inversion=inversion),
        "t1": lambda: spin_echo(tissue),
        "t1ce": lambda: spin_echo(tissue.enhanced()),
        "t2": lambda: turbo_spin_echo(tissue),
    }
    return equations[contrast]()


def flash(tissue: Tissue, *, repetition: float = 11.0, echo: float = 4.76, flip: float = 20.0) -> float:
    """T1-weighted spoiled gradient echo (FLASH); `flip` in degrees. Its decay is taken with T2, as T2* is not known."""
    angle, left = np.deg2rad(flip), np.exp(-repetition / tissue.t1)
    recovered = np.sin(angle) * (1 - left) / (1 - np.cos(angle) * left)
    return float(tissue.density * recovered * np.exp(-echo / tissue.t2))


def balanced(tissue: Tissue, *, repetition: float = 9.95, flip: float = 70.0) -> float:
    """T2/T1-weighted balanced steady state (CISS without bands); `flip` in degrees, echo at half the repetition."""
    angle, one, two = np.deg2rad(flip), np.exp(-repetition / tissue.t1), np.exp(-repetition / tissue.t2)
    steady = np.sin(angle) * (1 - one) / (1 - (one - two) * np.cos(angle) - one * two)
    return float(tissue.density * steady * np.exp(-repetition / 2 / tissue.t2))
