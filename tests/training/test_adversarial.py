"""Adversarial steps, and discriminators' scores."""

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.training.adversarial import AdversarialStep, discriminator_scores, pieces, supervised_step
from medsearch.training.runtime import Runtime
from tests.micro import RECIPE


class Toy:
    """A generator g·x and a discriminator d·x, both of one weight, with hinge-free terms that are easy to follow."""

    def __init__(
        self, optimiser: type[torch.optim.Optimizer] = torch.optim.SGD, first: Literal["d", "g"] = "d"
    ) -> None:
        self.g, self.d = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.g.weight, 2.0)
        nn.init.constant_(self.d.weight, 0.5)
        self.events: list[tuple[str, float, float]] = []
        self.step = AdversarialStep[Tensor, Tensor](
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=self.g_terms,
            optimiser_d=optimiser(self.d.parameters(), lr=0.1),
            optimiser_g=optimiser(self.g.parameters(), lr=0.1),
            generators=(self.g,),
            discriminators=(self.d,),
            first=first,
        )

    def forward(self, x: Tensor) -> Tensor:
        self.note("forward")
        return self.g(x) + 0.0 * torch.randn(len(x), 1)

    def d_terms(self, fake: Tensor) -> dict[str, Tensor]:
        self.note("d")
        return {"d": self.d(fake.detach()).mean()}

    def g_terms(self, fake: Tensor) -> dict[str, Tensor]:
        self.note("g")
        return {"adv": -self.d(fake).mean(), "size": fake.square().mean()}

    def note(self, what: str) -> None:
        self.events.append((what, self.g.weight.item(), self.d.weight.item()))


def test_one_forward_then_d_then_g_through_the_updated_d() -> None:
    toy, x = Toy(), torch.tensor([[1.0], [3.0]])  # fakes 2 and 6, mean 4
    terms = toy.step([x])
    assert toy.d.weight.item() == pytest.approx(0.5 - 0.1 * 4)  # d(d·fake)/dd is the mean fake
    # G sees the new D (0.1): d(-0.1·g·mean x + g²·mean x²)/dg = -0.2 + 2·2·5
    assert toy.g.weight.item() == pytest.approx(2 - 0.1 * (-0.1 * 2 + 20), abs=1e-6)
    assert [what for what, *_ in toy.events] == ["forward", "d", "g"]
    assert toy.events[2][2] == pytest.approx(0.1)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx({"d": 2.0, "adv": -0.4, "size": 20.0})


def test_g_may_step_first_and_d_then_sees_what_g_made_before() -> None:
    toy, x = Toy(first="g"), torch.tensor([[1.0], [3.0]])
    toy.step([x[:1], x[1:]])
    # d(-0.5·g·mean x + g²·mean x²)/dg = -1 + 2·2·5, through the old D
    assert toy.g.weight.item() == pytest.approx(2 - 0.1 * (-1 + 20), abs=1e-6)
    assert toy.d.weight.item() == pytest.approx(0.5 - 0.1 * 4)  # the mean fake of the old G
    assert [what for what, *_ in toy.events] == ["forward", "g", "forward", "g", "d", "d"]
    assert toy.d.weight.grad.item() == pytest.approx(4.0)  # of the D pass alone


def test_no_gradient_reaches_g_from_ds_terms_nor_d_from_gs() -> None:
    toy = Toy()
    toy.step([torch.ones(2, 1)])
    assert toy.d.weight.grad.item() == pytest.approx(2.0)  # of the D pass alone: the G pass adds nothing
    assert all(parameter.requires_grad for parameter in toy.d.parameters())
    before = toy.g.weight.item()
    supervised = AdversarialStep[Tensor, Tensor](
        forward=toy.forward,
        d_terms=toy.d_terms,
        g_terms=lambda fake: {"nothing": fake.detach().sum() * 0},
        optimiser_d=toy.step.optimiser_d,
        optimiser_g=toy.step.optimiser_g,
        generators=(toy.g,),
        discriminators=(toy.d,),
    )
    supervised([torch.ones(2, 1)])
    assert toy.g.weight.item() == before


@pytest.mark.parametrize("first", ["d", "g"])
@pytest.mark.parametrize("sizes", [(2, 2), (1, 3), (1, 1, 1, 1), (3, 1)])
def test_micro_batches_step_like_the_whole_batch(sizes: Sequence[int], first: Literal["d", "g"]) -> None:
    x = torch.tensor([[1.0], [3.0], [-2.0], [0.5]])
    whole, parts = Toy(torch.optim.Adam, first), Toy(torch.optim.Adam, first)
    for _ in range(3):
        expected, found = whole.step([x]), parts.step(list(x.split(list(sizes))))
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(parts.g.weight, whole.g.weight)
    torch.testing.assert_close(parts.d.weight, whole.d.weight)


def test_both_passes_of_a_micro_batch_draw_the_same_numbers_and_steps_different_ones() -> None:
    drawn: list[float] = []

    class Noisy(Toy):
        def forward(self, x: Tensor) -> Tensor:
            drawn.append(torch.randn(1).item())
            return super().forward(x)

    toy = Noisy()
    torch.manual_seed(0)
    for _ in range(2):
        toy.step([torch.ones(1, 1), torch.ones(1, 1)])
    assert drawn[:2] == drawn[2:4]
    assert drawn[4:6] == drawn[6:]
    assert len(set(drawn)) == 4


def test_running_statistics_move_once_per_micro_batch() -> None:
    class Normed(Toy):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(1)
            object.__setattr__(self.step, "generators", (self.g, self.norm))

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(super().forward(x))

    toy = Normed()
    toy.step([torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [5.0]])])
    assert toy.norm.num_batches_tracked.item() == 2
    assert toy.norm.track_running_stats
    # momentum 0.1 twice, G at weight 2: means of 2 and 4, then 6 and 10
    assert toy.norm.running_mean.item() == pytest.approx(0.9 * (0.1 * 3) + 0.1 * 8)


def test_supervised_step_accumulates_by_share() -> None:
    x, weights = torch.tensor([[1.0], [3.0], [5.0]]), []
    for parts in ([x], [x[:1], x[1:]]):
        model = nn.Linear(1, 1, bias=False)
        nn.init.constant_(model.weight, 1.0)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        terms = supervised_step(parts, lambda batch, m=model: {"size": m(batch).square().mean()}, optimiser)
        assert terms["size"].item() == pytest.approx(35 / 3)
        weights.append(model.weight.item())
    assert weights == pytest.approx([1 - 0.1 * 2 * 35 / 3] * 2)


@given(count=st.integers(0, 40), size=st.integers(0, 12))
def test_pieces_cover_a_batch_once_and_in_order(count: int, size: int) -> None:
    items = list(range(count))
    parts = [items[part] for part in pieces(count, size)]
    assert [item for part in parts for item in part] == items
    assert all(parts)
    assert all(len(part) <= size for part in parts) if size else len(parts) == bool(count)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_batches_judged_together_score_as_they_do_alone_and_in_fp32(precision: str) -> None:
    torch.manual_seed(0)
    judge, runtime = MultiScaleDiscriminator(RECIPE.segmentation.discriminator), Runtime(precision=precision)
    real, fake = torch.randn(2, 1, 8, 16, 8), torch.randn(3, 1, 8, 16, 8)
    together = discriminator_scores(judge, runtime, real, fake)
    for scores, images in zip(together, (real, fake), strict=True):
        (alone,) = discriminator_scores(judge, runtime, images)
        assert len(scores) == len(alone) == 2
        for one, other in zip(scores, alone, strict=True):
            assert one.dtype == torch.float32
            torch.testing.assert_close(one, other, atol=0.02 if precision == "bf16" else 1e-5, rtol=1e-3)
