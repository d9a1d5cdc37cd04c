"""The encoder and decoders of the GenSeg family in 2D (released code of M-GenSeg; the thesis, section 4.3.3).

config     sizes, without torch
blocks     pre-activated convolutions, norms by mode, attention gates
encoder    image -> codes c and u, and skips
decoders   codes and skips -> image; residual or segmentation with shared weights
"""
