"""CycleGAN under anatomical constraint, on slices that a self-supervised body regressor (SSBR) pairs (La Barbera et al.).

    Eq. 1-4           losses: order, norm, anat, total        regressor, regression: the stage that trains it
    Eq. 5             losses.acl, constraint                  translation: the CycleGAN's stage
    Steps 1-5         selection.patients, selection.ByScore   and PBS, registering: the two it is compared with
    Input addition    networks.cyclegan.Translator            binary mask: masking, at inference
    Region, body      data.abdomen                            Table 1: recipe.TABLE_1, reported; Figs. 2, 3: pictures

CycleGAN itself lies below the methods: networks.cyclegan, training.cyclegan.

Departures and what the paper leaves open: λ_acl is not printed and is 1; HU from -1000 to 1000 become [-1, 1]; the
regressor's optimiser, iterations, K and P are those of the code that it builds on; identity has CycleGAN's default
weight; with input addition the sum is cut to [-1, 1]; jitter of positions is as in PBS's code; patients whose scores do
not overlap are paired by position; a patient's scores are computed once (`cached_scores` = False: every time, as the
paper's times suggest). Of an iteration's patients everyone of the larger domain comes once an epoch.
"""
