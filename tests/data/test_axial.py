import pytest

from medsearch.core.errors import BadInput
from medsearch.data.axial import AxialGeometry


def test_the_paper_s_slices_are_the_default() -> None:
    assert (AxialGeometry().slice_size, AxialGeometry().window) == (128, (-1000.0, 1000.0))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"slice_size": 0}, "among 4, 8, 12, ..., got 0"),
        ({"slice_size": 66}, "among 4, 8, 12, ..., got 66"),
        ({"window": (100.0, 100.0)}, "low < high"),
        ({"window": (100.0,)}, "takes 2 numbers"),
        ({"window": (float("nan"), 1.0)}, "takes 2 numbers from -1024 to 3071"),
    ],
)
def test_impossible_geometries_are_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        AxialGeometry(**wrong)
