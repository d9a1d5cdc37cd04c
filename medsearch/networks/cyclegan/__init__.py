"""CycleGAN's networks (Zhu et al. 2017), and their forms in CUT and AttENT.

config           sizes, without torch
generator        ResNetGenerator; Translators: one each way, and images in both cycles
discriminator    PatchDiscriminator; Discriminators: one of each domain
layers           first weights, anti-aliased resampling
"""
