"""The methods that chapters 4 and 5 of the thesis compare with, under one roof for what they share.

    SUPERVISED_UNET   unet         one domain's masks, or both domains', and no adaptation
    ACCSEGNET         accsegnet    CycleGAN or CUT with anatomy constraints, segmentor on translated slices
    ATTENT            attent       translation with attention, then adversarial entropy minimisation
    UAGAN             uagan        both domains' masks, one generator for segmentation and translation

Every one sees axial slices of whole hemispheres, diseased ones by M-GenSeg's rule, augmented alike and scored alike.
"As compared" means the networks, losses and settings of the code that was released with the thesis's M-GenSeg;
"official" those that a method's own authors released, where they are told apart. Data are the paper's with either:
slices of 1 % tumour or more, where the released code comes to more than 4 %, and each contrast normalised alone, where
it takes all four together. Ours with either: forward passes are in bf16 on GPUs that have it, unless a study is run
with --precision fp32 as those codes are, and the warp of slices holds their edges (`imaging.augmentation.slices`).

    recipe, slices    what they share
"""

from medsearch.methods.baselines.accsegnet import ACCSEGNET
from medsearch.methods.baselines.attent import ATTENT
from medsearch.methods.baselines.uagan import UAGAN
from medsearch.methods.baselines.unet import SUPERVISED_UNET

__all__ = ["ACCSEGNET", "ATTENT", "SUPERVISED_UNET", "UAGAN"]
