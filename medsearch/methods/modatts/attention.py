"""What the transformers look at: attention weights, the most confident heads, and their maps (section 5.5.5, Fig. 5.9).

The confidence of a head is the mean over its queries of their greatest attention weight. A map is the mean over the
head's queries of their attention, laid over the image. The paper does not say which way round Medformer's bidirectional
attention was looked at; here codes are the queries and voxels the keys, for only these weights lie on the image.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.methods.modatts.networks.semantic_maps import BidirectionalAttention, MapFusion
from medsearch.methods.modatts.networks.transformer import TransformerLayer

_INTERPOLATION = {2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True)
class Attention:
    """The weights of one layer for one image: every head's queries look at keys that lie on the grid `space`."""

    layer: str
    weights: Float[Tensor, "heads queries keys"]
    space: tuple[int, ...]


@dataclass(frozen=True)
class Head:
    """One head: the layer's place among those captured and its name, the head's place in it, and its confidence."""

    place: int
    layer: str
    head: int
    confidence: float

    def __str__(self) -> str:
        return f"layer {self.place + 1}, head {self.head + 1}: {self.confidence:.2f}"


def confidence(weights: Float[Tensor, "heads queries keys"]) -> Float[Tensor, " heads"]:
    """Mean over queries of the greatest weight: 1 looks at one place at a time, 1 / keys everywhere alike."""
    return weights.amax(2).mean(1)


@contextmanager
def captured(part: nn.Module) -> Iterator[list[Attention]]:
    """Collect the weights of every attention over space in `part` while it looks at one image; `forward` stays.

    Left out are the fusion of the levels' codes, which lie nowhere, and blocks whose updated codes nobody reads.
    """
    found: list[Attention] = []
    fused = {id(inner) for fusion in part.modules() if isinstance(fusion, MapFusion) for inner in fusion.modules()}
    hooks = []
    for name, module in part.named_modules():
        if id(module) not in fused and (_is_ladder(module) or isinstance(module, TransformerLayer)):
            hooks.append(module.register_forward_pre_hook(_watch(name, found)))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _is_ladder(module: nn.Module) -> bool:
    return isinstance(module, BidirectionalAttention) and module.codes_out is not None


def _watch(layer: str, found: list[Attention]) -> Any:
    @torch.no_grad()
    def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(module, BidirectionalAttention | TransformerLayer)
        x = given[0]
        assert len(x) == 1  # one image at a time: the weights of many would not fit
        weights = module.attention(*given)[0].float()
        space = x.shape[2:] if isinstance(module, BidirectionalAttention) else (isqrt(x.shape[1]),) * 2
        found.append(Attention(layer, weights, tuple(space)))

    return hook


def most_confident(images: Sequence[Sequence[Attention]], count: int) -> list[Head]:
    """The `count` heads with the highest mean confidence over images, each with the attentions of one image."""
    if not images:
        return []
    heads = [
        Head(place, layers[0].layer, head, float(score))
        for place, layers in enumerate(zip(*images, strict=True))
        for head, score in enumerate(torch.stack([confidence(layer.weights) for layer in layers]).mean(0))
    ]
    return sorted(heads, key=lambda head: -head.confidence)[:count]


def heat(attention: Attention, head: int, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Where a head looks, on an image of `size`: the mean over its queries, linear between the keys' places."""
    seen = attention.weights[head].mean(0).view(1, 1, *attention.space)
    whole: NDArray[np.float32] = F.interpolate(seen, size=size, mode=_INTERPOLATION[len(size)])[0, 0].cpu().numpy()
    return whole
