from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.grids import Box
from medsearch.phantoms.templates import Template, label_maps, mni152, mni152_head, whole_labelled_head
from medsearch.phantoms.tissues import HEAD, NORMAL

BOX = Box.around((0.0, -16.0, -30.0), (200, 230, 100), (2.0, 2.0, 2.0))


def undeformed(template: Template) -> np.ndarray:
    scale = (np.eye(3) / template.scale).astype(np.float32)
    return Anatomy(template, scale, np.zeros(3, np.float32), (), ()).on(BOX)


def tissue_at(maps: np.ndarray, *place: float) -> str:
    index = tuple(int(np.abs(axis - at).argmin()) for axis, at in zip(BOX.axes, place, strict=True))
    return "air" if maps[(slice(None), *index)].sum() < 0.5 else HEAD[int(maps[(slice(None), *index)].argmax())]


@pytest.fixture(scope="module")
def mni() -> np.ndarray:
    return undeformed(mni152_head())


def test_the_brain_in_the_head_is_mni152s(mni: np.ndarray) -> None:
    brain = undeformed(mni152())
    inside = ndimage.binary_erosion(brain.sum(axis=0) > 0.99, iterations=2)
    np.testing.assert_allclose(mni[: len(NORMAL), inside], brain[:, inside], atol=0.01)


def test_shares_are_one_in_the_head_and_zero_in_the_air(mni: np.ndarray) -> None:
    total = mni.sum(axis=0)
    assert ((total == 0) | (np.abs(total - 1) < 1e-5)).all()
    assert total[[0, -1]].max() == 0
    assert total[:, -1].max() == 0


@pytest.mark.parametrize(
    ("place", "tissue"),
    [
        ((18, -24, -35), "fluid"),  # cerebellopontine cistern
        ((0, -8, -34), "fluid"),  # before the pons
        ((0, -23, -24), "white matter"),  # pons
        ((30, -22, -37), "bone"),  # petrous bone
        ((47, -42, -39), "vessel"),  # sigmoid sinus
        ((30, 54, -34), "fluid"),  # eye
        ((26, 40, -62), "air"),  # maxillary sinus
        ((0, -60, -78), "muscle"),  # neck
    ],
)
def test_what_lies_around_the_posterior_fossa(mni: np.ndarray, place: tuple[float, float, float], tissue: str) -> None:
    assert tissue_at(mni, *place) == tissue
    assert tissue_at(mni, -place[0], *place[1:]) == tissue


def test_fat_is_under_the_skin_all_around(mni: np.ndarray) -> None:
    """Going inwards from the air on either side, the first tissue is fat."""
    head = mni.sum(axis=0) > 0.5
    for row in (40, 60, 80):
        for level in (10, 25, 40):
            line = np.flatnonzero(head[:, row, level])
            for end in (line[0], line[-1]):
                assert HEAD[int(mni[:, end, row, level].argmax())] == "fat"


def test_a_label_map_keeps_its_head(drawn_head: Path) -> None:
    """The drawn head has skin of 12 mm around fluid around cortex."""
    maps = undeformed(whole_labelled_head(label_maps(drawn_head)[0]))
    assert tissue_at(maps, 0, -16 - 90, 5) == "fat"
    assert tissue_at(maps, 30, -25, 5) == "white matter"
    assert tissue_at(maps, 63, -16, 5) == "grey matter"
    volume = maps.sum() * BOX.voxel_ml
    z = np.clip(BOX.axes[2] - 5, -80, 80)
    slices = np.pi * 80 * 95 * (1 - (z / 80) ** 2)
    assert volume == pytest.approx(slices[np.abs(BOX.axes[2] - 5) < 80].sum() * 2 / 1000, rel=0.05)
