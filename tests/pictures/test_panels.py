from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from medsearch.pictures.panels import OUTLINES, Panel, draw

BRAIN = np.ones((30, 20), bool)


def pixels(path: Path, colour: tuple[float, float, float], tolerance: float = 0.05) -> np.ndarray:
    """Rows and columns of the pixels of a colour."""
    image = imread(path)[..., :3]
    return np.argwhere(np.abs(image - np.array(colour)).max(-1) < tolerance)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def marked(rows: slice, columns: slice) -> np.ndarray:
    image = np.full(BRAIN.shape, 0.5)
    image[rows, columns] = 1.0
    return image


def test_front_is_up_and_the_patients_right_is_on_the_left(picture: Path) -> None:
    """Arrays are LPS: row 0 is in front, column 0 at the patient's right."""
    panel = Panel(image=marked(slice(0, 5), slice(0, 5)), brain=BRAIN, limits=(0.0, 1.0))
    draw(picture, [[panel]], lines=("image",), titles=("case",))
    grey, white = pixels(picture, (0.5, 0.5, 0.5), 0.01), pixels(picture, (1, 1, 1))
    inside = white[(white >= grey.min(0) - 60).all(1) & (white <= grey.max(0)).all(1)]
    middle = inside[(inside[:, 0] > grey[:, 0].min() - 40) & (inside[:, 1] > grey[:, 1].min())]
    assert np.median(middle[:, 0]) < np.median(grey[:, 0])
    assert np.median(middle[:, 1]) < np.median(grey[:, 1])


def test_a_voxel_is_as_wide_as_high(picture: Path) -> None:
    image = np.full(BRAIN.shape, 0.0)
    image[10:20, 5:15] = 0.5
    draw(picture, [[Panel(image=image, brain=BRAIN, limits=(0.0, 1.0))]], lines=("image",), titles=("case",))
    square = pixels(picture, (0.5, 0.5, 0.5), 0.01)
    height, width = (np.count_nonzero(np.bincount(square[:, axis]) > 30) for axis in (0, 1))  # more than a letter has
    assert height == pytest.approx(width, abs=2)
    assert height > 60


def test_outside_the_brain_is_black(picture: Path) -> None:
    image, brain = np.full(BRAIN.shape, 0.5), BRAIN.copy()
    brain[:15] = False
    draw(picture, [[Panel(image=image, brain=brain, limits=(0.0, 1.0))]], lines=("image",), titles=("case",))
    black, grey = pixels(picture, (0, 0, 0)), pixels(picture, (0.5, 0.5, 0.5), 0.01)
    assert len(black) == pytest.approx(len(grey), rel=0.1)
    assert np.median(black[:, 0]) < np.median(grey[:, 0])


def test_residuals_are_white_at_zero_and_share_one_scale(picture: Path) -> None:
    strong, weak = (np.zeros(BRAIN.shape) for _ in range(2))
    strong[10:20, 5:15], weak[10:20, 5:15] = 0.4, -0.2
    draw(
        picture,
        [[Panel(image=strong, brain=BRAIN)], [Panel(image=weak, brain=BRAIN)]],
        lines=("residual",),
        titles=("one", "other"),
    )
    red, blue = (0.404, 0.0, 0.122), (0.44, 0.69, 0.82)  # the top of RdBu_r, and a quarter from its bottom
    assert len(pixels(picture, red)) > 1000
    left, right = (np.median(pixels(picture, colour)[:, 1]) for colour in (red, blue))
    assert left < right


def test_true_and_predicted_outlines_are_told_apart(picture: Path) -> None:
    truth, found = np.zeros((2, *BRAIN.shape), np.uint8)
    truth[5:12, 5:12], found[15:25, 5:15] = 1, 1
    draw(
        picture,
        [[Panel(image=np.zeros(BRAIN.shape), brain=BRAIN, limits=(0.0, 1.0), outlines=(truth, found))]],
        lines=("tumour",),
        titles=("case",),
    )
    rows = {}
    for name, colour in OUTLINES.items():
        rgb = tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        found_pixels = pixels(picture, rgb, 0.1)
        rows[name] = found_pixels[found_pixels[:, 0] < imread(picture).shape[0] * 0.85]  # not the legend's
        assert len(rows[name]) > 20
    assert np.median(rows["true"][:, 0]) < np.median(rows["predicted"][:, 0])
