"""What an encoder hands to its decoders, and the split of the bottleneck into the codes c and u (4.3.1, 5.4.2)."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Mode = Literal["residual", "segmentation"]
MODES: tuple[Mode, Mode] = ("residual", "segmentation")
"""What a decoder with two sets of norms and two heads is asked for."""


@dataclass(frozen=True)
class Latent:
    """One batch of encoded images.

    code: the bottleneck (b, channels, *coarsest); its first `common_channels` are c, the others u.
    skips: features of the finer levels, fine to coarse; not split.
    maps: semantic maps (b, channels, codes) of a Medformer's levels 2-4; not split. None in other encoders.
    """

    code: Tensor
    skips: tuple[Tensor, ...]
    maps: tuple[Tensor, ...]
    common_channels: int

    @property
    def common(self) -> Float[Tensor, "b c *space"]:
        """The code c: what diseased and healthy images share."""
        return self.code[:, : self.common_channels]

    @property
    def unique(self) -> Float[Tensor, "b u *space"]:
        """The code u: what only diseased images have."""
        return self.code[:, self.common_channels :]

    def with_unique(self, u: Float[Tensor, "b u *space"]) -> "Latent":
        """The same image with another unique code, as in Eq. 5.10."""
        return replace(self, code=torch.cat([self.common, u], 1))

    def __getitem__(self, samples: slice) -> "Latent":
        """Codes, skips and maps of the samples `samples` of the batch."""
        return replace(
            self,
            code=self.code[samples],
            skips=tuple(skip[samples] for skip in self.skips),
            maps=tuple(codes[samples] for codes in self.maps),
        )
