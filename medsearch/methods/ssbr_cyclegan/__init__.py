"""CycleGAN under anatomical constraint, on slices that a self-supervised body regressor (SSBR) pairs."""
