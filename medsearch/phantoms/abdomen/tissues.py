"""HU of the tissues of an abdomen, without contrast agent and in the portal-venous phase, 70 s after its injection.

Typical values of adult abdominal CT at 120 kV, as textbooks of radiology give them; no one source was at hand for all
of them. What matters here is that they are the right way round: without agent liver, spleen, blood and kidneys lie
within 30 HU of each other; with it kidneys, then vessels, then spleen, then liver are bright, while fat, bone, gas,
urine and the bowel's content stay as they are.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

CONTRASTS = ("CT", "ceCT")
"""Without and with agent."""


class Tissue(NamedTuple):
    """HU without the agent, how much it adds, and by how much people differ (SD) before it comes."""

    plain: float
    added: float = 0.0
    sd: float = 3.0


TISSUES: Mapping[str, Tissue] = {
    "fat": Tissue(-105.0, 3.0, 5.0),
    "muscle": Tissue(52.0, 12.0, 5.0),
    "skin": Tissue(20.0, 10.0),
    "liver": Tissue(57.0, 55.0, 7.0),
    "spleen": Tissue(47.0, 73.0, 4.0),
    "kidney": Tissue(31.0, 140.0, 3.0),
    "pancreas": Tissue(40.0, 62.0, 6.0),
    "blood": Tissue(41.0, 108.0, 4.0),
    "wall": Tissue(38.0, 45.0, 4.0),
    "content": Tissue(22.0, 1.0, 8.0),
    "urine": Tissue(6.0, 2.0),
    "gas": Tissue(-995.0, 0.0, 2.0),
    "lung": Tissue(-845.0, 18.0, 20.0),
    "cancellous bone": Tissue(185.0, 12.0, 35.0),
    "cortical bone": Tissue(620.0, 0.0, 60.0),
    "disc": Tissue(85.0, 4.0, 8.0),
    "table": Tissue(-250.0, 0.0, 40.0),
}

_UPTAKE = (0.8, 1.2)
"""Dose, weight and circulation make the same agent more or less bright in all tissues at once."""


def draw_hu(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """One person's HU by contrast and tissue."""
    uptake = rng.uniform(*_UPTAKE)
    plain = {name: tissue.plain + tissue.sd * rng.standard_normal() for name, tissue in TISSUES.items()}
    agent = {name: plain[name] + uptake * tissue.added for name, tissue in TISSUES.items()}
    return {"CT": plain, "ceCT": agent}
