"""What every layout promises, whatever its cases are."""

from pathlib import Path

import pytest

from medsearch.cohorts.checks import check
from medsearch.cohorts.layouts import (
    AXIAL_LAYOUTS,
    LAYOUTS,
    TUMOUR_LAYOUTS,
    AxialLayout,
    Layout,
    TumourLayout,
    axial_layout,
    layout,
    tumour_layout,
)
from medsearch.core.errors import BadInput
from medsearch.imaging.geometry import SCALES
from medsearch.phantoms import PHANTOMS


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_is_found_by_its_name_and_has_every_scale(name: str) -> None:
    known = layout(name)
    assert isinstance(known, Layout)
    assert known.name == name
    assert tuple(known.geometries) == SCALES
    assert known.grid_tolerance > 0


def test_every_layout_is_of_one_kind() -> None:
    assert {*TUMOUR_LAYOUTS, *AXIAL_LAYOUTS} == {*LAYOUTS}
    assert not {*TUMOUR_LAYOUTS} & {*AXIAL_LAYOUTS}
    assert all(isinstance(known, TumourLayout) for known in TUMOUR_LAYOUTS.values())
    assert all(
        isinstance(known, AxialLayout) and not isinstance(known, TumourLayout) for known in AXIAL_LAYOUTS.values()
    )


@pytest.mark.parametrize("name", TUMOUR_LAYOUTS)
def test_a_layout_of_tumours_says_which_labels_are(name: str) -> None:
    known = tumour_layout(name)
    assert set(known.tumour) < set(known.labels)
    assert known.grids == ("one" if known.atlas is None else "atlas")


@pytest.mark.parametrize("name", AXIAL_LAYOUTS)
def test_a_layout_of_whole_images_leaves_each_its_grid(name: str) -> None:
    known = axial_layout(name)
    assert known.grids == "own"
    assert known.geometries["paper"].slice_size == 128


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_has_a_phantom(name: str) -> None:
    assert name in PHANTOMS
    assert {"cases", "spacing", "seed"} <= {*PHANTOMS[name].knobs}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    checked = check(tmp_path / "nowhere", name)
    assert checked.refusals
    assert checked.cohort.cases == ()


def test_one_kind_is_not_taken_for_the_other() -> None:
    with pytest.raises(BadInput, match="'abdominal_ct' has no outlined tumours; choose one of brats2020"):
        tumour_layout("abdominal_ct")
    with pytest.raises(BadInput, match="'brats2020' is not of whole CT images; choose one of abdominal_ct"):
        axial_layout("brats2020")
    with pytest.raises(BadInput, match="no layout 'abdomen'"):
        axial_layout("abdomen")
