"""What makes one body another: its size, where along it each organ lies, and the HU of its tissues.

Places are in mm of LPS from the middle of the trunk at the height of the diaphragm's dome. Every organ has its own
place along the body: equal distances from the top do not show equal organs, which is what paper 000 is about.

HU without contrast agent, and in the portal-venous phase 70 s after its injection, are typical values of adult
abdominal CT at 120 kV, as textbooks of radiology give them; no one source was at hand for all of them. What matters
here is that they are the right way round: without agent liver, spleen, blood and kidneys lie within 30 HU of each
other; with it kidneys, then vessels, then spleen, then liver are bright, while fat, bone, gas, urine and the bowel's
content stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import Array

CONTRASTS = ("CT", "ceCT")
"""Without and with agent."""


class Attenuation(NamedTuple):
    """Of a tissue: its HU without the agent, how much that adds, and by how much people differ (SD) before it comes."""

    plain: float
    added: float = 0.0
    sd: float = 3.0


ATTENUATIONS: Mapping[str, Attenuation] = {
    "fat": Attenuation(-105.0, 3.0, 5.0),
    "muscle": Attenuation(52.0, 12.0, 5.0),
    "skin": Attenuation(20.0, 10.0),
    "liver": Attenuation(57.0, 55.0, 7.0),
    "spleen": Attenuation(47.0, 73.0, 4.0),
    "kidney": Attenuation(31.0, 140.0, 3.0),
    "pancreas": Attenuation(40.0, 62.0, 6.0),
    "blood": Attenuation(41.0, 108.0, 4.0),
    "wall": Attenuation(38.0, 45.0, 4.0),
    "content": Attenuation(22.0, 1.0, 8.0),
    "urine": Attenuation(6.0, 2.0),
    "gas": Attenuation(-995.0, 0.0, 2.0),
    "lung": Attenuation(-845.0, 18.0, 20.0),
    "cancellous bone": Attenuation(185.0, 12.0, 35.0),
    "cortical bone": Attenuation(620.0, 0.0, 60.0),
    "disc": Attenuation(85.0, 4.0, 8.0),
    "table": Attenuation(-250.0, 0.0, 40.0),
}

_UPTAKE = (0.8, 1.2)
"""Dose, weight and circulation make the same agent more or less bright in all tissues at once."""


def draw_hu(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """One person's HU by contrast and tissue."""
    uptake = rng.uniform(*_UPTAKE)
    plain = {name: tissue.plain + tissue.sd * rng.standard_normal() for name, tissue in ATTENUATIONS.items()}
    agent = {name: plain[name] + uptake * tissue.added for name, tissue in ATTENUATIONS.items()}
    return {"CT": plain, "ceCT": agent}


HALF_WIDTH_MM, HALF_DEPTH = (125.0, 185.0), (0.62, 0.76)
LENGTH = (0.82, 1.2)
"""How long a trunk is, as a factor."""
_SHIFTS: Mapping[str, float] = {
    "liver": 10.0,
    "spleen": 10.0,
    "stomach": 12.0,
    "pancreas": 12.0,
    "kidneys": 16.0,
    "colon": 18.0,
    "bowel": 15.0,
    "aorta": 12.0,
    "pelvis": 14.0,
}
"""By so much an organ may lie higher or lower than in a trunk of that length, SD in mm."""
_SIZE_SD = 0.09
_BEND_SIGMA, _BEND_MM = 24.0, 7.0
_FIELD_SCALE = np.array([2.2, 2.2, 3.2], np.float32)
_FIELD_MIDDLE = np.array([0.0, 0.0, -150.0], np.float32)
"""Smooth fields are drawn over a head: so much larger is a trunk, and there its middle lies."""


@dataclass(frozen=True, eq=False)
class Body:
    """One person. width, depth: half the trunk's, mm; length: a factor. fat, wall: thickness of fat and muscle, mm.

    shifts: of organs along z, mm, and sizes: of organs, as factors; by name. bends: the deformation along x, y and z.
    """

    width: float
    depth: float
    length: float
    fat: float
    wall: float
    shifts: Mapping[str, float]
    sizes: Mapping[str, float]
    bends: tuple[SmoothField, SmoothField, SmoothField]
    hu: Mapping[str, Mapping[str, float]]
    loops: Array

    @staticmethod
    def draw(rng: np.random.Generator) -> "Body":
        """One person, whose size, organs and HU are drawn from `rng`."""
        width = rng.uniform(*HALF_WIDTH_MM)
        bends = [SmoothField.draw(rng, _BEND_SIGMA, _BEND_MM) for _ in range(3)]
        return Body(
            width=width,
            depth=width * rng.uniform(*HALF_DEPTH),
            length=rng.uniform(*LENGTH),
            fat=rng.uniform(0.05, 0.17) * width,
            wall=rng.uniform(0.06, 0.09) * width,
            shifts={name: sd * float(rng.standard_normal()) for name, sd in _SHIFTS.items()},
            sizes={name: float(np.exp(_SIZE_SD * rng.standard_normal())) for name in _SHIFTS},
            bends=(bends[0], bends[1], bends[2]),
            hu=draw_hu(rng),
            loops=rng.uniform(-1, 1, (14, 4)).astype(np.float32),
        )

    def place(self, organ: str, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Where a point of an organ lies in this body, given its place in the usual one, mm."""
        return x * self.width / 160, y * self.depth / 110, z * self.length + self.shifts[organ]

    def size(self, organ: str, x: float, y: float, z: float) -> tuple[float, float, float]:
        """The radii of an organ in this body, given those in the usual one, mm."""
        grown = self.sizes[organ]
        return x * grown * self.width / 160, y * grown * self.depth / 110, z * grown * self.length

    def points(self, axes: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """Where each voxel lies before this body's deformation: x, y and z, each (x, y, z), mm."""
        within = [(axes[n] - _FIELD_MIDDLE[n]) / _FIELD_SCALE[n] for n in range(3)]
        scaled = (within[0], within[1], within[2])
        x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
        moved = [plain + bend.on(scaled) for plain, bend in zip((x, y, z), self.bends, strict=True)]
        return moved[0], moved[1], moved[2]
