"""Start DeepLab's backbone from published weights, of DeepLab-v2 or of an ImageNet ResNet-101."""

import logging
from pathlib import Path

from medsearch.methods.baselines.attent.deeplab import DeepLab
from medsearch.networks import published

LOG = logging.getLogger(__name__)
WANTED = "a DeepLab-v2 or ResNet-101 checkpoint"


def start_backbone(network: DeepLab, path: str) -> str:
    """Fill the backbone from the file, if a path is given; say where its weights are from.

    Raises:
        BadInput: the file cannot be read, or does not fit.
    """
    if not path:
        LOG.warning("DeepLab starts from random weights; knob segmentation.deeplab takes the path of %s", WANTED)
        return "random (no weights given)"
    load_backbone(network, Path(path))
    return path


def load_backbone(network: DeepLab, path: Path) -> None:
    """Overwrite every tensor of the backbone, or none; see `start_backbone`."""
    published.load_backbone(network, path, wanted=WANTED)
