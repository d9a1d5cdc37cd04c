"""What the transformers look at: attention weights, the most confident heads, and their maps (section 5.5.5, Fig. 5.9).

The confidence of a head is the mean over its queries of their greatest attention weight. A map is the mean over the
head's queries of their attention, laid over the image. The paper does not say which way round Medformer's bidirectional
attention was looked at; here codes are the queries and voxels the keys, for only these weights lie on the image.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import isqrt

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.imaging.geometry import padded_slices, unpad_slices
from medsearch.methods.modatts.networks.semantic_maps import BidirectionalAttention, MapFusion
from medsearch.methods.modatts.networks.transformer import TransformerLayer
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.translator import Translator
from medsearch.networks.latent import Latent
from medsearch.pictures.panels import Plane
from medsearch.pictures.sections import Half, Window, grey, limits, shades
from medsearch.pictures.tiles import Tile
from medsearch.stages.context import StageContext

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
    attentions: list[Attention] = []
    fused = {id(inner) for fusion in part.modules() if isinstance(fusion, MapFusion) for inner in fusion.modules()}
    hooks = []
    for name, module in part.named_modules():
        updating = isinstance(module, BidirectionalAttention) and module.codes_out is not None
        if id(module) not in fused and (updating or isinstance(module, TransformerLayer)):
            hooks.append(module.register_forward_pre_hook(partial(_look, attentions, name)))
    try:
        yield attentions
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def _look(attentions: list[Attention], layer: str, module: nn.Module, given: tuple[Tensor, ...]) -> None:
    """A hook: append what `module`, named `layer`, looks at in its input."""
    assert isinstance(module, BidirectionalAttention | TransformerLayer)
    x = given[0]
    assert len(x) == 1  # one image at a time: the weights of many would not fit
    weights = module.attention(*given)[0].float()
    space = x.shape[2:] if isinstance(module, BidirectionalAttention) else (isqrt(x.shape[1]),) * 2
    attentions.append(Attention(layer, weights, tuple(space)))


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


HEADS = 2
"""The most confident ones of each part that are shown."""

Volume = NDArray[np.float32]
Seen = list[tuple[list[Attention], tuple[int, ...]]]
"""Of every image its attentions, and its size."""
Maps = list[tuple[str, list[Plane]]]
"""Of each shown head what it is, and its heat over every image."""


@torch.no_grad()
def encoder_tiles(
    translator: Translator, places: Mapping[str, tuple[Volume, int]], context: StageContext, at: Window
) -> Iterator[Tile]:
    """The ViT of E_S, on one slice of each source volume: `places` are volumes (Z, Y, X) and slices, by subject."""
    geometry, shape = context.task.geometry, context.task.shape
    seen: Seen = []
    for volume, z in places.values():
        plane = replace(geometry, depth=(z, z + 1))
        x = torch.from_numpy(padded_slices(volume, plane).astype(np.float32))[None].to(context.runtime.device)
        with captured(translator.encode_s) as attentions:
            translator.encode_s(x)
        seen.append((attentions, (geometry.slice_size,) * 2))
    heads = _maps(seen)
    for number, (subject, (volume, z)) in enumerate(places.items()):
        image, shown, plane = volume[z][at], limits(volume), replace(geometry, depth=(z, z + 1))
        yield Tile(subject=subject, what="source", panel=grey(image, shown))
        for rank, (note, maps) in enumerate(heads, start=1):
            looked = unpad_slices(maps[number][None], shape, plane)[z][at]
            panel = grey(image, shown, heat=shades(looked, image != 0))
            yield Tile(subject=subject, what=f"translation encoder {rank}", panel=panel, note=note)


@torch.no_grad()
def decoder_tiles(segmentor: Segmentor, crops: Mapping[str, Half], context: StageContext) -> Iterator[Tile]:
    """Every decoder that the segmentor has, on one half of each target volume."""
    flat = segmentor.dimensions == 2
    parts: dict[str, tuple[nn.Module, Callable[[Latent], Tensor]]] = {}
    if segmentor.generative:
        parts["common decoder"] = segmentor.common, segmentor.common
        parts["residual decoder"] = segmentor.decoder, segmentor.residual
    parts["segmentation decoder"] = segmentor.decoder, segmentor.segment
    seen: dict[str, Seen] = {name: [] for name in parts}
    for crop in crops.values():
        x = torch.from_numpy(crop.image[crop.z] if flat else crop.image)[None, None].to(context.runtime.device)
        latent = segmentor.encoder(x)
        for name, (module, run) in parts.items():
            with captured(module) as attentions:
                run(latent)
            seen[name].append((attentions, tuple(x.shape[2:])))
    heads = {name: _maps(images) for name, images in seen.items()}
    for number, (subject, crop) in enumerate(crops.items()):
        image, shown = crop.image[crop.z], limits(crop.image)
        yield Tile(subject=subject, what="target", panel=grey(image, shown, crop.truth[crop.z]))
        for name, maps in heads.items():
            for rank, (note, whole) in enumerate(maps, start=1):
                looked = whole[number] if flat else whole[number][crop.z]
                panel = grey(image, shown, heat=shades(looked, image != 0))
                yield Tile(subject=subject, what=f"{name} {rank}", panel=panel, note=note)


def _maps(seen: Seen) -> Maps:
    """The most confident heads over all images, each with its heat over every one."""
    heads = most_confident([attentions for attentions, _ in seen], HEADS)
    return [(str(head), [heat(attentions[head.place], head.head, size) for attentions, size in seen]) for head in heads]
