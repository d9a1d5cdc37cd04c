"""CycleGAN's four networks (Zhu et al. 2017): s is the source, t the target, x_st a source image made target."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.cyclegan_config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.networks.patch_discriminator import PatchDiscriminator
from medsearch.networks.resnet_generator import ResNetGenerator

Images = Float[Tensor, "_ _ _ _"]


@dataclass(frozen=True)
class Cycled:
    """Images in [-1, 1], their translations, these translated back, and what stays as it is, if it was asked for."""

    x_s: Images
    x_t: Images
    x_st: Images
    x_ts: Images
    x_sts: Images
    x_tst: Images
    x_ss: Images | None = None
    x_tt: Images | None = None


@final
class Translator(nn.Module):
    """A generator; with input addition, what it makes is added to its input and the sum cut to [-1, 1]."""

    def __init__(self, config: ResNetGeneratorConfig, *, input_addition: bool = False) -> None:
        super().__init__()
        self.generator, self.input_addition = ResNetGenerator(config), input_addition

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Images of the other domain, in fp32."""
        y: Tensor = self.generator(x).float()
        return torch.clamp(x + y, -1, 1) if self.input_addition else y


@final
class Translators(nn.Module):
    """G_st and G_ts."""

    def __init__(self, config: ResNetGeneratorConfig, *, input_addition: bool = False) -> None:
        super().__init__()
        self.g_st, self.g_ts = (Translator(config, input_addition=input_addition) for _ in range(2))

    def forward(self, x_s: Images, x_t: Images, *, identity: bool = False) -> Cycled:
        """Both cycles; with `identity`, also what each generator makes of images that are as it should make them."""
        x_st, x_ts = self.g_st(x_s), self.g_ts(x_t)
        x_sts, x_tst = self.g_ts(x_st), self.g_st(x_ts)
        same = (self.g_ts(x_s), self.g_st(x_t)) if identity else ()
        return Cycled(x_s, x_t, x_st, x_ts, x_sts, x_tst, *same)


@final
class Discriminators(nn.Module):
    """D_s and D_t."""

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        self.d_s, self.d_t = PatchDiscriminator(config), PatchDiscriminator(config)
