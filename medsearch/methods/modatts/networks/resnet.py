"""The ResNetV2 of R50-ViT-B/16: weight-standardised convolutions and group norms, three blocks of bottleneck units."""

from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

GROUPS = 32


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups as published; fewer for narrow networks, so that a group keeps at least two channels."""
    groups = next(g for g in range(min(GROUPS, max(1, channels // 2)), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, eps=1e-6)


@final
class StandardisedConvolution(nn.Module):
    """A convolution without bias whose kernels are brought to mean 0 and variance 1 (eps 1e-5) before use."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int = 1):
        super().__init__()
        self.weight = nn.Conv2d(inputs, outputs, kernel, bias=False).weight
        self.stride, self.padding = stride, kernel // 2

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        """The size divided by the stride, rounded up."""
        weight = F.layer_norm(self.weight, self.weight.shape[1:])
        return F.conv2d(x, weight, stride=self.stride, padding=self.padding)


@final
class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 convolution, each normed; a normed 1x1 shortcut where the shape changes."""

    def __init__(self, inputs: int, outputs: int, *, stride: int):
        super().__init__()
        inner = outputs // 4
        self.conv1, self.gn1 = StandardisedConvolution(inputs, inner, kernel=1), group_norm(inner)
        self.conv2, self.gn2 = StandardisedConvolution(inner, inner, kernel=3, stride=stride), group_norm(inner)
        self.conv3, self.gn3 = StandardisedConvolution(inner, outputs, kernel=1), group_norm(outputs)
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.conv_proj = StandardisedConvolution(inputs, outputs, kernel=1, stride=stride)
            self.gn_proj = nn.GroupNorm(outputs, outputs)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        """The size divided by the stride, rounded up."""
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        y = self.gn3(self.conv3(y))
        return F.relu(y + (self.gn_proj(self.conv_proj(x)) if self.projects else x))


@final
class ResNetV2(nn.Module):
    """Three-channel images to features at 1/16 of their size, with skips at 1/8, 1/4 and 1/2."""

    def __init__(self, width: int, units: tuple[int, int, int]):
        super().__init__()
        self.conv_root, self.gn_root = StandardisedConvolution(3, width, kernel=7, stride=2), group_norm(width)
        self.blocks = nn.ModuleList()
        inputs = width
        for block, count in enumerate(units):
            outputs, strides = 4 * width * 2**block, [1 if block == 0 else 2] + [1] * (count - 1)
            entering = [inputs] + [outputs] * (count - 1)
            chain = (Bottleneck(i, outputs, stride=s) for i, s in zip(entering, strides, strict=True))
            self.blocks.append(nn.Sequential(*chain))
            inputs = outputs

    def forward(
        self, image: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b c h16 w16"], tuple[Tensor, Tensor, Tensor]]:
        """The features, and the skips coarse to fine. Sides are multiples of 16."""
        half = F.relu(self.gn_root(self.conv_root(image)))
        # the pooling has no padding, so 1/4 comes out a pixel short, and its skip gets a row and a column of zeros
        quarter = self.blocks[0](F.max_pool2d(half, 3, stride=2))
        eighth = self.blocks[1](quarter)
        return self.blocks[2](eighth), (eighth, F.pad(quarter, (0, 1, 0, 1)), half)
