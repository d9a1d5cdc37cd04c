"""Cohorts: layouts of files, their checks, the task put to a method, prepared arrays, and what a stage sees of them.

The way of a volume: `layouts` find its case by names; `inspection` reads, hashes and measures it once, by which
`checks` refuse what is wrong; `preparation` reads it a second time and brings it to the task's sizes as `prepared`
arrays in an `atomic_folder`, of which each node may hold a copy; a stage sees through `views` the parts of its task
(`tasks`) that it declared to read; a network trains on `patches`, which `imaging.augmentation` changes.

Segmentation and synthesis are two settings of one task. Where three methods that are still to come need more than
those have, it is a third setting in `tasks`, with a writer in `preparation` and a view:

3D generators and segmentors trained together, with five classes in two modalities (MM-WHS, unpaired).
    Parts, split and labels are `CrossModalityTask`'s with `source_labels=1` and `target_labels=1`. Its label set is one
    class, the whole tumour, which layouts give as the values of `tumour`; several classes are one such tuple each.
    `imaging.resampling.mask_on_grid` then takes, instead of the majority, the class with the largest share, and
    `mask.npy` holds its number. Patches are cut at random places: a `PatchIndex` with a corner beside the hemispheres'.

A 3D conditional GAN on patches with median fusion, trained unpaired and scored on pairs (SynthRAD2023).
    Parts and split are `SynthesisTask`'s: "source.train.images", "target.train.images", "paired.test.images". Only its
    geometry differs: voxels of a given spacing and patches in place of slices of a given size, on each case's own grid.
    `PreparedStacks` hold such volumes as they are; the abdominal region is a rule of today's setting.

A one-shot GAN trained on one slice of one case.
    What it reads is a part of one case: "source.train.images/<subject>", a fourth word of a part's name.
    `Split.members` and `content` get the part as it is named, so that the stage's key changes with that case alone.
"""
