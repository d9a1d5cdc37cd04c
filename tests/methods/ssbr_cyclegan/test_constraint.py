import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medsearch.cohorts.views import Abdomen
from medsearch.core.recipes import override
from medsearch.methods.ssbr_cyclegan import losses
from medsearch.methods.ssbr_cyclegan.recipe import RegressorConfig, RegressorWeights, Weights
from medsearch.methods.ssbr_cyclegan.regression import Regressor, StackBatch, terms
from medsearch.methods.ssbr_cyclegan.translation import constraint, total, within_body
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.networks.cyclegan import Cycled
from medsearch.training.adversarial import supervised_step
from medsearch.training.cyclegan import CycleGAN, Unpaired, cycle, unchanged
from medsearch.training.recipes import CycleGANRecipe
from medsearch.training.runtime import Runtime

RECIPE = CycleGANRecipe(
    generator=ResNetGeneratorConfig(width=2, blocks=1), discriminator=PatchDiscriminatorConfig(width=2, layers=1)
)


class Brightness(nn.Module):
    """A regressor whose score is the mean of a slice."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3), keepdim=False)[:, None]


def frozen(network: nn.Module | None = None) -> Regressor:
    torch.manual_seed(0)
    regressor = Regressor(RegressorConfig(width=2, units=(1, 1, 1, 1)))
    regressor.network = network or regressor.network
    return regressor.eval().requires_grad_(False)


def begun(**knobs: object) -> CycleGAN:
    return CycleGAN(override(RECIPE, knobs), root=0, size=(32, 32), runtime=Runtime())


def batch(size: int = 4) -> Unpaired:
    rng = torch.Generator().manual_seed(0)
    return Unpaired(*(torch.rand(size, 1, 32, 32, generator=rng) * 2 - 1 for _ in range(2)))


def constant(values: dict[str, list[float]]) -> Cycled:
    return Cycled(**{name: torch.tensor(each).view(-1, 1, 1, 1).expand(-1, 1, 4, 4) for name, each in values.items()})


def test_eq_5_is_of_both_directions() -> None:
    nothing = [0.0, 0.0]
    of = constant(
        {
            "x_s": [0.5, -0.5],
            "x_st": [0.25, 0.5],
            "x_t": [0.1, 0.1],
            "x_ts": [0.1, 0.5],
            "x_sts": nothing,
            "x_tst": nothing,
        }
    )
    found = constraint(frozen(Brightness()), of, runtime=Runtime())
    assert found.item() == pytest.approx((0.25 + 1) / 2 + (0 + 0.4) / 2)


def test_its_gradient_goes_through_the_regressor_to_the_generators_alone() -> None:
    gan, regressor = begun(), frozen()
    statistics = regressor.network.bn1.running_mean.clone()
    constraint(regressor, gan.forward(batch()), runtime=Runtime()).backward()
    for translator in (gan.translators.g_st, gan.translators.g_ts):
        assert translator.generator.encoder[1].weight.grad.abs().sum() > 0
    assert all(weight.grad is None for of in (regressor, gan.discriminators) for weight in of.parameters())
    assert torch.equal(regressor.network.bn1.running_mean, statistics)


def test_the_total_loss_is_the_weighted_sum_of_what_has_a_weight() -> None:
    gan, regressor = begun(), frozen()
    of = gan.forward(batch())
    found = total(gan, of, Weights(cyc=3.0, idt=0.25, acl=2.0), regressor=regressor)
    expected = {
        "adv": gan.adversarial(of),
        "cyc": 3 * cycle(of),
        "idt": 0.75 * unchanged(of),
        "acl": 2 * constraint(regressor, of, runtime=Runtime()),
    }
    torch.testing.assert_close(found, expected)
    assert set(total(gan, of, Weights(idt=0.0, acl=0.0), regressor=None)) == {"adv", "cyc"}


def test_a_batch_may_come_in_parts() -> None:
    regressor, found = frozen(), []
    for size in (4, 1):
        gan = begun()
        gan.begin(1)
        step, whole = gan.step(lambda of, gan=gan: total(gan, of, Weights(), regressor=regressor)), batch()
        found.append(step([whole[start : start + size] for start in range(0, 4, size)]))
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)


def test_a_step_of_the_regressor_has_the_sums_of_the_whole_batch() -> None:
    rng = torch.Generator().manual_seed(0)
    x, bm = torch.randn(4, 3, 1, 32, 32, generator=rng), torch.rand(4, 3, 32, 32, generator=rng) > 0.5
    whole, lam, found = StackBatch(x, bm, 4), RegressorWeights(), []
    for size in (4, 1):
        regressor = frozen().requires_grad_(True)  # batch norms in eval mode, or parts would differ by their statistics
        optimiser = torch.optim.SGD(regressor.parameters(), lr=0.0)
        parts = [whole[start : start + size] for start in range(0, 4, size)]
        found.append(supervised_step(parts, lambda of, r=regressor: terms(r, of, lam, runtime=Runtime()), optimiser))
        found.append({"gradient": regressor.network.fc.weight.grad.clone()})
    torch.testing.assert_close(found[2:], found[:2], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[0], losses.total(frozen().stacks(x), bm, lam))


def test_outside_of_the_body_there_is_air() -> None:
    body = np.array([[[1, 0], [0, 1]]], np.uint8)
    given = Abdomen("a", np.zeros(body.shape, np.int16), body, window=(-1000, 1000), spacing=(1, 1, 1))
    fake = torch.tensor([[[[0.5, 0.5], [-0.25, -1.0]]]])
    assert within_body(fake, given).tolist() == [[[[0.5, -1.0], [-1.0, -1.0]]]]
