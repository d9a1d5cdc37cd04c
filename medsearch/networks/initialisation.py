"""How CycleGAN, and CUT after it, begin: small random weights, biases of 0."""

from torch import nn

from medsearch.networks.cyclegan_config import Initialisation

GAIN = 0.02


def initialise(network: nn.Module, how: Initialisation) -> None:
    """Weights of convolutions and linear layers anew, normal of SD 0.02 or Xavier's with gain 0.02; biases 0.

    Batch norms scale by a normal of mean 1 and SD 0.02. By `default` all is left as torch has it.
    """
    if how == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if how == "normal":
                nn.init.normal_(module.weight, 0.0, GAIN)
            else:
                nn.init.xavier_normal_(module.weight, GAIN)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, GAIN)
            nn.init.zeros_(module.bias)
