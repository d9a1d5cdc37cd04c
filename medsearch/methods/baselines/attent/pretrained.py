"""Start DeepLab's backbone from published weights, of DeepLab-v2 or of an ImageNet ResNet-101.

The file is the user's to provide: .safetensors, or a .pth of tensors alone, of which nothing else is unpickled. Names
are those of torchvision, with or without a first part such as `Scale.` or `module.`; outputs are left out, for their
classes are others.
"""

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from medsearch.core.errors import BadInput
from medsearch.methods.baselines.attent.deeplab import DeepLab

LOG = logging.getLogger(__name__)
BACKBONE = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
WANTED = "a DeepLab-v2 or ResNet-101 checkpoint"
UNREADABLE = (
    *(SafetensorError, pickle.UnpicklingError, OSError, RuntimeError),
    *(ValueError, EOFError, LookupError, TypeError, AttributeError),
)
"""What torch and safetensors raise where a file is not what its name says."""


def start_backbone(network: DeepLab, path: str) -> str:
    """Fill the backbone from the file, if a path is given; say where its weights are from.

    Raises:
        BadInput: the file cannot be read, lacks a tensor, or holds one of another shape than the network's.
    """
    if not path:
        LOG.warning("DeepLab starts from random weights; knob segmentation.deeplab takes the path of %s", WANTED)
        return "random (no weights given)"
    load_backbone(network, Path(path))
    return path


def load_backbone(network: DeepLab, path: Path) -> None:
    """Overwrite every tensor of the backbone, or none; see `start_backbone`."""
    found = _read(path)
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(BACKBONE)}
    values = {name: _fitting(found, path, name, tensor) for name, tensor in own.items() if not _counter(name)}
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value)


def _read(path: Path) -> Mapping[str, Tensor]:
    """Tensors by name, from the first part on that names a part of the backbone."""
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)  # some say nothing
        msg = f"{path}: not a readable checkpoint ({reason}); it should be {WANTED} of tensors alone"
        raise BadInput(msg) from error
    content = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    named = content.items() if isinstance(content, Mapping) else ()
    return {_named(name): of for name, of in named if isinstance(name, str) and isinstance(of, Tensor)}


def _named(name: str) -> str:
    rest = name.partition(".")[2]
    return rest if not name.startswith(BACKBONE) and rest.startswith(BACKBONE) else name


def _counter(name: str) -> bool:
    """How many batches a norm has seen, which older files do not say."""
    return name.endswith("num_batches_tracked")


def _fitting(found: Mapping[str, Tensor], path: Path, name: str, own: Tensor) -> Tensor:
    if name not in found:
        msg = f"{path}: no tensor {name!r}; the file should be {WANTED}"
        raise BadInput(msg)
    if found[name].shape != own.shape:
        msg = (
            f"{path}: tensor {name!r} is {tuple(found[name].shape)}, which does not fit the network's "
            f"{tuple(own.shape)}; published weights fit scale 'paper' only"
        )
        raise BadInput(msg)
    return found[name]
