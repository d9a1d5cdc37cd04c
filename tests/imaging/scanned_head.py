"""A made-up head in millimetres, and scanners that see slabs of it: what a registration has to undo is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsearch.imaging.image_files import Volume

# (centre, radii, ceT1, hrT2) of ellipsoids, each painted over those before; mm, x right, y front, z up
_BODIES = (
    ((0, 0, 0), (76, 92, 90), 90, 60),  # scalp
    ((0, 0, 0), (71, 87, 85), 10, 8),  # skull
    ((0, 0, 0), (66, 82, 80), 25, 160),  # fluid
    ((0, 8, 22), (61, 74, 55), 75, 80),  # hemispheres
    ((0, -42, -28), (44, 30, 22), 80, 72),  # cerebellum
    ((0, -8, -30), (14, 13, 40), 95, 60),  # brain stem
    ((0, -24, -22), (7, 8, 9), 25, 165),  # fourth ventricle
    ((30, 40, -30), (22, 20, 16), 60, 30),  # right temporal pole, the larger one
    ((-30, 38, -30), (18, 16, 16), 60, 30),
    ((28, 66, -34), (14, 14, 13), 20, 170),  # eyes
    ((-28, 66, -34), (14, 14, 13), 20, 170),
    ((50, -14, -32), (14, 10, 9), 5, 5),  # petrous bones
    ((-50, -14, -32), (14, 10, 9), 5, 5),
)
TUMOUR = ((-26, -16, -30), (9, 8, 8), 150, 95)  # on the left


@dataclass(frozen=True)
class Scanner:
    """A field of view: `shape` voxels (x, y, z) of `spacing` mm about `centre`, its axes tilted (pitch, degrees).

    contrast: "ceT1" or "hrT2". moved: where the head lies, from its own millimetres to the scanner's.
    """

    shape: tuple[int, int, int] = (96, 96, 36)
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.5)
    centre: tuple[float, float, float] = (0.0, -5.0, -22.0)
    pitch: float = 0.0
    contrast: str = "hrT2"
    moved: np.ndarray | None = None

    @property
    def affine(self) -> np.ndarray:
        angle = np.radians(self.pitch)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        affine = np.eye(4)
        affine[:3, :3] = turn @ np.diag([-1.0, -1.0, 1.0]) * self.spacing
        centre = self._moved @ (*self.centre, 1.0)
        affine[:3, 3] = centre[:3] - affine[:3, :3] @ ((np.array(self.shape) - 1) / 2)
        return affine

    @property
    def _moved(self) -> np.ndarray:
        return np.eye(4) if self.moved is None else self.moved

    def scan(self, *, seed: int = 0, tumour: bool = False, noise: float = 3.0) -> Volume:
        """The image, with noise."""
        points = self._points()
        image = np.zeros(points.shape[1:])
        for centre, radii, ce_t1, hr_t2 in (*_BODIES, *([TUMOUR] if tumour else [])):
            image = np.where(_inside(points, centre, radii), ce_t1 if self.contrast == "ceT1" else hr_t2, image)
        image = np.abs(image + np.random.default_rng(seed).normal(0, noise, image.shape)) + 0.5
        return Volume(image.astype(np.float32), self.affine, Path("scan.nii.gz"))

    def mask(self) -> np.ndarray:
        """The tumour, 1, and a cochlea, 2."""
        points = self._points()
        cochlea = _inside(points, (-40, -12, -30), (3, 3, 3))
        return np.where(_inside(points, *TUMOUR[:2]), 1, np.where(cochlea, 2, 0)).astype(np.uint8)

    def _points(self) -> np.ndarray:
        voxels = np.stack(np.meshgrid(*(np.arange(size) for size in self.shape), indexing="ij"))
        matrix = np.linalg.inv(self._moved) @ self.affine
        return np.einsum("ij,j...->i...", matrix[:3, :3], voxels) + matrix[:3, 3].reshape(3, 1, 1, 1)


def _inside(points: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    return (((points - np.reshape(centre, (3, 1, 1, 1))) / np.reshape(radii, (3, 1, 1, 1))) ** 2).sum(0) < 1


def pose(seed: int, *, degrees: float = 6.0, scale: float = 0.05, shift: float = 12.0) -> np.ndarray:
    """A head's affine: small turns, stretches and shears, and a shift."""
    rng = np.random.default_rng(seed)
    rotation = np.eye(3)
    for axis, angle in enumerate(np.radians(rng.uniform(-degrees, degrees, 3))):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[one, other], [one, other]] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        rotation = rotation @ turn
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ (np.eye(3) + rng.uniform(-scale, scale, (3, 3)) * (0.3 + 0.7 * np.eye(3)))
    matrix[:3, 3] = rng.uniform(-shift, shift, 3)
    return matrix
