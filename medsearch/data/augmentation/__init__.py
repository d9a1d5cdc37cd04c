"""Random changes to training images, drawn from a generator that the caller seeds: `slices` in 2D, `volumes` in 3D.

Every transform does nothing at zero strength, and moves a mask exactly as it moves the image.
"""
