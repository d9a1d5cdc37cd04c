"""Random changes to training images, drawn from a generator that the caller seeds: `slices` in 2D, `volumes` in 3D.

Every transform does nothing at zero strength, and moves a mask exactly as it moves the image. `tumours` adds what is
done about tumours alone, before these sets, and how often each comes in an epoch.
"""
