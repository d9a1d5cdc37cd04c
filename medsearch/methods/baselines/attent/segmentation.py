"""AttENT's second stage: segmentation in the source domain, where target slices are brought by translation.

It minimises entropy against discriminators (Vu et al. 2019, ADVENT), here of one class, as compared.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsearch.cohorts.views import Domain
from medsearch.losses.adversarial import adversarial_d, adversarial_g
from medsearch.methods.baselines.attent.networks import DeepLab, MapDiscriminator, Translator, start_backbone
from medsearch.methods.baselines.attent.recipe import SegmentationRecipe, TranslationRecipe
from medsearch.methods.baselines.slices import (
    ContrastsTraining,
    Pair,
    SelectedByDice,
    both_contrasts,
    validation_slices,
)
from medsearch.stages.context import STATES, StageContext
from medsearch.stages.method import SELECTING, Selection
from medsearch.training.inference import Segment
from medsearch.training.precision import autocast

EPSILON = 1e-30
"""Keeps a logarithm finite."""

Probabilities = Float[Tensor, "b 1 h w"]
Map = Float[Tensor, "b 2 h w"]


def as_map(p: Probabilities) -> Map:
    """[p, 1 - p]: of tumour and of background."""
    return torch.cat([p, 1 - p], 1)


def entropy_map(p: Probabilities) -> Map:
    """-p log2(p) / log2(2) of tumour and of background: weighted self-information, in [0, 0.531]."""
    both = as_map(p)
    return -both * torch.log2(both + EPSILON) / math.log2(2)


@dataclass(frozen=True)
class Outputs:
    """Main and auxiliary probabilities of tumour in a batch's source slices, and in its target slices as source."""

    batch: Pair
    source: tuple[Tensor, Tensor]
    target: tuple[Tensor, Tensor]


class SegmentationTraining(SelectedByDice, ContrastsTraining):
    """DeepLab against a discriminator of each of its two outputs, behind fixed generators.

    Raises:
        BadInput: the split leaves no slices of one contrast, no mask, or nothing to select on; or the file of
            DeepLab's first weights cannot be read, or does not fit.
    """

    def __init__(
        self, recipe: SegmentationRecipe, *, translation: TranslationRecipe, selection: Selection, context: StageContext
    ) -> None:
        super().__init__(recipe, context, "attent", "segmentation")
        self.selection: Selection = selection
        self.network = DeepLab(recipe.network)
        self.d_main, self.d_aux = MapDiscriminator(recipe.discriminator), MapDiscriminator(recipe.discriminator)
        self.notes = {"backbone_from": start_backbone(self.network, recipe.deeplab)}
        self.hold({"d_main": self.d_main, "d_aux": self.d_aux}, network=self.network)
        file, untrained = STATES[recipe.translator], Translator(translation)
        self.translator = context.trained("translation", untrained, "translator", file=file).requires_grad_(False)
        self.drawing = both_contrasts(context.task, recipe.slices)
        self.validation = validation_slices(context.task, SELECTING[selection], recipe.slices)

    def forward(self, batch: Pair) -> Outputs:
        """Both domains apart, for the batch norms to see one at a time."""
        with autocast(self.context.runtime):
            source, target = self.network(batch.source.x), self.network(self.translator.as_source(batch.target.x))
        return Outputs(batch, *((main.float(), aux.float()) for main, aux in (source, target)))

    def d_terms(self, of: Outputs) -> dict[str, Tensor]:
        """A hinge, in which source maps are real; nothing flows back to the network."""
        lam = self.recipe.weights.judge
        source, target = ([p.detach() for p in domain] for domain in (of.source, of.target))
        return {
            "d_main": lam * adversarial_d(self._main(source[0]), self._main(target[0])),
            "d_aux": lam * adversarial_d(self._aux(source[1]), self._aux(target[1])),
        }

    def g_terms(self, of: Outputs) -> dict[str, Tensor]:
        """Cross-entropy where there are masks, and target maps that look like source maps.

        The cross-entropy is one mean over annotated slices, of the source and of the target as source; no term where
        there is none.
        """
        lam, batch, terms = self.recipe.weights, of.batch, dict[str, Tensor]()
        if len(batch.y):
            known_s, known_t = len(batch.source.y), len(batch.target.y)
            main, aux = (
                torch.cat([p_s[:known_s], p_t[:known_t]]) for p_s, p_t in zip(of.source, of.target, strict=True)
            )
            terms["main"] = lam.main * batch.emphasis * F.binary_cross_entropy(main, batch.y)
            terms["aux"] = lam.aux * batch.emphasis * F.binary_cross_entropy(aux, batch.y)
        terms["adv_main"] = lam.adv_main * adversarial_g(self._main(of.target[0]))
        terms["adv_aux"] = lam.adv_aux * adversarial_g(self._aux(of.target[1]))
        return terms

    def _main(self, p: Tensor) -> list[Tensor]:
        """The main output's discriminator looks at its entropy."""
        with autocast(self.context.runtime):
            return [self.d_main(entropy_map(p)).float()]

    def _aux(self, p: Tensor) -> list[Tensor]:
        """The auxiliary one's at the probabilities themselves, as released."""
        with autocast(self.context.runtime):
            return [self.d_aux(as_map(p)).float()]

    def segments(self) -> dict[Domain, Segment]:
        """Target slices translated; source slices as they are or, by `pseudo-target`, by the way that these come."""
        segment, translator = self.network.segment, self.translator
        by_translation = self.selection == "pseudo-target"
        return {
            "source": lambda x_s: segment(translator.there_and_back(x_s) if by_translation else x_s),
            "target": lambda x_t: segment(translator.as_source(x_t)),
        }
