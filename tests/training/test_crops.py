from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from medsearch.cohorts.patches import HemispherePatches, PatchIndex, domain_volumes, half_crops, half_slices
from medsearch.cohorts.views import TaskView
from medsearch.core.recipes import override
from medsearch.training.crops import IGNORED, Crops
from tests.micro import TASK, Micro


@pytest.fixture
def sides(micro: Micro) -> Callable[..., tuple[HemispherePatches, HemispherePatches]]:
    """Diseased and healthy target halves (or their slices) under a fraction of labels."""

    def made(labels: float, *, flat: bool = False) -> tuple[HemispherePatches, HemispherePatches]:
        view = TaskView(micro.prepared, override(TASK, {"target_labels": labels}), TASK.parts)
        volumes = domain_volumes(view, "target", "train")
        return half_slices(volumes) if flat else half_crops(volumes)

    return made


def thirds(unit: PatchIndex) -> NDArray[np.uint8]:
    """Background, tumour and ignored voxels in layers."""
    mask = np.zeros((8, 16, 8), np.uint8)
    mask[:, 6:], mask[:, 11:] = 1, IGNORED
    return mask if unit.z is None else mask[0]


@pytest.mark.parametrize("flat", [False, True])
def test_crops_come_as_they_are_without_augmentation(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]], flat: bool
) -> None:
    halves, _ = sides(1.0, flat=flat)
    batch = Crops(halves).load([1, 0], None)
    assert batch.counted is None
    for place, index in enumerate((1, 0)):
        image, mask = halves[index]
        np.testing.assert_array_equal(batch.x[place, 0], image)
        np.testing.assert_array_equal(batch.y[place, 0], mask)
    assert batch.x.shape[2:] == ((16, 8) if flat else (8, 16, 8))


def test_annotated_crops_come_first(sides: Callable[..., tuple[HemispherePatches, HemispherePatches]]) -> None:
    halves, _ = sides(0.5)
    crops = Crops(halves)
    (known,) = crops.annotated
    assert halves[known][1] is not None
    for order in ([0, 1], [1, 0]):
        batch = crops.load(order, None)
        assert (len(batch.x), len(batch.y)) == (2, 1)
        np.testing.assert_array_equal(batch.x[0, 0], halves[known][0])
        np.testing.assert_array_equal(batch.y[0, 0], halves[known][1])


def test_pseudo_masks_never_replace_true_ones(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]],
) -> None:
    halves, _ = sides(0.5)
    crops = Crops(halves, thirds)
    assert crops.annotated == {0, 1}
    (known,) = Crops(halves).annotated
    np.testing.assert_array_equal(crops.load([known], None).y[0, 0], halves[known][1])
    pseudo = crops.load([1 - known], None)
    np.testing.assert_array_equal(pseudo.y[0, 0], thirds(halves.units[0]) == 1)
    np.testing.assert_array_equal(pseudo.counted[0, 0], thirds(halves.units[0]) != IGNORED)


@pytest.mark.parametrize("flat", [False, True])
def test_ignored_voxels_survive_augmentation(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]], flat: bool
) -> None:
    """No third label is ever made of two others, and the ignored share stays about what it was."""
    halves, _ = sides(0.0, flat=flat)
    crops, shares = Crops(halves, thirds), []
    for seed in range(40):
        batch = crops.load([0, 1], np.random.default_rng(seed))
        assert set(batch.y.unique().tolist()) <= {0.0, 1.0}
        assert batch.counted is not None
        assert not (batch.y.bool() & ~batch.counted).any()
        shares.append((~batch.counted).float().mean().item())
        assert batch.x.abs().max() <= 1
    assert np.mean(shares) == pytest.approx(5 / 16, abs=0.05)


def test_the_same_generator_gives_the_same_crops(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]],
) -> None:
    crops = Crops(sides(1.0)[0])
    one, two, other = (crops.load([0, 1], np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.y, two.y)
    assert not torch.equal(one.x, other.x)


def test_parts_of_a_batch_keep_masks_with_their_crops(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]],
) -> None:
    batch = Crops(sides(0.5)[0], lambda unit: thirds(unit)).load([0, 1], None)
    parts = [batch[slice(0, 1)], batch[slice(1, 2)]]
    assert torch.equal(torch.cat([part.y for part in parts]), batch.y)
    assert torch.equal(torch.cat([part.counted for part in parts]), batch.counted)
    unknown = Crops(sides(0.5)[0]).load([0, 1], None)
    assert [len(unknown[slice(place, place + 1)].y) for place in (0, 1)] == [1, 0]


def test_an_empty_list_gives_nothing(sides: Callable[..., tuple[HemispherePatches, HemispherePatches]]) -> None:
    empty = Crops(sides(1.0)[0]).none()
    assert len(empty) == 0
    assert empty.annotated == frozenset()
    assert list(empty.each(2)) == []
    assert len(empty.load([], None).x) == 0


@pytest.mark.parametrize("flat", [False, True])
def test_tumours_change_their_brightness_only_in_training(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]], flat: bool
) -> None:
    halves, _ = sides(1.0, flat=flat)
    varied = Crops(halves, tumour_intensity=0.9)
    assert torch.equal(varied.load([0], None).x, Crops(halves).load([0], None).x)
    assert not torch.equal(
        *(crops.load([0], np.random.default_rng(0)).x for crops in (varied, Crops(halves, tumour_intensity=0.8)))
    )
    unmarked, _ = sides(0.0, flat=flat)  # what is not annotated stays
    assert torch.equal(
        *(Crops(unmarked, tumour_intensity=reach).load([0], np.random.default_rng(0)).x for reach in (0.0, 0.9))
    )


def test_an_empty_list_keeps_what_is_done_to_crops(
    sides: Callable[..., tuple[HemispherePatches, HemispherePatches]],
) -> None:
    assert Crops(sides(1.0)[0], tumour_intensity=0.9).none().tumour_intensity == 0.9
