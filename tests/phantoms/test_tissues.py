import numpy as np
import pytest

from medsearch.phantoms.signals import signal
from medsearch.phantoms.tissues import NORMAL, TISSUES, TUMOUR, draw_tissues
from tests.phantoms.written_phantom import REAL


@pytest.mark.parametrize("contrast", ["t1", "t1ce", "t2", "flair"])
@pytest.mark.parametrize("tissue", REAL)
def test_ratios_to_white_matter_are_those_of_real_volumes(tissue: str, contrast: str) -> None:
    low, high = REAL[tissue][contrast]
    assert low <= signal(contrast, TISSUES[tissue]) / signal(contrast, TISSUES["white matter"]) <= high


@pytest.mark.parametrize(
    ("tissue", "t1", "t2"),
    [
        ("white matter", (832, 1084), (69, 80)),
        ("grey matter", (1331, 1820), (80, 99)),
        ("fluid", (2569, 4300), (330, 2200)),
        ("oedema", (1200, 1700), (100, 170)),
        ("rim", (1300, 1900), (80, 130)),
        ("core", (1850, 2400), (115, 225)),
    ],
)
def test_relaxation_times_lie_in_published_ranges(
    tissue: str, t1: tuple[float, float], t2: tuple[float, float]
) -> None:
    assert t1[0] <= TISSUES[tissue].t1 <= t1[1]
    assert t2[0] <= TISSUES[tissue].t2 <= t2[1]


def test_the_table_holds_every_tissue() -> None:
    assert set(TISSUES) == {*NORMAL, *TUMOUR}
    assert TUMOUR == {"core": 1, "oedema": 2, "rim": 4}


def test_subjects_scatter_by_five_to_ten_percent_around_the_table() -> None:
    drawn = [draw_tissues(np.random.default_rng(number)) for number in range(600)]
    for name, tissue in TISSUES.items():
        for times, middle in (([d[name].t1 for d in drawn], tissue.t1), ([d[name].t2 for d in drawn], tissue.t2)):
            assert np.median(times) == pytest.approx(middle, rel=0.02)
            if name != "fluid":
                assert 0.05 < np.std(times) / middle < 0.10
