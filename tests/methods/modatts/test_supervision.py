from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsearch.core.errors import BadInput
from medsearch.imaging.geometry import halves
from medsearch.methods.modatts.supervision import Supervision, supervision
from medsearch.methods.modatts.synthesis import synthesised
from tests.micro import Micro, flat


def given(micro: Micro, folder: Path, knobs=None, *, node="segmentation", selection="oracle", task=None) -> Supervision:
    run = micro.runs(knobs, selection=selection, task=task)[node]
    if run.upstream:
        micro.finished("synthesis", knobs, selection=selection, task=task)
    return supervision(run.stage.recipe, selection, micro.context(run, folder))


@pytest.mark.parametrize(("rule", "contrast"), [("source", "t1"), ("pseudo-target", None), ("oracle", "t2")])
def test_validation_sees_what_the_rule_allows(micro: Micro, tmp_path: Path, rule: str, contrast: str | None) -> None:
    crops = given(micro, tmp_path, selection=rule).validation.halves
    for index, (subject, side, _) in enumerate(crops.units):
        place = micro.prepared.index(subject)
        if contrast is None:
            volumes, places = synthesised(micro.finished("synthesis"))
            volume = volumes[places[subject]]
        else:
            volume = micro.prepared.image(contrast)[place]
        box, geometry = micro.prepared.boxes[place], crops.volumes.geometry
        np.testing.assert_array_equal(crops[index][0], halves(volume, geometry, box)[side])
        np.testing.assert_array_equal(crops[index][1], halves(micro.prepared.mask[place], geometry, box)[side])
        assert micro.prepared.presence[place, side]


def test_pseudo_target_crops_teach_and_target_crops_are_told_apart_by_presence(micro: Micro, tmp_path: Path) -> None:
    found = given(micro, tmp_path)
    assert found.annotated_fraction == 1.0
    assert found.synthetic.annotated == set(range(len(found.synthetic)))
    assert found.diseased.annotated == frozenset()
    presence = {
        (unit.subject, unit.side): micro.prepared.presence[micro.prepared.index(unit.subject), unit.side]
        for crops in (found.synthetic, found.diseased)
        for unit in crops.halves.units
    }
    assert all(presence.values())
    assert len(found.diseased) == len(found.healthy) == 2
    sources = {unit.subject for unit in found.synthetic.halves.units}
    assert not sources & {unit.subject for unit in found.diseased.halves.units}


def test_fewer_labels_leave_fewer_synthetic_crops(micro: Micro, tmp_path: Path) -> None:
    found = given(micro, tmp_path, task={"source_labels": 0.5})
    assert (len(found.synthetic), found.annotated_fraction) == (1, 0.5)


@pytest.mark.parametrize(("reference", "contrast"), [("source", "t1"), ("target", "t2")])
def test_references_learn_from_their_own_images_alone(
    micro: Micro, tmp_path: Path, reference: str, contrast: str
) -> None:
    knobs = {"segmentation.supervision": reference}
    rule = "source" if reference == "source" else "oracle"
    found = given(micro, tmp_path, knobs, selection=rule, task={"target_labels": 1.0})
    assert len(found.diseased) == len(found.healthy) == 0
    assert len(found.synthetic) == 2
    subject, side, _ = found.synthetic.halves.units[0]
    place = micro.prepared.index(subject)
    image = halves(
        micro.prepared.image(contrast)[place], found.synthetic.halves.volumes.geometry, micro.prepared.boxes[place]
    )
    np.testing.assert_array_equal(found.synthetic.halves[0][0], image[side])


def test_slices_train_and_whole_halves_validate_in_2d(micro: Micro, tmp_path: Path) -> None:
    found = given(micro, tmp_path, flat())
    for crops in (found.synthetic, found.diseased, found.healthy):
        assert all(unit.z is not None for unit in crops.halves.units)
    for crops, present in ((found.synthetic, True), (found.diseased, True), (found.healthy, False)):
        for subject, side, z in crops.halves.units:
            place = micro.prepared.index(subject)
            crop = halves(micro.prepared.mask[place], crops.halves.volumes.geometry, micro.prepared.boxes[place])[side]
            assert crop[z - 4].any() == present
    assert all(unit.z is None for unit in found.validation.halves.units)
    assert found.validation.load([0], None).x.shape == (1, 1, 8, 16, 8)


@pytest.mark.parametrize(
    ("knobs", "task", "message"),
    [
        ({}, {"source_labels": 0.0}, "no annotated crop with a tumour to learn from"),
        ({"segmentation.supervision": "source"}, {"source_labels": 0.0}, "no annotated crop"),
        ({"segmentation.supervision": "target"}, {"target_labels": 0.0}, "no annotated crop"),
    ],
)
def test_nothing_to_learn_from_is_refused(
    micro: Micro, tmp_path: Path, knobs: dict[str, str], task: dict[str, float], message: str
) -> None:
    rule = "source" if knobs.get("segmentation.supervision") == "source" else "oracle"
    with pytest.raises(BadInput, match=message):
        given(micro, tmp_path, knobs, selection=rule, task=task)


def test_target_labels_alone_are_enough(micro: Micro, tmp_path: Path) -> None:
    found = given(micro, tmp_path, task={"source_labels": 0.0, "target_labels": 1.0})
    assert (len(found.synthetic), found.annotated_fraction) == (0, 0.0)
    assert found.diseased.annotated == {0, 1}


def test_tumours_on_both_sides_leave_nothing_healthy_to_translate(tmp_path: Path) -> None:
    micro = Micro.written(tmp_path / "both", both_sides=True)
    with pytest.raises(
        BadInput, match=r"no healthy target crop to translate; take segmentation\.variant self-supervised"
    ):
        given(micro, tmp_path)
    found = given(
        micro, tmp_path, {"segmentation.variant": "self-supervised", "segmentation.network.unique_fraction": 0.0}
    )
    assert (len(found.synthetic), len(found.healthy)) == (4, 0)


def test_small_tumours_come_more_often(micro: Micro, tmp_path: Path) -> None:
    """Four tumours leave room for one small one (a third, rounded down); among one large none is the more mixed."""
    task = {"pairing": "overlap"}
    plain = given(micro, tmp_path, task=task).synthetic
    often = given(micro, tmp_path, {"segmentation.tumour_upsampling": 3}, task=task).synthetic
    sizes = {unit: int(plain.halves[index][1].sum()) for index, unit in enumerate(plain.halves.units)}
    smallest = min(sizes, key=lambda unit: sizes[unit])
    assert Counter(often.halves.units) == Counter({unit: 3 if unit == smallest else 1 for unit in sizes})
    assert len(often) == len(plain) + 2


def test_slices_come_as_often_as_their_tumour(micro: Micro, tmp_path: Path) -> None:
    task, knobs = {"pairing": "overlap"}, flat(**{"segmentation.tumour_upsampling": 2})
    units = given(micro, tmp_path, knobs, task=task).synthetic.halves.units
    turns = {unit[:2]: units.count(unit) for unit in units}
    assert {units.count(unit) for unit in units if turns[unit[:2]] == 2} == {2}
    assert sorted(turns.values()) == [1, 1, 1, 2]


def test_less_than_once_is_refused(micro: Micro, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"knob 'segmentation\.tumour_upsampling' takes an integer of 1 or more"):
        given(micro, tmp_path, {"segmentation.tumour_upsampling": 0})


@pytest.mark.parametrize("network", [{}, flat()], ids=["crops", "slices"])
def test_an_epoch_is_as_long_whatever_is_annotated_or_translated(
    micro: Micro, tmp_path: Path, network: dict[str, Any]
) -> None:
    rows: list[tuple[dict[str, Any], float]] = [
        ({}, 1.0),
        ({}, 0.5),
        ({"segmentation.translate": "none"}, 0.5),
        ({"segmentation.variant": "self-supervised"}, 0.5),
    ]
    found = [
        given(micro, tmp_path / str(row), {**network, **knobs}, task={"source_labels": labels})
        for row, (knobs, labels) in enumerate(rows)
    ]
    assert len({one.epoch for one in found}) == 1
    assert len(found[1].synthetic) < found[1].epoch >= len(found[1].diseased)
