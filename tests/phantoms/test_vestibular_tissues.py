from dataclasses import replace

import numpy as np
import pytest

from medsearch.phantoms.signals import balanced, flash
from medsearch.phantoms.tissues import GROWN, HEAD, HEAD_TISSUES, NORMAL, draw_tissues

WHITE, TUMOUR = HEAD_TISSUES["white matter"], HEAD_TISSUES["schwannoma"]


def test_the_table_holds_every_tissue() -> None:
    assert set(HEAD_TISSUES) == {*HEAD, *GROWN}
    assert HEAD[: len(NORMAL)] == NORMAL


def test_schwannomas_light_up_after_gadolinium() -> None:
    """FLASH relative to white matter: .73 before, 1.47 after, to the accuracy of the table."""
    before = flash(replace(TUMOUR, gadolinium=0.0)) / flash(replace(WHITE, gadolinium=0.0))
    assert before == pytest.approx(0.73, rel=0.03)
    assert flash(TUMOUR.enhanced()) / flash(WHITE.enhanced()) == pytest.approx(1.47, rel=0.03)


def test_schwannomas_are_dark_in_the_bright_cistern() -> None:
    """CISS relative to white matter: tumour .95, fluid 3.06, to the accuracy of the table."""
    assert balanced(TUMOUR) / balanced(WHITE) == pytest.approx(0.95, rel=0.03)
    assert balanced(HEAD_TISSUES["fluid"]) / balanced(WHITE) == pytest.approx(3.06, rel=0.03)


def test_bone_is_black_and_fluid_dark_in_t1() -> None:
    assert flash(HEAD_TISSUES["bone"]) < 0.02 * flash(WHITE)
    assert balanced(HEAD_TISSUES["bone"]) < 0.02 * balanced(WHITE)
    assert flash(HEAD_TISSUES["fluid"]) < 0.35 * flash(WHITE)


@pytest.mark.parametrize(
    ("tissue", "t1", "t2"),
    [
        ("white matter", (500, 884), (70, 90)),
        ("grey matter", (833, 1124), (83, 110)),
        ("fluid", (2569, 4300), (329, 2200)),
        ("vessel", (1350, 1550), (200, 250)),
    ],
)
def test_relaxation_times_at_15_lie_in_published_ranges(
    tissue: str, t1: tuple[float, float], t2: tuple[float, float]
) -> None:
    assert t1[0] <= HEAD_TISSUES[tissue].t1 <= t1[1]
    assert t2[0] <= HEAD_TISSUES[tissue].t2 <= t2[1]


def test_subjects_scatter_around_this_table() -> None:
    drawn = [draw_tissues(np.random.default_rng(number), HEAD_TISSUES) for number in range(300)]
    assert all(set(one) == set(HEAD_TISSUES) for one in drawn)
    times = [one["schwannoma"].t1 for one in drawn]
    assert np.median(times) == pytest.approx(TUMOUR.t1, rel=0.02)
    assert 0.05 < np.std(times) / TUMOUR.t1 < 0.10
