"""Bodies at a size that trains in a second: made-up CT with and without contrast agent, really prepared.

A body is an ellipse with lungs above, gas below, a spine and an aorta that the agent brightens.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.cohort import Case, Cohort
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.prepared import PreparedStacks
from medsearch.cohorts.tasks import SynthesisTask
from medsearch.imaging.geometry import AxialGeometry
from medsearch.imaging.volumes import write_volume

SIDE = 48
TASK = SynthesisTask(geometry=AxialGeometry(slice_size=24), held_out=0.25, validation_pairs=0.5)
AFFINE = np.diag([-8.0, -8.0, 14.0, 1.0])  # x to the left, y to the back, z up: slices are stored from below


def body(number: int, *, agent: bool, slices: int = 20) -> NDArray[np.int16]:
    """HU (x, y, z), z upwards: bowel with gas first, lungs last."""
    rng = np.random.default_rng(number)
    x, y = np.meshgrid(np.arange(SIDE) - SIDE / 2 + 0.5, np.arange(SIDE) - SIDE / 2 + 0.5, indexing="ij")
    wide, high = rng.uniform(17, 20), rng.uniform(13, 16)
    inside = (x / wide) ** 2 + (y / high) ** 2 < 1
    hu = np.where(inside, 40.0, -1000.0)[..., None] * np.ones(slices)
    level = np.linspace(0, 1, slices)
    for place, where in ((-8, level > 0.7), (8, level > 0.7)):
        hu[(((x - place) / 6) ** 2 + (y / 7) ** 2 < 1)[..., None] & where] = -850
    hu[((x - rng.uniform(-5, 5)) ** 2 + (y + 5) ** 2 < 12)[..., None] & ((level > 0.1) & (level < 0.3))] = -950
    hu[((x**2 + (y - 8) ** 2) < 9)[..., None] & (level >= 0)] = 400  # spine
    hu[((x - 4) ** 2 + (y - 4) ** 2 < 5)[..., None] & (level >= 0)] = 160 if agent else 45
    return np.rint(hu + rng.normal(0, 8, hu.shape)).astype(np.int16)


def write_bodies(root: Path, *, unpaired: int = 5, pairs: int = 4) -> Cohort:
    """`unpaired` cases of each contrast, of different lengths, and `pairs` of one body in both."""
    cases = []
    for number in range(unpaired):
        cases.append(_case(root, f"ct-{number}", number, ["CT"]))
        cases.append(_case(root, f"ce-{number}", 100 + number, ["ceCT"]))
    cases += [replace(_case(root, f"pair-{n}", 200 + n, ["CT", "ceCT"]), subset="test") for n in range(pairs)]
    return Cohort("bodies", root, "abdominal_ct", ("CT", "ceCT"), tuple(cases))


def _case(root: Path, subject: str, number: int, contrasts: Sequence[str]) -> Case:
    folder = root / subject
    folder.mkdir(parents=True)
    for contrast in contrasts:
        hu = body(number, agent=contrast == "ceCT", slices=16 + number % 5)
        write_volume(folder / f"{contrast}.nii.gz", hu, AFFINE)
    return Case(subject, {contrast: folder / f"{contrast}.nii.gz" for contrast in contrasts}, None)


def prepared_bodies(root: Path, task: SynthesisTask = TASK) -> PreparedStacks:
    """The bodies under `root`, prepared."""
    return prepare(write_bodies(root / "bodies"), "micro", task=task, folder=root / "cohorts")
