"""Start a TransUNet encoder from R50+ViT-B_16.npz, the ImageNet-21k weights published with the Vision Transformer.

The file is the user's to provide; its arrays carry the names and layouts of the original Flax model.
"""

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.transformer import TransformerLayer
from medsearch.methods.modatts.networks.transunet import TransUNetEncoder

POSITIONS = "Transformer/posembed_input/pos_embedding"
Wanted = tuple[str, Tensor, Callable[[Tensor], Tensor]]  # the array's name, what it fills, how its layout becomes ours


def load_imagenet(encoder: TransUNetEncoder, path: Path | str) -> None:
    """Overwrite every weight of `encoder`, or none; the file's class token and classifier are left out.

    Raises:
        BadInput: the file cannot be read, lacks an array, or holds one of another shape than the encoder's.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{path}: not a readable .npz file ({error}); it should be R50+ViT-B_16.npz of the Vision Transformer"
        raise BadInput(msg) from error
    fitting: list[tuple[Tensor, Tensor]] = []
    for name, weight, arranged in _all(encoder):
        if name not in arrays:
            msg = f"{path}: no array {name!r}; the file should be R50+ViT-B_16.npz of the Vision Transformer"
            raise BadInput(msg)
        array, value = arrays[name], None
        with suppress(RuntimeError, ValueError, IndexError):  # not even its number of axes fits
            value = arranged(torch.from_numpy(np.asarray(array, dtype=np.float32)))
        if value is None or value.shape != weight.shape:
            msg = (
                f"{path}: array {name!r} is {'x'.join(map(str, array.shape))}, which does not fit the encoder's "
                f"{'x'.join(map(str, weight.shape))}; R50+ViT-B_16.npz fits scale 'paper' only"
            )
            raise BadInput(msg)
        fitting.append((weight, value))
    with torch.no_grad():
        for weight, value in fitting:
            weight.copy_(value)


def _all(encoder: TransUNetEncoder) -> Iterator[Wanted]:
    """Every weight of the encoder, with the array that it comes from."""
    resnet = encoder.resnet
    yield "conv_root/kernel", resnet.conv_root.weight, _convolution
    yield from _norm("gn_root", resnet.gn_root)
    for block, units in enumerate(resnet.blocks, 1):
        for unit, bottleneck in enumerate(units.children(), 1):
            for part, module in bottleneck.named_children():  # conv1, gn1, ..., named as in the file
                name = f"block{block}/unit{unit}/{part}"
                if part.startswith("conv"):
                    yield f"{name}/kernel", module.get_parameter("weight"), _convolution
                else:
                    yield from _norm(name, module)
    yield "embedding/kernel", encoder.embedding.weight, _convolution
    yield "embedding/bias", encoder.embedding.get_parameter("bias"), torch.flatten
    yield POSITIONS, encoder.positions, lambda stored: _resized(stored, encoder.config.grid)
    for index, layer in enumerate(encoder.layers):
        assert isinstance(layer, TransformerLayer)
        name = f"Transformer/encoderblock_{index}"
        attention = f"{name}/MultiHeadDotProductAttention_1"
        yield from _norm(f"{name}/LayerNorm_0", layer.attention_norm)
        weights, biases = layer.qkv.weight.detach().chunk(3), layer.qkv.bias.detach().chunk(3)
        for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            yield f"{attention}/{part}/kernel", weight, lambda stored: stored.flatten(1).T  # width, heads, head width
            yield f"{attention}/{part}/bias", bias, torch.flatten
        yield f"{attention}/out/kernel", layer.out.weight, lambda stored: stored.flatten(0, 1).T  # heads, .., width
        yield f"{attention}/out/bias", layer.out.bias, torch.flatten
        yield from _norm(f"{name}/LayerNorm_2", layer.mlp_norm)
        for part, linear in (("Dense_0", layer.mlp_in), ("Dense_1", layer.mlp_out)):
            yield f"{name}/MlpBlock_3/{part}/kernel", linear.weight, lambda stored: stored.T
            yield f"{name}/MlpBlock_3/{part}/bias", linear.bias, torch.flatten
    yield from _norm("Transformer/encoder_norm", encoder.norm)


def _norm(name: str, norm: nn.Module) -> Iterator[Wanted]:
    for part, parameter in (("scale", "weight"), ("bias", "bias")):
        yield f"{name}/{part}", norm.get_parameter(parameter), torch.flatten


def _convolution(stored: Tensor) -> Tensor:
    """Height, width, in, out to out, in, height, width."""
    return stored.permute(3, 2, 0, 1)


def _resized(stored: Tensor, grid: int) -> Tensor:
    """(1, 1 + side², width) to (1, grid², width): without the class token, interpolated linearly, corners in place."""
    of_patches = stored[:, 1:]
    side = math.isqrt(of_patches.shape[1])
    square = of_patches.transpose(1, 2).reshape(1, -1, side, side)
    if side != grid:
        square = F.interpolate(square, size=(grid, grid), mode="bilinear", align_corners=True)
    return square.flatten(2).transpose(1, 2)
