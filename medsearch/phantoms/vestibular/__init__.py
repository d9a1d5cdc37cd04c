"""Heads with a vestibular schwannoma, in the layouts of CrossMoDA 2021 and 2022.

A whole head around the posterior fossa, from MNI152 or from label maps, under a deformation and a pose of its own, an
inner ear on each side and a tumour at one cerebellopontine angle (`ears`), the sequences of two centres (`spec`), and
the folders of the challenge (`writing`).
"""
