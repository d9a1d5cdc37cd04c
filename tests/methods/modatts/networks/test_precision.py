"""Networks under bf16 autocast: what they answer stays near full precision, and their gradients finite."""

import torch

from medsearch.methods.modatts.networks.config import MedformerConfig, TransUNetConfig
from medsearch.methods.modatts.networks.medformer import CommonDecoder, MedformerEncoder, SharedDecoder
from medsearch.methods.modatts.networks.transunet import CupDecoder, TransUNetEncoder
from medsearch.networks.config import DiscriminatorConfig
from medsearch.networks.discriminator import MultiScaleDiscriminator


def test_half_precision_stays_near_full_precision():
    medformer, transunet = MedformerConfig.at("tiny", "semi"), TransUNetConfig.at("tiny")
    encoder, shared, common = MedformerEncoder(medformer), SharedDecoder(medformer), CommonDecoder(medformer)
    of_slices, image = TransUNetEncoder(transunet), CupDecoder(transunet, "image")
    judges = [MultiScaleDiscriminator(DiscriminatorConfig.at("tiny", dimensions)) for dimensions in (2, 3)]
    crop, slices = torch.rand(1, 1, 24, 40, 16) * 2 - 1, torch.rand(4, 1, 64, 64) * 2 - 1

    def answers():
        latent = encoder(crop)
        of_crop = [shared(latent, "residual"), shared(latent, "segmentation"), common(latent)]
        return [*of_crop, image(of_slices(slices)), *judges[0](slices), *judges[1](crop)]

    with torch.autocast("cpu", torch.bfloat16):
        half = answers()
    for low, full in zip(half, answers(), strict=True):
        assert (low.float() - full).abs().mean() < 0.05
    sum(low.float().sum() for low in half).backward()
    for network in (encoder, shared, common, of_slices, image, *judges):
        assert all(weight.grad.isfinite().all() for weight in network.parameters() if weight.requires_grad)
