"""Where MoDATTS's transformers look, as tiles (section 5.5.5, Fig. 5.9)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.data.geometry import padded_slices, unpad_slices
from medsearch.methods.modatts.attention import Attention, captured, heat, most_confident
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.translator import Translator
from medsearch.networks.latent import Latent
from medsearch.pictures.panels import Plane
from medsearch.pictures.sections import Half, Window, grey, limits, shades
from medsearch.pictures.tiles import Tile
from medsearch.stages.context import StageContext

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
        one = replace(geometry, depth=(z, z + 1))
        x = torch.from_numpy(padded_slices(volume, one).astype(np.float32))[None].to(context.runtime.device)
        with captured(translator.encode_s) as attentions:
            translator.encode_s(x)
        seen.append((attentions, (geometry.slice_size,) * 2))
    heads = _maps(seen)
    for number, (subject, (volume, z)) in enumerate(places.items()):
        image, of, one = volume[z][at], limits(volume), replace(geometry, depth=(z, z + 1))
        yield Tile(subject=subject, what="source", panel=grey(image, of))
        for rank, (note, maps) in enumerate(heads, start=1):
            looked = unpad_slices(maps[number][None], shape, one)[z][at]
            panel = grey(image, of, heat=shades(looked, image != 0))
            yield Tile(subject=subject, what=f"translation encoder {rank}", panel=panel, note=note)


@torch.no_grad()
def decoder_tiles(segmentor: Segmentor, crops: Mapping[str, Half], context: StageContext) -> Iterator[Tile]:
    """Every decoder that the segmentor has, on one half of each target volume."""
    flat, parts = segmentor.dimensions == 2, _decoders(segmentor)
    seen: dict[str, Seen] = {name: [] for name in parts}
    for crop in crops.values():
        x = torch.from_numpy(crop.image[crop.z] if flat else crop.image)[None, None].to(context.runtime.device)
        latent = segmentor.encoder(x)
        for name, (module, run) in parts.items():
            with captured(module) as attentions:
                run(latent)
            seen[name].append((attentions, tuple(x.shape[2:])))
    heads = {name: _maps(of) for name, of in seen.items()}
    for number, (subject, crop) in enumerate(crops.items()):
        image, of = crop.image[crop.z], limits(crop.image)
        yield Tile(subject=subject, what="target", panel=grey(image, of, crop.truth[crop.z]))
        for name, maps in heads.items():
            for rank, (note, whole) in enumerate(maps, start=1):
                looked = whole[number] if flat else whole[number][crop.z]
                panel = grey(image, of, heat=shades(looked, image != 0))
                yield Tile(subject=subject, what=f"{name} {rank}", panel=panel, note=note)


def _decoders(segmentor: Segmentor) -> dict[str, tuple[nn.Module, Callable[[Latent], Tensor]]]:
    parts: dict[str, tuple[nn.Module, Callable[[Latent], Tensor]]] = {}
    if segmentor.generative:
        parts["common decoder"] = segmentor.common, segmentor.common
        parts["residual decoder"] = segmentor.decoder, segmentor.residual
    return parts | {"segmentation decoder": (segmentor.decoder, segmentor.segment)}


def _maps(seen: Seen) -> Maps:
    heads = most_confident([attentions for attentions, _ in seen], HEADS)
    return [(str(head), [heat(attentions[head.place], head.head, size) for attentions, size in seen]) for head in heads]
