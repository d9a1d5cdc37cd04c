"""Shapes, counts and behaviour of the GenSeg family's networks."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.core.recipes import override
from medsearch.networks.config import GenSegConfig, Scale
from medsearch.networks.genseg import Gate, GenSegEncoder, ImageDecoder, ResidualSegmentationDecoder, SwitchedNorm

SLICES: dict[Scale, tuple[int, int]] = {"paper": (240, 120), "small": (120, 60), "tiny": (60, 30)}
PLAIN = GenSegConfig(spectral_norm=False)
"""As large as with it, and built faster."""
CommonDecoder, TranslationDecoder = partial(ImageDecoder, common=True), partial(ImageDecoder, common=False)
NARROW = GenSegConfig(channels=(4, 6, 8), unique=3, head=3)


def count(module: nn.Module, *, trained: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (GenSegEncoder, 1_536_510),
        (CommonDecoder, 1_619_271),
        (TranslationDecoder, 1_895_751),
        (ResidualSegmentationDecoder, 4_900_628),
    ],
)
def test_paper_sized_networks_have_the_released_ones_parameters(network: type[nn.Module], expected: int) -> None:
    with torch.device("meta"):
        made = network(PLAIN)  # type: ignore[call-arg]
    assert count(made) == expected
    unused = 3_391 if network in (CommonDecoder, TranslationDecoder) else 0
    assert count(made) - count(made, trained=True) == unused


def test_without_gates_six_decoders_are_as_large_as_released() -> None:
    """19.434M of 19.904M."""
    with torch.device("meta"):
        gated, plain = (
            sum(count(kind(config)) for kind in (CommonDecoder, TranslationDecoder, ResidualSegmentationDecoder))
            for config in (PLAIN, override(PLAIN, {"skips": "concat"}))
        )
    assert 19_904_320 - 2 * (gated - plain) == 19_434_226


@pytest.mark.parametrize("scale", SLICES)
def test_codes_are_8_by_4_and_images_keep_their_size(scale: Scale) -> None:
    config = override(GenSegConfig.at(scale), {"spectral_norm": False})
    with torch.device("meta"):
        x = torch.empty(2, 1, *SLICES[scale])
        latent = GenSegEncoder(config)(x)
        outputs = [CommonDecoder(config)(latent), TranslationDecoder(config)(latent)]
        outputs += [ResidualSegmentationDecoder(config)(latent, mode) for mode in ("residual", "segmentation")]
    assert latent.code.shape == (2, config.channels[-1], 8, 4)
    assert latent.unique.shape[1] == config.unique
    assert [skip.shape[1] for skip in latent.skips] == list(config.channels[:-1])
    assert all(output.shape == x.shape for output in outputs)


@pytest.mark.parametrize("size", [(13, 7), (24, 12), (9, 16)])
def test_odd_sizes_come_back(size: tuple[int, int]) -> None:
    latent = GenSegEncoder(NARROW)(torch.randn(1, 1, *size))
    assert CommonDecoder(NARROW)(latent).shape == (1, 1, *size)


@pytest.fixture
def nets() -> tuple[GenSegEncoder, ImageDecoder, ResidualSegmentationDecoder]:
    torch.manual_seed(0)
    return GenSegEncoder(NARROW), CommonDecoder(NARROW), ResidualSegmentationDecoder(NARROW)


def test_in_eval_mode_a_batch_is_its_images_one_by_one(nets: tuple[nn.Module, ...]) -> None:
    encoder, common, decoder = nets
    x = torch.randn(3, 1, 24, 12)
    for net in nets:
        net.train()
    common(encoder(x)), decoder(encoder(x), "segmentation")  # batch norms have seen something
    for net in nets:
        net.eval()

    def outputs(of: Tensor) -> list[Tensor]:
        latent = encoder(of)
        return [common(latent), decoder(latent, "residual"), decoder(latent, "segmentation")]

    whole, single = outputs(x), [outputs(one[None]) for one in x]
    for number, output in enumerate(whole):
        torch.testing.assert_close(output, torch.cat([one[number] for one in single]), atol=1e-5, rtol=1e-4)


def test_the_modes_share_all_but_norms_heads_and_the_classifier() -> None:
    """Of the paper's decoder 1 860 parameters of norms and 1 533 of head and classifier serve segmentation alone."""
    decoder = ResidualSegmentationDecoder(PLAIN)
    own = {
        mode: [name for name, _ in decoder.named_parameters() if f".{mode}." in f".{name}."]
        for mode in ("residual", "segmentation")
    }
    sizes = {name: p.numel() for name, p in decoder.named_parameters()}
    classifier = count(decoder.classify)
    assert sum(sizes[name] for name in own["residual"]) == 3_391
    assert sum(sizes[name] for name in own["segmentation"]) + classifier == 1_860 + 1_533


@pytest.mark.parametrize("mode", ["residual", "segmentation"])
def test_a_mode_moves_nothing_of_the_other(nets: tuple[nn.Module, ...], mode: str) -> None:
    encoder, _, decoder = nets
    other = "segmentation" if mode == "residual" else "residual"
    decoder(encoder(torch.randn(2, 1, 24, 12)), mode).sum().backward()
    for name, parameter in decoder.named_parameters():
        foreign = f".{other}." in f".{name}." or (name.startswith("classify") and mode == "residual")
        assert (parameter.grad is None) == foreign, name


def test_the_common_decoder_never_sees_the_unique_code(nets: tuple[nn.Module, ...]) -> None:
    encoder, common, decoder = nets
    for net in nets:
        net.eval()
    latent = encoder(torch.randn(1, 1, 24, 12))
    other = latent.with_unique(torch.randn_like(latent.unique))
    assert torch.equal(common(latent), common(other))
    assert not torch.equal(decoder(latent, "residual"), decoder(other, "residual"))


def test_a_gate_is_twice_the_skip_where_it_looks() -> None:
    gate = Gate(4)
    skip, decoded = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3)
    gate.psi = nn.Sequential(nn.Conv2d(2, 1, 1), nn.Sigmoid())  # type: ignore[assignment]
    nn.init.zeros_(gate.psi[0].weight)
    nn.init.constant_(gate.psi[0].bias, 100.0)
    torch.testing.assert_close(gate(skip, decoded), 2 * skip)
    nn.init.constant_(gate.psi[0].bias, -100.0)
    torch.testing.assert_close(gate(skip, decoded), 0 * skip)


def test_switched_norms_start_apart() -> None:
    norm, x = SwitchedNorm(3), torch.randn(2, 3, 4, 4)
    assert not torch.equal(norm(x, "residual"), norm(x, "segmentation"))


def test_every_convolution_but_the_classifier_is_spectrally_normed(nets: tuple[nn.Module, ...]) -> None:
    for net in nets:
        for name, part in net.named_modules():
            if isinstance(part, nn.Conv2d):
                assert hasattr(part, "parametrizations") == (name != "classify"), name
    plain = ResidualSegmentationDecoder(override(NARROW, {"spectral_norm": False}))
    assert count(plain) == count(nets[2])
    assert not any(hasattr(part, "parametrizations") for part in plain.modules())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"unique": 8}, "unique 8 of 8"),
        ({"unique": 0}, "knob 'unique'"),
        ({"kernel": 4}, "knob 'kernel'"),
        ({"channels": (4,)}, "channels"),
    ],
)
def test_what_fits_no_network_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        GenSegEncoder(override(NARROW, change))
