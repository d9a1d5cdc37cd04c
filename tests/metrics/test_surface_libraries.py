"""ASSD and HD95 in both forms against medpy and MONAI, on rough balls, on pinned pairs and on empty masks."""

import warnings
from math import inf, nan

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medpy.metric import binary as medpy
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

from medsearch.metrics.surfaces import assd, hd95
from tests.metrics.blobs import blob

Masks = tuple[np.ndarray, np.ndarray]
NOTHING, SOME = np.zeros((4, 5, 6), bool), np.zeros((4, 5, 6), bool)
SOME[1:3, 2:4, 3:5] = True
spacings = st.tuples(*[st.sampled_from([0.41, 1.0, 4.0])] * 3)


def of_monai(one: np.ndarray, other: np.ndarray, spacing: tuple[float, float, float]) -> dict[str, float]:
    """Its distances are in single precision; an image's first axis is spaced by the first number."""
    pair = [torch.tensor(mask[None, None]) for mask in (one, other)]
    options = {"include_background": True, "spacing": list(spacing)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # empty masks, and an option of its own
        return {
            "assd pooled": float(compute_average_surface_distance(*pair, symmetric=True, **options)),
            "there": float(compute_average_surface_distance(*pair, **options)),
            "back": float(compute_average_surface_distance(*pair[::-1], **options)),
            "hd95 directed": float(compute_hausdorff_distance(*pair, percentile=95, **options)),
        }


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(0, 999), spacings)
def test_every_form_agrees_with_its_library(one: int, other: int, spacing: tuple[float, float, float]) -> None:
    pair = blob(one), blob(other)
    monai = of_monai(*pair, spacing)
    there, back = (medpy.asd(*way, voxelspacing=spacing) for way in (pair, pair[::-1]))
    assert assd(*pair, spacing) == pytest.approx(medpy.assd(*pair, voxelspacing=spacing), abs=1e-9)
    assert assd(*pair, spacing) == pytest.approx(monai["assd pooled"], abs=1e-5, rel=1e-5)  # float32
    assert assd(*pair, spacing, form="directed") == pytest.approx((there + back) / 2, abs=1e-9)
    assert assd(*pair, spacing, form="directed") == pytest.approx(
        (monai["there"] + monai["back"]) / 2, abs=1e-5, rel=1e-5
    )  # float32
    assert hd95(*pair, spacing) == pytest.approx(medpy.hd95(*pair, voxelspacing=spacing), abs=1e-9)
    assert hd95(*pair, spacing, form="directed") == pytest.approx(monai["hd95 directed"], abs=1e-5, rel=1e-5)  # float32


def ball(radius: float, spacing: tuple[float, float, float], *, shift: float = 0.0) -> np.ndarray:
    """A ball of `radius` mm that no border touches; centres lie 20 mm from the grid's corner."""
    shape = tuple(int(40 / edge) + 2 for edge in spacing)
    at = (20 + shift, 20, 20)
    axes = zip(np.indices(shape), spacing, at, strict=True)
    return sum((axis * edge - centre) ** 2 for axis, edge, centre in axes) <= radius**2


def voxels(shape: tuple[int, int, int], *places: tuple[int, int, int]) -> Masks:
    one, other = np.zeros(shape, bool), np.zeros(shape, bool)
    one[places[0]] = other[places[1]] = True
    return one, other


def scattered() -> Masks:
    rng = np.random.default_rng(0)
    one, other = (rng.random((24, 24, 12)) < 0.3 for _ in range(2))
    return one, other


FINE, COARSE = (0.41, 0.41, 1.0), (1.0, 1.0, 3.0)
PAIRS = {
    "balls of 10 and 12 mm": ((ball(10, (1, 1, 1)), ball(12, (1, 1, 1))), (1.0, 1.0, 1.0)),
    "balls of 6 mm, 1.5 mm apart": ((ball(6, FINE), ball(6, FINE, shift=1.5)), FINE),
    "balls of 4 and 8 mm": ((ball(4, FINE), ball(8, FINE)), FINE),
    "30 % of all voxels": (scattered(), COARSE),
    "voxels four apart": (voxels((4, 9, 4), (1, 2, 1), (1, 6, 1)), (1.0, 0.5, 3.0)),
}


@pytest.mark.parametrize(
    ("pair", "pooled", "directed", "of_medpy", "of_monai"),
    [
        ("balls of 10 and 12 mm", 1.89094, 1.88730, 2.23607, 2.23607),
        ("balls of 6 mm, 1.5 mm apart", 0.585367, 0.585358, 1.29653, 1.29653),
        ("balls of 4 and 8 mm", 3.85375, 3.81435, 4.16471, 4.18017),
        ("30 % of all voxels", 0.822051, 0.821866, 2, 2),
        ("voxels four apart", 2, 2, 2, 2),
    ],
)
def test_pairs_whose_numbers_were_measured_with_the_libraries(
    pair: str, pooled: float, directed: float, of_medpy: float, of_monai: float
) -> None:
    """With medpy 0.5.2, the source of its 0.4 (directed ASSD), and MONAI 1.6."""
    masks, spacing = PAIRS[pair]
    found = [measure(*masks, spacing, form=form) for measure in (assd, hd95) for form in ("pooled", "directed")]
    assert found == pytest.approx([pooled, directed, of_medpy, of_monai], abs=1e-5)


EMPTY = {
    "neither": (SOME, SOME, 0.0),
    "prediction": (NOTHING, SOME, None),
    "truth": (SOME, NOTHING, None),
    "both": (NOTHING, NOTHING, 0.0),
}


@pytest.mark.parametrize(
    ("empty", "monais_assd", "monais_hd95"),
    [("neither", 0.0, 0.0), ("prediction", inf, nan), ("truth", inf, nan), ("both", nan, nan)],
)
def test_where_a_mask_is_empty_ours_are_undefined_and_theirs_raise_or_are_no_number(
    empty: str, monais_assd: float, monais_hd95: float
) -> None:
    """Two empty masks agree, here; to the libraries they are as undefined as one."""
    one, other, expected = EMPTY[empty]
    for measure in (assd, hd95):
        assert [measure(one, other, 1.0, form=form) for form in ("pooled", "directed")] == [expected, expected]
    monai = of_monai(one, other, (1.0, 1.0, 1.0))
    assert monai["assd pooled"] == pytest.approx(monais_assd, nan_ok=True)
    assert monai["hd95 directed"] == pytest.approx(monais_hd95, nan_ok=True)
    for theirs in (medpy.assd, medpy.hd95):
        if empty == "neither":
            assert theirs(one, other) == 0
        else:
            with pytest.raises(RuntimeError, match="does not contain any binary object"):
                theirs(one, other)
