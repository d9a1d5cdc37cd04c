"""A history of generated images for discriminators to see (Shrivastava et al. 2017; CycleGAN)."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "_ c h w"]


@final
class ImagePool(nn.Module):
    """The last so many generated images, more or less, and a generator of its own to draw among them.

    Image by image: while there is room, the new one is stored and given back. Then, with probability 1/2, a stored one
    is given back and the new one takes its place; otherwise the new one passes. A pool of size 0 passes all.

    A module without weights: its state, the generator's included, goes into checkpoints and comes back bit for bit.
    """

    def __init__(self, size: int, *, shape: tuple[int, int, int], seed: int) -> None:
        super().__init__()
        self.images: Tensor
        self.register_buffer("images", torch.zeros(size, *shape))
        self._stored = 0
        self._generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def forward(self, new: Images) -> Images:
        """As many images as are given, of now and of earlier."""
        return torch.stack([self._exchanged(image) for image in new]) if len(self.images) else new

    def get_extra_state(self) -> Tensor:
        """How many images are stored, and where the generator stands, as bytes."""
        stored = torch.tensor([self._stored]).view(torch.uint8)
        return torch.cat([stored, self._generator.get_state()])

    def set_extra_state(self, state: Tensor) -> None:
        """What `get_extra_state` gave."""
        state = state.cpu()
        self._stored = int(state[:8].clone().view(torch.int64))
        self._generator.set_state(state[8:].clone())

    def _exchanged(self, new: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
        if self._stored < len(self.images):
            self.images[self._stored] = new
            self._stored += 1
            return new
        if not torch.rand((), generator=self._generator) > 0.5:
            return new
        place = int(torch.randint(len(self.images), (), generator=self._generator))
        old = self.images[place].clone()
        self.images[place] = new
        return old
