"""A cohort in BraTS2020's layout that is written in a second: ellipsoid heads with a tumour on one side."""

from pathlib import Path

import numpy as np

from medsearch.imaging.volumes import write_volume

SHAPE = (24, 28, 20)  # x, y, z
AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])


def write_heads(root: Path, count: int = 12) -> Path:
    """`count` heads at 4 mm, T1 and T2 with masks."""
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij"))
    half = np.array(SHAPE).reshape(3, 1, 1, 1) / 2 - 0.5
    brain = (((grid - half) / (half - 1)) ** 2).sum(0) < 1
    for number in range(1, count + 1):
        rng, name = np.random.default_rng(number), f"BraTS20_Steady_{number:03d}"
        centre = np.array([7.0 if number % 2 else 16.0, 13.0, 9.0]) + rng.uniform(-1, 1, 3)
        tumour = brain & (((grid - centre.reshape(3, 1, 1, 1)) ** 2).sum(0) < rng.uniform(5, 9))
        tissue = 100 + rng.normal(0, 5, SHAPE)
        folder = root / name
        folder.mkdir(parents=True)
        for contrast, image in {"t1": tissue - 50.0 * tumour, "t2": 220 - tissue + 80.0 * tumour}.items():
            write_volume(folder / f"{name}_{contrast}.nii.gz", np.where(brain, image, 0).astype(np.float32), AFFINE)
        write_volume(folder / f"{name}_seg.nii.gz", 4 * tumour.astype(np.uint8), AFFINE)
    return root
