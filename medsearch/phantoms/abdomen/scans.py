"""One scan of a body: its organs, its field of view and slices, the table, and the scanner's noise.

A body is trunk, organs, bowel, vessels, lungs and bones, in the order in which they cover each other. They are painted
on a canvas: the voxels of a scan in the HU of each contrast, by how far they lie within each shape. Places are in mm of
LPS: x to the left, y to the back, z up. A shape is painted over what is there; at its edge, one voxel wide, both are
mixed. Sizes and places are those of an adult of usual size (half width 160 mm, half depth 110 mm), by eye from atlases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medsearch.core.seeds import generator
from medsearch.imaging.geometry import FIELD_OF_VIEW
from medsearch.phantoms.abdomen.bodies import Body
from medsearch.phantoms.grids import Array, Point

Window = tuple[slice, slice, slice]

_MARGIN_MM, _FAR_MM = 30.0, 1000.0
"""Shapes are sought so far beyond their own reach: the deformation moves them."""


@dataclass(eq=False)
class Canvas:
    """Voxels at `points` (x, y, z of LPS, each (x, y, z) in mm, deformed), and their HU by contrast.

    axes: where they lie before the deformation. hu: the values of the tissues. marks: what was painted under a name:
    "lung", "gas" (of the bowel) or "pancreas".
    """

    axes: tuple[Array, Array, Array]
    points: tuple[Array, Array, Array]
    hu: Mapping[str, Mapping[str, float]]
    images: dict[str, Array] = field(default_factory=dict)
    marks: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = tuple(axis.size for axis in self.axes)
        for contrast, values in self.hu.items():
            self.images[contrast] = np.full(shape, values["gas"], np.float32)

    @property
    def edge(self) -> float:
        """How wide the edge of a shape is, mm."""
        return float(np.abs(self.axes[0][1] - self.axes[0][0]))

    def share(self, depth: npt.NDArray[np.floating]) -> Array:
        """How much of each voxel lies within a shape, by its distance from the surface, mm; negative inside."""
        return np.asarray(np.clip(0.5 - depth / self.edge, 0, 1), dtype=np.float32)

    def window(self, middle: Point, reach: Point) -> Window:
        """The voxels that a shape can touch."""
        found = []
        for axis, at, far in zip(self.axes, middle, reach, strict=True):
            near = np.flatnonzero(np.abs(axis - at) <= far + _MARGIN_MM)
            found.append(slice(int(near[0]), int(near[-1]) + 1) if near.size else slice(0, 0))
        return found[0], found[1], found[2]

    def at(self, window: Window) -> tuple[Array, Array, Array]:
        """The deformed places of the voxels of a window."""
        x, y, z = (points[window] for points in self.points)
        return x, y, z

    def paint(self, tissue: str, share: Array, window: Window | None = None, *, mark: str | None = None) -> None:
        """Lay `share` of a tissue over the window (all of it, if none is given)."""
        inside = window or (slice(None), slice(None), slice(None))
        for contrast, image in self.images.items():
            image[inside] += share * (np.float32(self.hu[contrast][tissue]) - image[inside])
        for name, marked in self.marks.items():
            if name != mark:
                marked[inside] *= 1 - share
        if mark is not None:
            marked = self.marks.setdefault(mark, np.zeros_like(next(iter(self.images.values()))))
            marked[inside] = np.maximum(marked[inside], share)

    def ellipsoid(
        self, tissue: str, middle: Point, radii: Point, *, lean: float = 0.0, mark: str | None = None
    ) -> None:
        """Paint an ellipsoid; `lean` turns it about the axis from front to back, radians."""
        reach = max(radii)
        window = self.window(middle, (reach, radii[1], reach) if lean else radii)
        x, y, z = (points - np.float32(at) for points, at in zip(self.at(window), middle, strict=True))
        c, s = np.float32(np.cos(lean)), np.float32(np.sin(lean))
        x, z = c * x + s * z, c * z - s * x
        away = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
        self.paint(tissue, self.share((away - 1) * np.float32(np.prod(radii) ** (1 / 3))), window, mark=mark)

    def tube(self, tissue: str, path: Sequence[Point], radius: float) -> None:
        """Paint a tube along straight pieces from point to point."""
        window, depth, _ = self.along(path, radius)
        self.paint(tissue, self.share(depth), window)

    def along(self, path: Sequence[Point], radius: float) -> tuple[Window, Array, Array]:
        """Of a tube: its window, the distance from its surface, and how far behind its middle a voxel lies, mm."""
        points = np.array(path, np.float32)
        window = self._around(points, radius)
        offsets = [inside.start for inside in window]
        shape = tuple(inside.stop - inside.start for inside in window)
        nearest, behind = np.full(shape, np.float32(_FAR_MM)), np.zeros(shape, np.float32)
        for start, end in pairwise(points):
            part = self._around(np.stack([start, end]), radius)
            x, y, z = self.at(part)
            place = ((x - start[0]) * (end[0] - start[0]) + (y - start[1]) * (end[1] - start[1])) + (z - start[2]) * (
                end[2] - start[2]
            )
            place = np.clip(place / ((end - start) ** 2).sum(), 0, 1)
            off = [at - start[n] - place * (end[n] - start[n]) for n, at in enumerate((x, y, z))]
            distance = np.sqrt(off[0] ** 2 + off[1] ** 2 + off[2] ** 2)
            within = tuple(slice(one.start - at, one.stop - at) for one, at in zip(part, offsets, strict=True))
            closer = distance < nearest[within]
            behind[within] = np.where(closer, off[1], behind[within])
            nearest[within] = np.where(closer, distance, nearest[within])
        return window, nearest - np.float32(radius), behind

    def _around(self, points: Array, radius: float) -> Window:
        low, high = points.min(axis=0) - radius, points.max(axis=0) + radius
        middle, reach = ((low + high) / 2).tolist(), ((high - low) / 2).tolist()
        return self.window((middle[0], middle[1], middle[2]), (reach[0], reach[1], reach[2]))


_SQUARENESS = 2.3
_DOME_MM, _LEFT_LOWER_MM = 75.0, 12.0
_VERTEBRA_MM, _DISC_MM = 34.0, 8.0
_RIB_MM, _RIB_DROP = 26.0, 0.35
COLON = (
    (-105, -5, -290),
    (-112, 0, -230),
    (-112, 0, -160),
    (-95, -35, -135),
    (-40, -70, -160),
    (35, -70, -158),
    (92, -35, -105),
    (112, 15, -120),
    (114, 15, -210),
    (105, 10, -275),
    (60, -15, -300),
    (15, 25, -315),
    (0, 45, -335),
    (0, 52, -365),
)
"""The way of the large bowel, from its blind end round to the rectum, mm."""


@dataclass(frozen=True)
class Bowel:
    """How much gas the large bowel holds: `radius` in mm, `level` how full (-1 none, 1 all), `upwards` gravity.

    upwards: -1 where gas rises to the front (on the back), 1 where to the back (on the front).
    """

    radius: float
    level: float
    upwards: int = -1


def _trunk(canvas: Canvas, body: Body) -> Array:
    """Skin, fat and muscle; returns how deep each voxel lies within the cavity, mm, negative inside."""
    x, y, z = canvas.points
    waist = 1 - 0.07 * np.exp(-(((z + 170 * body.length) / (70 * body.length)) ** 2))
    hips = 1 + 0.06 / (1 + np.exp((z + 270 * body.length) / 25))
    shape = waist * hips
    wide, deep = np.abs(x / shape / body.width) ** _SQUARENESS, np.abs(y / shape / body.depth) ** _SQUARENESS
    depth = np.asarray(((wide + deep) ** (1 / _SQUARENESS) - 1) * body.depth, np.float32)
    for tissue, lost in (("skin", 0.0), ("fat", 2.5), ("muscle", body.fat), ("fat", body.fat + body.wall)):
        canvas.paint(tissue, canvas.share(depth + np.float32(lost)))
    back = 0.62 * body.depth
    for side in (-1, 1):
        canvas.ellipsoid(
            "muscle", (side * 0.25 * body.width, back, -150.0), (0.2 * body.width, 0.2 * body.depth, 900.0)
        )
        path = [body.place("kidneys", side * near, 48, low) for near, low in ((28, -120), (42, -220), (60, -320))]
        canvas.tube("muscle", path, 0.12 * body.width)
    return np.asarray(depth + np.float32(body.fat + body.wall))


def _upper_organs(canvas: Canvas, body: Body) -> None:
    def organ(
        name: str, tissue: str, middle: Point, radii: Point, *, lean: float = 0.0, mark: str | None = None
    ) -> None:
        canvas.ellipsoid(tissue, body.place(name, *middle), body.size(name, *radii), lean=lean, mark=mark)

    organ("liver", "liver", (-62, -5, -75), (68, 72, 88))
    organ("liver", "liver", (-5, -35, -50), (70, 35, 42), lean=0.3)
    organ("spleen", "spleen", (96, 35, -78), (26, 40, 50), lean=-0.2)
    organ("stomach", "wall", (52, -25, -85), (38, 38, 58), lean=-0.35)
    organ("stomach", "content", (52, -25, -85), (33, 33, 52), lean=-0.35)
    organ("pancreas", "pancreas", (22, -8, -128), (62, 13, 15), lean=0.28, mark="pancreas")
    for side, low in ((-1, -165), (1, -152)):
        organ("kidneys", "kidney", (side * 62, 42, low), (27, 27, 54), lean=side * 0.2)
        organ("kidneys", "fat", (side * 50, 38, low), (12, 9, 20))
    organ("pelvis", "urine", (0, -20, -365), (38, 30, 30))


def _bowels(canvas: Canvas, body: Body, bowel: Bowel) -> None:
    for number, (x, y, z, gas) in enumerate(body.loops):
        middle = body.place("bowel", 75 * float(x), 35 * float(y) - 25, -235 + 65 * float(z))
        canvas.ellipsoid("wall", middle, (21.0, 15.0, 16.0), lean=float(number))
        canvas.ellipsoid("content", middle, (16.0, 11.0, 12.0), lean=float(number))
        if gas > 0.6 and bowel.level > -1:
            canvas.ellipsoid("gas", (middle[0], middle[1] + 5 * bowel.upwards, middle[2]), (8.0, 4.5, 7.0), mark="gas")
    path = [body.place("colon", *point) for point in COLON]
    wall = max(4.0, 0.6 * canvas.edge)
    canvas.tube("wall", path, bowel.radius + wall)
    window, depth, behind = canvas.along(path, bowel.radius)
    lumen = canvas.share(depth)
    canvas.paint("content", lumen, window)
    surface = -bowel.upwards * behind - bowel.level * bowel.radius  # negative where gas has risen to
    canvas.paint("gas", lumen * canvas.share(surface.astype(np.float32)), window, mark="gas")
    bubble = body.place("stomach", 50, -25 + 16 * bowel.upwards, -72)
    canvas.ellipsoid("gas", bubble, (16.0, 9.0, 18.0), mark="gas")


def _chest(canvas: Canvas, body: Body, inner: Array) -> None:
    """Lungs above the diaphragm, which is a dome on either side, and what lies between them."""
    x, _, z = canvas.points
    radial = np.clip(1 + inner / (body.depth - body.fat - body.wall), 0, 1.2)
    dome = -_DOME_MM * body.length * radial * radial - np.where(x > 0, _LEFT_LOWER_MM, 0) + 8
    lungs = canvas.share(inner + 3) * canvas.share(dome - z)
    canvas.paint("lung", np.asarray(lungs, np.float32), mark="lung")
    place = (0.18 * body.width, -0.25 * body.depth, 55 * body.length)
    canvas.ellipsoid("blood", place, (0.36 * body.width, 0.42 * body.depth, 62 * body.length), lean=-0.3)
    canvas.tube("wall", [(0.1 * body.width, 0.35 * body.depth, at) for at in (-20.0, 200.0)], 11.0)


def _vessels(canvas: Canvas, body: Body) -> None:
    split = body.place("aorta", 6, 36, -225)
    canvas.tube("blood", [(0.06 * body.width, 0.42 * body.depth, 260.0), split], 11.0 * body.sizes["aorta"])
    canvas.tube("blood", [body.place("aorta", -20, 34, at) for at in (10, -120, -230)], 11.5)
    canvas.tube("blood", [body.place("liver", *at) for at in ((5, -5, -125), (-35, -5, -95), (-75, -5, -70))], 7.0)
    for side in (-1, 1):
        bend = (side * 40, 30, -290)
        canvas.tube("blood", [split, body.place("aorta", *bend), body.place("aorta", side * 62, -40, -370)], 6.5)


def _bones(canvas: Canvas, body: Body, inner: Array) -> None:
    x, y, z = canvas.points
    middle, radius = 0.66 * body.depth, 0.145 * body.width
    away = np.sqrt(x**2 + (1.15 * (y - middle)) ** 2) - radius
    period = _VERTEBRA_MM * body.length
    disc = np.abs(np.mod(z + body.shifts["pelvis"], period) - period / 2) - (period - _DISC_MM) / 2
    canvas.paint("cortical bone", canvas.share(away))
    canvas.paint("cancellous bone", canvas.share(away + 3))
    canvas.paint("disc", canvas.share(away) * canvas.share(-disc))
    behind = (0.0, middle + radius + 0.09 * body.width, -100.0)
    canvas.ellipsoid("cortical bone", behind, (0.045 * body.width, 0.11 * body.width, 900.0))
    slope = np.abs(x) * _RIB_DROP - 0.3 * y
    ribs = np.abs(np.mod(z + slope, _RIB_MM * body.length) - _RIB_MM * body.length / 2) - 4.5
    chest = canvas.share(np.abs(inner - 3) - 4) * canvas.share(-z - 95 * body.length)
    canvas.paint("cortical bone", np.asarray(canvas.share(ribs) * chest, np.float32))
    for side in (-1, 1):
        wing = body.place("pelvis", side * 105, 30, -300)
        canvas.ellipsoid("cortical bone", wing, (12.0, 45.0, 48.0), lean=side * 0.5)
        canvas.ellipsoid("cortical bone", body.place("pelvis", side * 95, 5, -375), (26.0, 24.0, 26.0))


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
class BodyScan:
    """What was seen: HU by contrast, (x, y, z) of LPS int16; and what is known of it.

    origin: the first voxel's centre, mm of LPS. pancreas: its outline. lung, gas: mm² of each slice.
    """

    images: Mapping[str, npt.NDArray[np.int16]]
    spacing: Point
    origin: Point
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
        """The subject's body, the same in every scan of them."""
        return Body.draw(generator(self.seed, "abdomen", *self.stream, "body"))

    def scan(self, *, prone: bool = False) -> BodyScan:
        """The scan on the back, or that on the front, of the same body."""
        body = self.body
        rng = generator(self.seed, "abdomen", *self.stream, "scan", "prone" if prone else "supine")
        axes = _axes(self.spacing, body, rng)
        canvas = Canvas(axes, body.points(axes), {contrast: body.hu[contrast] for contrast in self.contrasts})
        protocol = self.protocol
        bowel = Bowel(rng.uniform(*protocol.radius), rng.uniform(*protocol.level), 1 if prone else -1)
        _table(canvas, body, bowel.upwards)
        inner = _trunk(canvas, body)
        _upper_organs(canvas, body)
        _bowels(canvas, body, bowel)
        _chest(canvas, body, inner)
        _vessels(canvas, body)
        _bones(canvas, body, inner)
        return _scanned(canvas, rng.uniform(*protocol.noise), rng)


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


def _scanned(canvas: Canvas, noise: float, rng: np.random.Generator) -> BodyScan:
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
    return BodyScan(
        images=images,
        spacing=(round(spacing[0], 4), round(spacing[1], 4), round(spacing[2], 4)),
        origin=(float(x[0]), float(y[0]), float(z[0])),
        pancreas=(canvas.marks.get("pancreas", nothing) > _MAJORITY).astype(np.uint8),
        lung=sums["lung"],
        gas=sums["gas"],
    )
