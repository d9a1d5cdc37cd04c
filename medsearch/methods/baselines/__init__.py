"""The methods that chapters 4 and 5 of the thesis compare with, under one roof for what they share.

    SupervisedUNet    unet         one domain's masks, or both domains', and no adaptation
    AccSegNet         accsegnet    CycleGAN or CUT with anatomy constraints, segmentor on translated slices
    AttENT            attent       translation with attention, then adversarial entropy minimisation
    UAGAN             uagan        both domains' masks, one generator for segmentation and translation

Every one sees axial slices of whole hemispheres, diseased ones by M-GenSeg's rule, augmented alike and scored alike.
"As compared" means the code that was released with the thesis's M-GenSeg, which is what its tables and figures
measured; "official" what a method's own authors released, where that is told apart.

    recipe, reads, drawing, selecting, optimising, testing    what they share
"""

from medsearch.methods.baselines.accsegnet import AccSegNet
from medsearch.methods.baselines.attent import AttENT
from medsearch.methods.baselines.uagan import UAGAN
from medsearch.methods.baselines.unet import SupervisedUNet

__all__ = ["UAGAN", "AccSegNet", "AttENT", "SupervisedUNet"]
