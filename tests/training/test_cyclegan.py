"""A CycleGAN in training, and its pools of fakes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from medsearch.core.recipes import override
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.networks.cyclegan import Cycled
from medsearch.training.checkpoints import Checkpoint
from medsearch.training.cyclegan import CycleGAN, ImagePool, Unpaired, cycle, unchanged
from medsearch.training.recipes import CycleGANRecipe
from medsearch.training.runtime import Runtime

RECIPE = CycleGANRecipe(
    generator=ResNetGeneratorConfig(width=2, blocks=1),
    discriminator=PatchDiscriminatorConfig(width=2, layers=1),
    pool=6,
    epochs=2,
    decay_epochs=2,
)
LAM = {"cyc": 10.0, "idt": 0.5}


def begun(root: int = 0, **knobs: object) -> CycleGAN:
    return CycleGAN(override(RECIPE, knobs), root=root, size=(16, 16), runtime=Runtime())


def batch(number: int, size: int = 4) -> Unpaired:
    rng = torch.Generator().manual_seed(number)
    return Unpaired(*(torch.rand(size, 1, 16, 16, generator=rng) * 2 - 1 for _ in range(2)))


def weights(gan: CycleGAN) -> list[Tensor]:
    return [weight.clone() for module in gan.modules.values() for weight in module.parameters()]


def stepped(gan: CycleGAN, *, first: int, count: int, parts: int = 1) -> dict[str, Tensor]:
    gan.begin(1)
    step = gan.step(lambda of: gan.g_terms(of, **LAM))
    for number in range(first, first + count):
        whole = batch(number)
        terms = step([whole[part : part + 4 // parts] for part in range(0, 4, 4 // parts)] if parts > 1 else [whole])
    return terms


def constant(**values: float) -> Cycled:
    return Cycled(**{name: torch.full((2, 1, 16, 16), float(value)) for name, value in values.items()})


def test_cycle_and_identity_by_hand() -> None:
    of = constant(x_s=0.5, x_t=-0.5, x_st=0, x_ts=0, x_sts=0.25, x_tst=0.5, x_ss=0.375, x_tt=-1)
    assert cycle(of).item() == pytest.approx(0.25 + 1)
    assert unchanged(of).item() == pytest.approx(0.125 + 0.5)


def test_the_total_loss_has_cyclegan_s_weights() -> None:
    gan = begun()
    for judge in (gan.discriminators.d_s, gan.discriminators.d_t):
        torch.nn.init.zeros_(judge.layers[-1].weight)
    torch.nn.init.constant_(gan.discriminators.d_s.layers[-1].bias, 0.5)
    torch.nn.init.constant_(gan.discriminators.d_t.layers[-1].bias, -1)
    of = constant(x_s=0.5, x_t=-0.5, x_st=0, x_ts=0, x_sts=0.25, x_tst=0.5, x_ss=0.375, x_tt=-1)
    terms = {name: term.item() for name, term in gan.g_terms(of, **LAM).items()}
    assert terms == pytest.approx({"adv": 0.25 + 4, "cyc": 10 * 1.25, "idt": 10 * 0.5 * 0.625})
    terms = {name: term.item() for name, term in gan.d_terms(of).items()}
    assert terms == pytest.approx({"d_s": 0.5 * (0.25 + 0.25), "d_t": 0.5 * (4 + 1)})
    assert set(gan.g_terms(of, cyc=10.0, idt=0.0)) == {"adv", "cyc"}


def test_both_sides_step_and_neither_moves_the_other() -> None:
    gan = begun()
    before = weights(gan)
    terms = stepped(gan, first=0, count=1)
    assert set(terms) == {"adv", "cyc", "idt", "d_s", "d_t"}
    assert all(torch.isfinite(term) for term in terms.values())
    moved = [not torch.equal(was, now) for was, now in zip(before, weights(gan), strict=True)]
    assert sum(moved) > 0.7 * len(moved)  # what a norm follows has a bias without effect
    for name, others in (("g", gan.discriminators), ("d", gan.translators)):
        own = {id(weight) for group in gan.optimisers[name].param_groups for weight in group["params"]}
        assert own.isdisjoint(id(weight) for weight in others.parameters())


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_may_come_in_parts_pools_and_all(parts: int) -> None:
    whole, parted = begun(), begun()
    for gan, number in ((whole, 1), (parted, parts)):
        gan.begin(1)
        for optimiser in gan.optimisers.values():  # Adam divides rounding errors by themselves
            optimiser.step = lambda: None  # type: ignore[method-assign]
        gan.terms = stepped(gan, first=0, count=5, parts=number)
    torch.testing.assert_close(parted.terms, whole.terms)
    for one, other in zip(weights_with_gradients(parted), weights_with_gradients(whole), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole.pools["s"].images, parted.pools["s"].images, atol=1e-5, rtol=0)


def weights_with_gradients(gan: CycleGAN) -> list[Tensor]:
    return [weight.grad for module in gan.modules.values() for weight in module.parameters() if weight.grad is not None]


def test_discriminators_see_earlier_fakes_and_generators_only_their_own() -> None:
    gan = begun()
    gan.begin(1)
    for number in range(3):
        gan.d_terms(gan.forward(batch(number)))
    of = gan.forward(batch(9))
    now = gan.adversarial(of).item()
    seen = [gan.d_terms(of)["d_s"].item() for _ in range(6)]
    assert len(set(seen)) > 1
    assert gan.adversarial(of).item() == now
    without = begun(pool=0)
    assert len({without.d_terms(of)["d_s"].item() for _ in range(6)}) == 1


def test_training_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole, interrupted = begun(), begun()
    expected = stepped(whole, first=0, count=6)
    stepped(interrupted, first=0, count=3)
    Checkpoint(tmp_path, interrupted.modules, interrupted.optimisers).save({})
    resumed = begun(root=1)
    Checkpoint(tmp_path, resumed.modules, resumed.optimisers).load()
    found = stepped(resumed, first=3, count=3)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert all(torch.equal(one, other) for one, other in zip(weights(resumed), weights(whole), strict=True))


def test_the_rate_falls_over_the_last_epochs() -> None:
    gan, rates = begun(), []
    for epoch in range(1, RECIPE.all_epochs + 1):
        gan.begin(epoch)
        rates.append({group["lr"] for of in gan.optimisers.values() for group in of.param_groups})
    assert [rate for (rate,) in rates] == pytest.approx([2e-4, 2e-4, 2e-4 * 2 / 3, 2e-4 / 3])


def test_defaults_are_the_authors_and_every_scale_fits() -> None:
    recipe = CycleGANRecipe()
    assert (recipe.optimiser.lr, recipe.optimiser.betas, recipe.optimiser.weight_decay) == (2e-4, (0.5, 0.999), 0)
    assert (recipe.pool, recipe.epochs, recipe.decay_epochs, recipe.batch) == (50, 100, 100, 1)
    assert (LAM["cyc"], LAM["idt"]) == (10, 0.5)
    assert CycleGANRecipe.at("paper") == recipe
    for scale, side in (("small", 96), ("tiny", 64)):
        with torch.device("meta"):
            sized = CycleGAN(CycleGANRecipe.at(scale), root=0, size=(side, side), runtime=Runtime(device="meta"))
            x = torch.zeros(1, 1, side, side)
            of = sized.translators(x, x)
            assert min(sized.discriminators.d_s(of.x_ts)[0].shape[2:]) > 1


def numbered(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()


def numbers(images: Tensor) -> list[float]:
    return images[:, 0, 0, 0].tolist()


def pool(size: int = 3, seed: int = 0) -> ImagePool:
    return ImagePool(size, shape=(1, 2, 2), seed=seed)


def test_it_fills_first_and_gives_back_the_new_ones() -> None:
    of = pool()
    assert numbers(of(numbered(1, 2))) == [1, 2]
    assert numbers(of(numbered(3))) == [3]
    assert numbers(of.images) == [1, 2, 3]


def test_a_full_pool_exchanges_image_by_image_half_of_the_time() -> None:
    of, count, exchanged = pool(), 2000, 0
    of(numbered(1, 2, 3))
    for number in range(4, 4 + count):
        stored = numbers(of.images)
        (given,) = numbers(of(numbered(number)))
        if given == number:
            assert numbers(of.images) == stored
        else:
            stored[stored.index(given)] = number
            assert numbers(of.images) == stored
            exchanged += 1
    assert 0.45 < exchanged / count < 0.55


def test_every_place_is_exchanged_alike() -> None:
    of, places = pool(), [0, 0, 0]
    of(numbered(1, 2, 3))
    for number in range(4, 3004):
        before = numbers(of.images)
        of(numbered(number))
        places = [count + (was != now) for count, was, now in zip(places, before, numbers(of.images), strict=True)]
    assert max(places) - min(places) < 120


def test_a_batch_draws_as_its_images_one_by_one_do_and_no_other_generator_counts() -> None:
    batch = numbered(*range(40))
    whole = numbers(pool()(batch))
    of = pool()
    torch.manual_seed(7)
    assert [number for part in batch.split([1, 7, 20, 12]) for number in numbers(of(part))] == whole
    assert numbers(pool(seed=1)(batch)) != whole


def test_nothing_is_kept_of_the_graph_nor_of_the_given_images() -> None:
    of, images = pool(2), numbered(1, 2).requires_grad_()
    given = of(images)
    given.fill_(9)
    assert not given.requires_grad
    assert numbers(of.images) == [1, 2]


def test_a_pool_of_none_passes_all() -> None:
    images = numbered(1, 2, 3)
    assert numbers(pool(0)(images)) == [1, 2, 3]


def test_it_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path: Path) -> None:
    for filled in (2, 30):  # before and after it is full
        of, later = pool(), numbered(*range(100, 140))
        of(numbered(*range(filled)))
        Checkpoint(tmp_path, {"pool": of}, {}).save({})
        again = pool(seed=5)
        Checkpoint(tmp_path, {"pool": again}, {}).load()
        assert numbers(again(later)) == numbers(of(later))
        assert torch.equal(again.images, of.images)
