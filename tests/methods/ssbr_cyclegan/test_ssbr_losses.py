"""Every equation against numbers worked out by hand."""

from math import exp, log

import pytest
import torch
from torch import Tensor

from medsearch.methods.ssbr_cyclegan import losses
from medsearch.methods.ssbr_cyclegan.recipe import RegressorWeights


def near(number: float) -> object:
    return pytest.approx(number, rel=1e-5, abs=1e-7)


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def squares(*sides: int) -> Tensor:
    """One volume of bodies that are squares in the corner of slices of 8 x 8."""
    masks = torch.zeros(1, len(sides), 8, 8, dtype=torch.bool)
    for number, side in enumerate(sides):
        masks[0, number, :side, :side] = True
    return masks


def test_eq_1_is_a_sum_over_volumes_and_slices() -> None:
    s = t([0.0, 1.0, 3.0], [2.0, 2.0, 1.0])
    h = [1 / (1 + exp(-delta)) for delta in (1, 2, 0, -1)]
    assert losses.order(s).item() == near(-sum(log(value) for value in h))


def test_eq_1_of_twice_the_scores_is_the_two_class_softmax_of_the_released_code() -> None:
    delta = torch.randn(20)
    softmax = torch.nn.functional.cross_entropy(
        torch.stack([delta, -delta], 1), torch.zeros(20).long(), reduction="sum"
    )
    assert losses.order(torch.stack([torch.zeros(20), 2 * delta], 1)).item() == near(softmax.item())


def test_eq_2_wants_the_ends_at_minus_one_and_one() -> None:
    assert losses.norm(t([-1.0, 7.0, 1.0])).item() == 0
    # f(0.5), f(2) of the first; f(0), f(-0.2) of the second
    assert losses.norm(t([-0.5, 0.0, 3.0], [-1.0, 9.0, 0.8])).item() == near(0.125 + 1.5 + 0 + 0.02)


def test_bodies_that_grow_have_not_changed_and_those_that_shrink_have() -> None:
    changes = losses.body_changes(squares(4, 6, 6, 4, 0, 5))
    torch.testing.assert_close(changes, t([0, 0, 1 - 16 / 36, 1, 0]))
    apart = squares(4, 4)
    apart[0, 1] = apart[0, 1].roll(2, 0)
    torch.testing.assert_close(losses.body_changes(apart), t([0.5]))


def test_eq_3_wants_scores_to_rise_as_the_body_changes() -> None:
    bm, change = squares(6, 4, 4), 1 - 16 / 36
    assert losses.anat(t([-1.0, -1 + change, -1 + change]), bm).item() == near(0)
    # f(change - 2), f(0 - -0.5)
    assert losses.anat(t([-1.0, 1.0, 0.5]), bm).item() == near((2 - change) - 0.5 + 0.125)


def test_eq_4_has_the_paper_s_weights() -> None:
    s, bm = t([-0.5, 0.0, 3.0]), squares(6, 4, 4)
    terms = losses.total(s, bm, RegressorWeights())
    assert {name: term.item() for name, term in terms.items()} == {
        "order": near(0.005 * losses.order(s).item()),
        "anat": near(losses.anat(s, bm).item()),
        "norm": near(10 * (0.125 + 1.5)),
    }


def test_eq_5_is_a_mean_of_absolute_differences() -> None:
    assert losses.acl(t(0.5, -1.0), t(0.0, 0.0)).item() == near(0.75)
