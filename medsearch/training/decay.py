"""How learning rates fall from epoch to epoch; importable without torch."""


def linear_decay(epoch: int, *, constant: int, decay: int) -> float:
    """The factor on the learning rate in an epoch counted from 1: 1 for `constant` epochs, then falling over `decay`.

    The last epoch runs at 1 / (decay + 1), as in CycleGAN's code until 2020, which lowers the rate at the end of an
    epoch; since then it does so at the beginning, one epoch earlier, and trains the last one at 0.
    """
    return min(1.0, (constant + decay + 1 - epoch) / (decay + 1))
