"""Training: epochs and their records, adversarial steps, optimisers, precision, checkpoints that resume exactly."""
