import pytest
import torch
from torch import nn

from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.networks.medformer import (
    CommonDecoder,
    MedformerEncoder,
    SegmentationDecoder,
    SeparateDecoders,
    SharedDecoder,
)
from medsearch.networks.latent import MODES

CROP = {2: (40, 16), 3: (24, 40, 16)}


def config(dimensions=3):
    return MedformerConfig.at("tiny", "semi", dimensions)


def encoded(dimensions=3, count=2):
    return MedformerEncoder(config(dimensions))(torch.rand(count, 1, *CROP[dimensions]) * 2 - 1)


def learning(module):
    """The names of the weights that a backward pass reached."""
    return {name for name, weight in module.named_parameters() if weight.grad is not None and weight.grad.any()}


def trainable(module):
    return {name for name, weight in module.named_parameters() if weight.requires_grad}


def of_mode(module, mode):
    return {name for name, _ in module.named_parameters() if f".{mode}" in name}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_outputs_have_the_images_size_and_the_range_of_what_they_are(dimensions):
    latent, shared = encoded(dimensions), SharedDecoder(config(dimensions))
    for head in shared.heads.values():
        nn.init.normal_(head.weight, std=5)
    outputs = {
        "common": (CommonDecoder(config(dimensions))(latent), -1),
        "alone": (SegmentationDecoder(config(dimensions))(latent), 0),
        "residual": (shared(latent, "residual"), -1),
        "segmentation": (shared(latent, "segmentation"), 0),
    }

    for y, low in outputs.values():
        assert y.shape == (2, 1, *CROP[dimensions])
        assert low <= y.min() <= y.max() <= 1
    assert outputs["residual"][0].min() < -0.5


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("mode", MODES)
def test_a_mode_trains_its_own_norms_and_head_and_all_that_is_shared(dimensions, mode, opened):
    shared = opened(SharedDecoder(config(dimensions)))
    (other,) = set(MODES) - {mode}
    y = shared(encoded(dimensions), mode)
    (y * torch.randn_like(y)).sum().backward()

    assert learning(shared) == trainable(shared) - of_mode(shared, other)
    assert all(shared.get_parameter(name).grad is None for name in of_mode(shared, other))


def test_what_one_mode_learns_changes_the_other():
    shared, latent = SharedDecoder(config()), encoded()
    before = shared(latent, "segmentation").detach()
    optimiser = torch.optim.SGD(shared.parameters(), lr=0.1)
    shared(latent, "residual").square().mean().backward()
    optimiser.step()

    assert not torch.allclose(shared(latent, "segmentation"), before)


def test_modes_differ_only_through_norms_heads_and_activation():
    shared, latent = SharedDecoder(config()), encoded()
    shared.heads["residual"].load_state_dict(shared.heads["segmentation"].state_dict())
    residual, segmentation = shared(latent, "residual"), shared(latent, "segmentation")

    torch.testing.assert_close(torch.atanh(residual), torch.logit(segmentation), atol=1e-4, rtol=1e-4)


def test_separate_decoders_learn_apart():
    separate = SeparateDecoders(config())
    separate(encoded(), "residual").square().sum().backward()

    assert learning(separate.of["residual"])
    assert not learning(separate.of["segmentation"])


def test_the_common_decoder_cannot_see_the_unique_code():
    common, latent = CommonDecoder(config()), encoded()

    assert torch.equal(common(latent), common(latent.with_unique(torch.randn_like(latent.unique))))


@pytest.mark.parametrize("mode", MODES)
def test_the_shared_decoder_sees_the_unique_code(mode):
    shared, latent = SharedDecoder(config()), encoded()

    other = latent.with_unique(5 * torch.randn_like(latent.unique))
    assert (shared(latent, mode) - shared(other, mode)).abs().max() > 1e-3


@pytest.mark.parametrize("decoder", [CommonDecoder, SegmentationDecoder])
def test_every_weight_but_the_published_dead_ones_learns(decoder, opened):
    made = opened(decoder(config()))
    (made(encoded()) * torch.randn(2, 1, *CROP[3])).sum().backward()

    dead = {name for name, _ in made.named_parameters() if ".unreached." in name}
    assert len(dead) == 3
    assert learning(made) == {name for name, _ in made.named_parameters()} - dead


@pytest.mark.parametrize("dimensions", [2, 3])
def test_in_evaluation_an_image_does_not_see_its_batch(dimensions):
    latent, shared = encoded(dimensions, 3), SharedDecoder(config(dimensions)).eval()

    with torch.no_grad():
        torch.testing.assert_close(
            shared(latent, "segmentation")[1:2], shared(latent[1:2], "segmentation"), atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("mode", MODES)
def test_gradients_reach_the_encoder_through_code_skips_and_maps(mode):
    latent, shared = encoded(), SharedDecoder(config())
    tensors = [latent.code, *latent.skips, *latent.maps]
    gradients = torch.autograd.grad(shared(latent, mode).square().sum(), tensors)

    assert all(gradient.any() for gradient in gradients)


def test_paper_sizes_fit_together():
    paper = MedformerConfig.at("paper", "semi")
    with torch.device("meta"):
        latent = MedformerEncoder(paper)(torch.empty(1, 1, 32, 64, 32))
        assert CommonDecoder(paper)(latent).shape == (1, 1, 32, 64, 32)
        assert SharedDecoder(paper)(latent, "residual").shape == (1, 1, 32, 64, 32)
