"""CycleGAN under anatomical constraint, between CT without and with contrast agent: what its paper prints."""
