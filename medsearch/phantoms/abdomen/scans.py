"""One scan of a body: its field of view and slices, the table, and the scanner's noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsearch.core.seeds import generator
from medsearch.imaging.geometry import FIELD_OF_VIEW
from medsearch.phantoms.abdomen.bodies import Body
from medsearch.phantoms.abdomen.organs import Bowel, Canvas, draw_body
from medsearch.phantoms.abdomen.series import Triple
from medsearch.phantoms.grids import Array

OUTSIDE_HU = -1024

_TOP_MM, _BOTTOM_MM = (-5.0, 70.0), (-440.0, -390.0)
_STEP = (1.25, 1.5)
"""How much farther slices are apart than pixels."""
_SMOOTH_VOXELS = 0.6
_MAJORITY = 0.5


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a collection was scanned: noise SD in HU (least, most), and what the bowel holds, each (least, most)."""

    noise: tuple[float, float]
    radius: tuple[float, float]
    level: tuple[float, float]


PANCREAS = Protocol(noise=(8.0, 16.0), radius=(13.0, 19.0), level=(-0.35, 0.3))
COLONOGRAPHY = Protocol(noise=(16.0, 28.0), radius=(17.0, 25.0), level=(0.5, 0.9))
PAIRED = Protocol(noise=(9.0, 18.0), radius=(13.0, 20.0), level=(-0.35, 0.4))


@dataclass(frozen=True, eq=False)
class Scan:
    """What was seen: HU by contrast, (x, y, z) of LPS int16; and what is known of it.

    origin: the first voxel's centre, mm of LPS. pancreas: its outline. lung, gas: mm² of each slice.
    """

    images: Mapping[str, npt.NDArray[np.int16]]
    spacing: Triple
    origin: Triple
    pancreas: npt.NDArray[np.uint8]
    lung: Array
    gas: Array

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """From voxels to RAS, as NIfTI has it."""
        affine = np.diag([-self.spacing[0], -self.spacing[1], self.spacing[2], 1.0])
        affine[:3, 3] = (-self.origin[0], -self.origin[1], self.origin[2])
        return affine


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who is scanned, and how: `stream` names all that is drawn of them under `seed`."""

    seed: int
    stream: tuple[str, int]
    protocol: Protocol
    spacing: float
    contrasts: tuple[str, ...] = field(default=("CT",))

    @cached_property
    def body(self) -> Body:
        """Who it is."""
        return Body.draw(generator(self.seed, "abdomen", *self.stream, "body"))

    def scan(self, *, prone: bool = False) -> Scan:
        """The scan on the back, or that on the front, of the same body."""
        body = self.body
        rng = generator(self.seed, "abdomen", *self.stream, "scan", "prone" if prone else "supine")
        axes = _axes(self.spacing, body, rng)
        canvas = Canvas(axes, body.points(axes), {contrast: body.hu[contrast] for contrast in self.contrasts})
        protocol = self.protocol
        bowel = Bowel(rng.uniform(*protocol.radius), rng.uniform(*protocol.level), 1 if prone else -1)
        _table(canvas, body, bowel.upwards)
        draw_body(canvas, body, bowel)
        noise = rng.uniform(*protocol.noise)
        return _scanned(canvas, noise, rng)


def _axes(spacing: float, body: Body, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """x, y and z of the voxels' centres, mm: square slices around the body, from the pelvis up to the lungs."""
    pixels = round(FIELD_OF_VIEW / spacing)
    across = ((np.arange(pixels) - (pixels - 1) / 2) * spacing).astype(np.float32)
    step = round(spacing * rng.uniform(*_STEP), 2)
    top, bottom = rng.uniform(*_TOP_MM), rng.uniform(*_BOTTOM_MM) * body.length
    up = (bottom + step * np.arange(int((top - bottom) / step) + 1)).astype(np.float32)
    shift = rng.uniform(-8, 8, 2).astype(np.float32)
    return across + shift[0], across + shift[1], up


def _table(canvas: Canvas, body: Body, upwards: int) -> None:
    """A curved shell on the side that gas leaves."""
    x, y = canvas.axes[0][:, None, None], canvas.axes[1][None, :, None]
    middle = 1.06 * body.depth + 12 - x**2 / 900
    shell = canvas.share(np.abs(-upwards * y - middle) - 3) * canvas.share(np.abs(x) - 190)
    canvas.paint("table", np.broadcast_to(shell, canvas.points[0].shape))


def _scanned(canvas: Canvas, noise: float, rng: np.random.Generator) -> Scan:
    from scipy.ndimage import gaussian_filter

    x, y, z = canvas.axes
    spacing = canvas.edge, float(y[1] - y[0]), float(z[1] - z[0])
    round_field = np.hypot(x - x.mean(), 0)[:, None] ** 2 + np.hypot(y - y.mean(), 0)[None, :] ** 2
    beyond = round_field > (FIELD_OF_VIEW / 2) ** 2
    images = {}
    for contrast, clean in canvas.images.items():
        grain = gaussian_filter(rng.standard_normal(clean.shape, dtype=np.float32), (_SMOOTH_VOXELS, _SMOOTH_VOXELS, 0))
        hu = np.clip(clean + noise / grain.std() * grain, OUTSIDE_HU, 3071)
        hu[beyond] = OUTSIDE_HU
        images[contrast] = np.rint(hu).astype(np.int16)
    area = spacing[0] * spacing[1]
    nothing = np.zeros_like(clean)
    sums = {name: canvas.marks.get(name, nothing).sum(axis=(0, 1)) * area for name in ("lung", "gas")}
    return Scan(
        images=images,
        spacing=(round(spacing[0], 4), round(spacing[1], 4), round(spacing[2], 4)),
        origin=(float(x[0]), float(y[0]), float(z[0])),
        pancreas=(canvas.marks.get("pancreas", nothing) > _MAJORITY).astype(np.uint8),
        lung=sums["lung"],
        gas=sums["gas"],
    )
