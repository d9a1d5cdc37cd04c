"""A body, drawn: trunk, organs, bowel, vessels, lungs and bones, in the order in which they cover each other.

Sizes and places are those of an adult of usual size (half width 160 mm, half depth 110 mm), by eye from atlases.
"""

from dataclasses import dataclass

import numpy as np

from medsearch.phantoms.abdomen.bodies import Body
from medsearch.phantoms.abdomen.canvas import Canvas, Point
from medsearch.phantoms.grids import Array

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


def draw_body(canvas: Canvas, body: Body, bowel: Bowel) -> None:
    """Paint all of it. Marks: "lung", "gas" (of the bowel) and "pancreas"."""
    inner = _trunk(canvas, body)
    _upper_organs(canvas, body)
    _bowels(canvas, body, bowel)
    _chest(canvas, body, inner)
    _vessels(canvas, body)
    _bones(canvas, body, inner)


def _trunk(canvas: Canvas, body: Body) -> Array:
    """Skin, fat and muscle; returns how deep each voxel lies within the cavity, mm, negative inside."""
    x, y, z = canvas.points
    waist = 1 - 0.07 * np.exp(-(((z + 170 * body.length) / (70 * body.length)) ** 2))
    hips = 1 + 0.06 / (1 + np.exp((z + 270 * body.length) / 25))
    shape = waist * hips
    depth = _superellipse(x / shape, y / shape, body.width, body.depth)
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


def _superellipse(x: Array, y: Array, width: float, depth: float) -> Array:
    away = (np.abs(x / width) ** _SQUARENESS + np.abs(y / depth) ** _SQUARENESS) ** (1 / _SQUARENESS)
    return np.asarray((away - 1) * depth, np.float32)


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
