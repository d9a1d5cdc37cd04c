"""CycleGAN under anatomical constraint, on slices paired by a self-supervised body regressor (SSBR; La Barbera et al.).

    Eq. 1-4           losses: order, norm, anat, total        regression: the stage that trains it
    Eq. 5             losses.acl, translation.constraint      translation: the CycleGAN's stage
    Steps 1-5         selection.patients, selection.ByScore   and PBS, registering: the two it is compared with
    Input addition    networks.cyclegan: Translator           binary mask: translation.masked, at inference
    Region, body      imaging.abdomen                         Table 1: recipe.TABLE_1, reported

CycleGAN itself lies below the methods: networks.cyclegan, training.cyclegan; so do a stage that trains one, inference,
and the pictures of Figs. 2 and 3: stages.synthesis, translating, pairs.

Departures and what the paper leaves open: λ_acl is not printed and is 1; HU from -1000 to 1000 become [-1, 1]; the
regressor's K, P and iterations are those of Yan et al.'s code, its optimiser that of DKFZ's body part regression;
identity has CycleGAN's default weight; with input addition the sum is cut to [-1, 1]; jitter of positions is as in
PBS's code; patients whose scores do not overlap are paired by position; a patient's scores are computed once
(`cached_scores` = False: every time, as the paper's times suggest). An epoch has as many iterations as the larger
domain has patients: of the source everyone comes, of the target they are drawn (CycleGAN's way). Forward passes are in
bf16 on GPUs that have it, unless a study is run with --precision fp32.
"""

from medsearch.methods.ssbr_cyclegan.recipe import make_recipe
from medsearch.methods.ssbr_cyclegan.stages import nodes
from medsearch.stages.method import Method

SSBR_CYCLEGAN = Method(
    name="ssbr_cyclegan",
    title="SSBRCycleGAN",
    make_recipe=make_recipe,
    make_nodes=nodes,
    rules=("none", "oracle"),
)
"""The paper looks at nothing to pick an epoch; with "oracle" some pairs score what is searched."""
