"""Every loss against a number worked out by hand, or by a slow loop."""

from math import e, exp, log, sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from medsearch.methods.baselines.accsegnet import losses as accsegnet
from medsearch.methods.baselines.accsegnet.losses import MIND, mind_distance
from medsearch.methods.baselines.accsegnet.networks import Projections
from medsearch.methods.baselines.accsegnet.recipe import PatchNCERecipe
from medsearch.methods.baselines.attent.segmentation import as_map, entropy_map
from medsearch.methods.baselines.attent.translation import averaged
from medsearch.methods.baselines.uagan import training as uagan
from medsearch.networks.config import ResNetGeneratorConfig
from medsearch.networks.cyclegan import ResNetGenerator


def near(number: float) -> object:
    return pytest.approx(number, rel=1e-5, abs=1e-7)


def test_mse() -> None:
    assert accsegnet.mse(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])).item() == near(2)


def test_anatomy_is_what_correlation_leaves_open() -> None:
    a = torch.tensor([-1.0, 0, 1])
    assert accsegnet.anatomy(a, 3 - 2 * a).item() == near(0)
    assert accsegnet.anatomy(a, torch.tensor([1.0, -2, 1])).item() == near(1)
    assert accsegnet.anatomy(a, torch.tensor([0.0, 0, 3])).item() == near(1 - 9 / 12)
    assert torch.isfinite(accsegnet.anatomy(a, torch.zeros(3)))


def test_dice_with_squares() -> None:
    y, y_hat = torch.tensor([1.0, 1, 0]), torch.tensor([0.5, 1, 0.5])
    assert accsegnet.squared_dice(y, y_hat).item() == near(-2 * 1.5 / 3.5)
    assert accsegnet.squared_dice(y, y).item() == near(-1)


def test_patches_are_found_among_those_of_their_image() -> None:
    q = torch.eye(2)[None].requires_grad_(True)
    k = torch.eye(2)[None]
    loss = accsegnet.patch_nce(q, k, temperature=1.0)
    assert loss.item() == near(log(e + 1 + exp(-10)) - 1)
    loss.backward()
    assert q.grad is not None
    swapped = accsegnet.patch_nce(q, k.flip(1), temperature=0.5)
    assert swapped.item() == near(log(exp(0) + exp(2) + exp(-20)))
    assert accsegnet.layered_nce([q, q], [k, k.flip(1)], 1.0).item() == near((loss.item() + log(1 + e + exp(-10))) / 2)


def test_projections_have_length_1_and_come_from_equal_places() -> None:
    torch.manual_seed(0)
    generator = ResNetGenerator(ResNetGeneratorConfig(width=4, blocks=1, down="anti-aliased", up="anti-aliased"))
    recipe = PatchNCERecipe(layers=(0, 4, 12), places=5, width=6)
    projections = Projections(recipe, generator)
    with torch.no_grad():
        features = generator.features(torch.randn(2, 1, 24, 12), recipe.layers)
    a, b = projections([of.requires_grad_() for of in features], features)
    assert all(of.requires_grad for of in a)
    assert not any(of.requires_grad for of in b)
    assert [tuple(of.shape) for of in a] == [(2, 5, 6)] * 3
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(one.norm(dim=2), torch.ones(2, 5))


def described(x: Tensor, row: int, column: int) -> Tensor:
    """MIND of one pixel, far from the edges, in loops."""
    distances, sums = [], []
    for i in range(-4, 5):
        for j in range(-4, 5):
            total = 0.0
            for p in range(-3, 4):
                for q in range(-3, 4):
                    here, there = x[row + p, column + q], x[row + p + i, column + q + j]
                    total += exp(-sqrt(p * p + q * q) / 9) * float(there - here) ** 2
            distances.append(total)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            sums.append(x[row + i - 3 : row + i + 4, column + j - 3 : column + j + 4].sum())
    return torch.softmax(-torch.tensor(distances) / (torch.stack(sums).var() + 1e-8), 0)


def test_mind_describes_a_pixel_by_its_neighbourhood() -> None:
    torch.manual_seed(0)
    mind, x = MIND(), torch.rand(1, 1, 18, 17)
    torch.testing.assert_close(mind(x)[0, :, 8, 9], described(x[0, 0], 8, 9), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(mind(x).sum(1), torch.ones(1, 18, 17))
    inside = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(mind(3 - 2 * x)[inside], mind(x)[inside], rtol=1e-3, atol=1e-6)
    assert mind_distance(mind, x, x).item() == 0
    assert mind_distance(mind, x, torch.rand(1, 1, 18, 17)) > 0


def test_entropy_maps() -> None:
    p = torch.tensor([0.5, 0.25, 0.0, 1.0]).view(1, 1, 1, 4)
    assert as_map(p)[0, :, 0].tolist() == [[0.5, 0.25, 0, 1], [0.5, 0.75, 1, 0]]
    tumour, background = entropy_map(p)[0, :, 0].tolist()
    assert tumour == [near(0.5), near(0.5), near(0), near(0)]
    assert background == [near(0.5), near(0.3112781), near(0), near(0)]


def test_patches_are_averaged_before_the_hinge() -> None:
    (scores,) = averaged([torch.tensor([[[[0.0, 2.0]]], [[[4.0, 2.0]]]])])
    assert scores.tolist() == [1, 3]


def test_uagan_s_adversaries() -> None:
    real, fake = torch.tensor([2.0, 0]), torch.tensor([-2.0, 0])
    assert uagan.wasserstein_d(real, fake).item() == near(-2)
    assert uagan.wasserstein_g(fake).item() == near(1)


def test_uagan_s_hinge_sums_over_the_two_contrasts_as_compared() -> None:
    """Of two patches of one image of either contrast: means over patches, then their sum over the images."""
    real, fake = torch.tensor([[2.0, 0], [-1, 0]]), torch.tensor([[-2.0, 0], [-3, -4]])
    assert uagan.hinge_d(real, fake).item() == near((0 + 1) / 2 + (2 + 1) / 2 + (0 + 1) / 2 + 0)
    assert uagan.hinge_g(fake).item() == near(2 / 2 + 7 / 2)
    more = [torch.cat([of[:1], of[:1], of[1:], of[1:]]) for of in (real, fake)]  # two images of either
    assert uagan.hinge_d(*more).item() == near(uagan.hinge_d(real, fake).item())


def test_gradients_are_to_have_length_1() -> None:
    real, fake = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    scale = torch.tensor(1.0, requires_grad=True)
    loss = uagan.gradient_penalty(lambda x: scale * x.sum((1, 2, 3)), real, fake)
    assert loss.item() == near(1)  # four slopes of 1 have length 2
    loss.backward()
    assert scale.grad is not None  # (2 s - 1)², so 2 · 1 · 2
    assert scale.grad.item() == near(4)


def test_cross_entropy_of_one_logit_is_that_of_two() -> None:
    y, logits = torch.tensor([1.0, 0]), torch.tensor([0.0, log(3)])
    assert uagan.cross_entropy(y, logits, 0.98).item() == near(0.98 * log(2) + 0.02 * log(4))
    y, logits = torch.tensor([1.0, 0, 0, 1]), torch.randn(4)
    both = torch.stack([torch.zeros(4), logits], 1)
    expected = F.cross_entropy(both, y.long(), torch.tensor([0.02, 0.98]))
    torch.testing.assert_close(uagan.cross_entropy(y, logits, 0.98), expected)
