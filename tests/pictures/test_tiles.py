import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from medsearch.pictures.panels import SIDE, Panel, reach, rendered
from medsearch.pictures.tiles import Gallery, Tile
from tests.micro import Micro, flat

BRAIN = np.ones((8, 4), bool)


def shown(image: np.ndarray, **more: object) -> np.ndarray:
    panel = Panel(**{"image": image, "brain": BRAIN, "limits": (0.0, 1.0), **more})
    return rendered(panel, reach([panel]))


def at(picture: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    """The colour in the middle of a voxel."""
    scale = SIDE // 8
    return tuple(picture[row * scale + scale // 2, column * scale + scale // 2].tolist())


def test_voxels_become_squares_and_the_rest_is_black() -> None:
    image, brain = np.zeros((8, 4)), BRAIN.copy()
    image[1, 2], image[3, 1], brain[0, 0] = 1.0, 0.5, False
    picture = shown(image, brain=brain, limits=(-1.0, 1.0))
    assert picture.shape == (SIDE, SIDE // 2, 3)
    assert at(picture, 1, 2) == (255, 255, 255)
    assert at(picture, 3, 1)[0] == pytest.approx(191, abs=1)
    assert at(picture, 0, 0) == (0, 0, 0)
    assert at(picture, 5, 3)[0] == pytest.approx(128, abs=1)


def test_outlines_are_thin_lines_inside_their_masks() -> None:
    truth = np.zeros((8, 4), np.uint8)
    truth[2:5, 1:3] = 1
    picture = shown(np.zeros((8, 4)), outlines=(np.zeros_like(truth), truth))
    scale = SIDE // 8
    orange = (picture == (255, 176, 0)).all(2)
    rows, columns = np.nonzero(orange)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (2 * scale, 5 * scale, scale, 3 * scale)
    assert orange.sum() < 0.2 * truth.sum() * scale**2
    assert at(picture, 3, 1) == (0, 0, 0)


def test_heat_is_blue_where_nothing_is_looked_at_and_red_where_most_is() -> None:
    where = np.zeros((8, 4))
    where[2, 2] = 1
    picture = shown(np.full((8, 4), 0.5), heat=where)
    red, blue = at(picture, 2, 2), at(picture, 5, 1)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_a_residual_is_white_at_zero() -> None:
    image = np.zeros((8, 4))
    image[1, 1], image[2, 2] = 0.4, -0.4
    picture = shown(image, limits=None)
    assert min(at(picture, 5, 1)) > 240
    assert at(picture, 1, 1)[0] > at(picture, 1, 1)[2]
    assert at(picture, 2, 2)[2] > at(picture, 2, 2)[0]


def test_a_gallery_keeps_tiles_and_their_index(tmp_path: Path) -> None:
    panel = Panel(image=np.full((8, 4), 0.5), brain=BRAIN, limits=(0.0, 1.0))
    gallery = Gallery(tmp_path)
    gallery.add("predictions", [Tile(subject="a/b", what="the image", panel=panel, note="Dice 0.5")], name="other")
    gallery.add("residuals", [])
    gallery.close()
    assert json.loads((tmp_path / "tiles" / "index.json").read_text()) == [
        {
            "kind": "predictions",
            "subject": "a/b",
            "what": "the image",
            "file": "predictions/a-b-the-image.png",
            "note": "Dice 0.5",
        }
    ]
    assert imread(tmp_path / "tiles" / "predictions" / "a-b-the-image.png").shape[:2] == (SIDE, SIDE // 2)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["other.png"]


def test_the_same_tile_is_the_same_file(tmp_path: Path) -> None:
    panel = Panel(image=np.full((8, 4), 0.5), brain=BRAIN, limits=(0.0, 1.0))
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        Gallery(tmp_path / name).add("residuals", [Tile(subject="a", what="b", panel=panel)])
    one, other = ((tmp_path / name / "tiles/residuals/a-b.png").read_bytes() for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize(
    "knobs", [{}, flat(), {"segmentation.decoders": "separate"}], ids=["solid", "flat", "separate"]
)
def test_the_test_stage_leaves_what_figures_are_made_of(micro: Micro, knobs: dict[str, object]) -> None:
    artifact = micro.finished("test", knobs, test=True)
    index = json.loads(artifact.file("tiles/index.json").read_text())
    found: dict[str, list[str]] = {}
    for tile in index:
        assert artifact.file(f"tiles/{tile['file']}").is_file()
        found.setdefault(tile["kind"], []).append(tile["what"])
    assert found["translations"] == ["source", "translated", "target", "truth"]
    assert found["residuals"] == ["presence", "absence", "residual", "segmentation"]
    assert found["predictions"] == ["image", "truth", "prediction"]
    parts = ("common decoder", "residual decoder", "segmentation decoder")
    heads = {f"{part} {rank}" for part in (*parts, "translation encoder") for rank in (1, 2)}
    assert set(found["attention"]) == {"source", "target", *heads}
    notes = [tile["note"] for tile in index if tile["what"] in heads]
    assert all(re.fullmatch(r"layer 1, head [12]: [01]\.\d\d", note) for note in notes)
    assert {tile["note"] for tile in index if tile["what"] == "prediction"} == {
        f"Dice {artifact.manifest.notes['cases'][0]['dice']:.2f}"
    }


def test_without_a_translator_and_generation_there_is_less_to_show(micro: Micro) -> None:
    artifact = micro.finished("test", {"segmentation.supervision": "source"}, test=True)
    index = json.loads(artifact.file("tiles/index.json").read_text())
    assert {tile["kind"] for tile in index} == {"predictions", "attention"}
    heads = [tile["what"] for tile in index if tile["kind"] == "attention"]
    assert heads == ["target", "segmentation decoder 1", "segmentation decoder 2"]
