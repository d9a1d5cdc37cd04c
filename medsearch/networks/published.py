"""Start a ResNet from weights that others published: all of its backbone's tensors, or none.

The file is the user's to provide: .safetensors, or a .pth of tensors alone, of which nothing else is unpickled. Names
are those of torchvision, with or without a first part such as `Scale.` or `module.`; outputs are left out, for what
they say is another thing.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from medsearch.core.errors import BadInput

BACKBONE = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
ROOT = "conv1.weight"
COUNTER = "num_batches_tracked"
"""How many batches a norm has seen, which older files do not say."""
UNREADABLE = (
    *(SafetensorError, pickle.UnpicklingError, OSError, RuntimeError),
    *(ValueError, EOFError, LookupError, TypeError, AttributeError),
)
"""What torch and safetensors raise where a file is not what its name says."""


def load_backbone(network: nn.Module, path: Path, *, wanted: str, grey: bool = False) -> None:
    """Overwrite the backbone of `network`, whose parts are named as torchvision's; `wanted` says what the file is.

    With `grey` the root's weights are summed over the file's three channels: one that all three are equal to gives the
    same.

    Raises:
        BadInput: the file cannot be read, lacks a tensor or has one too many, or one has another shape than the
            network's.
    """
    published = _read(path, wanted)
    if grey and published.get(ROOT, torch.empty(0)).ndim == 4:
        published[ROOT] = published[ROOT].sum(1, keepdim=True)
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(BACKBONE)}
    own = {name: tensor for name, tensor in own.items() if not name.endswith(COUNTER)}
    for name, tensor in own.items():
        if name not in published:
            msg = f"{path}: no tensor {name!r}; the file should be {wanted}"
            raise BadInput(msg)
        if published[name].shape != tensor.shape:
            msg = (
                f"{path}: tensor {name!r} is {tuple(published[name].shape)}, which does not fit the network's "
                f"{tuple(tensor.shape)}; published weights fit scale 'paper' only"
            )
            raise BadInput(msg)
    backbone = (name for name in published if name.startswith(BACKBONE) and not name.endswith(COUNTER))
    if more := sorted(name for name in backbone if name not in own):
        msg = f"{path}: tensor {more[0]!r} has no place in the network; the file should be {wanted}"
        raise BadInput(msg)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(published[name])


def _read(path: Path, wanted: str) -> dict[str, Tensor]:
    """Tensors by name, from the first part on that names a part of the backbone."""
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)  # some say nothing
        msg = f"{path}: not a readable checkpoint ({reason}); it should be {wanted} of tensors alone"
        raise BadInput(msg) from error
    content = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    tensors: dict[str, Tensor] = {}
    for name, tensor in content.items() if isinstance(content, Mapping) else ():
        if isinstance(name, str) and isinstance(tensor, Tensor):
            rest = name.partition(".")[2]
            tensors[rest if not name.startswith(BACKBONE) and rest.startswith(BACKBONE) else name] = tensor
    return tensors
