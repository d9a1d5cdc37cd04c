"""AttENT's second stage: segmentation in the source domain, where target slices are brought by translation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsearch.cohorts.views import Domain
from medsearch.losses.adversarial import adversarial_d, adversarial_g
from medsearch.methods.baselines.attent import losses
from medsearch.methods.baselines.attent.networks import DeepLab, MapDiscriminator, load_translator, start_backbone
from medsearch.methods.baselines.attent.recipe import SegmentationRecipe, TranslationRecipe
from medsearch.methods.baselines.slices import ContrastsTraining, Pair, adam, both_contrasts, validation_slices
from medsearch.stages.context import StageContext
from medsearch.stages.method import SELECTING, Selection
from medsearch.stages.stage import Outcome, Training
from medsearch.training.checkpoints import load_trained, save_tensors
from medsearch.training.fitting import training_mode
from medsearch.training.inference import Segment, micro_dice
from medsearch.training.precision import autocast, prepare_torch


@dataclass(frozen=True)
class Outputs:
    """Main and auxiliary probabilities of tumour in a batch's source slices, and in its target slices as source."""

    batch: Pair
    source: tuple[Tensor, Tensor]
    target: tuple[Tensor, Tensor]


class SegmentationTraining(ContrastsTraining):
    """Everything that the stage holds while it trains."""

    def __init__(
        self,
        recipe: SegmentationRecipe,
        *,
        translation: TranslationRecipe,
        selection: Selection,
        context: StageContext,
    ) -> None:
        super().__init__(recipe, context, "attent", "segmentation")
        self.selection: Selection = selection
        self.network = DeepLab(recipe.network)
        self.d_main, self.d_aux = MapDiscriminator(recipe.discriminator), MapDiscriminator(recipe.discriminator)
        self.backbone_from = start_backbone(self.network, recipe.deeplab)
        self.modules: dict[str, nn.Module] = {"network": self.network, "d_main": self.d_main, "d_aux": self.d_aux}
        for module in self.modules.values():
            module.to(self.device)
        self.judges = (self.d_main, self.d_aux)
        self.optimisers = {"g": adam([self.network], recipe.optimiser), "d": adam(self.judges, recipe.optimiser)}
        upstream = context.upstream["translation"]
        self.translator = load_translator(translation, upstream, recipe.translator, self.device)
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
            "d_main": lam * adversarial_d([self._main(source[0])], [self._main(target[0])]),
            "d_aux": lam * adversarial_d([self._aux(source[1])], [self._aux(target[1])]),
        }

    def g_terms(self, of: Outputs) -> dict[str, Tensor]:
        """Cross-entropy where there are masks, and target maps that look like source maps."""
        lam = self.recipe.weights
        return {
            **self._supervised(of),
            "adv_main": lam.adv_main * adversarial_g([self._main(of.target[0])]),
            "adv_aux": lam.adv_aux * adversarial_g([self._aux(of.target[1])]),
        }

    def _supervised(self, of: Outputs) -> dict[str, Tensor]:
        """One mean over annotated slices, of the source and of the target as source; no term where there is none."""
        lam, batch = self.recipe.weights, of.batch
        if not len(batch.y):
            return {}
        counts = len(batch.source.y), len(batch.target.y)
        main, aux = (
            losses.cross_entropy(batch.y, torch.cat([p[:count] for p, count in zip(domains, counts, strict=True)]))
            for domains in zip(of.source, of.target, strict=True)
        )
        return {"main": lam.main * batch.emphasis * main, "aux": lam.aux * batch.emphasis * aux}

    def _main(self, p: Tensor) -> Tensor:
        """The main output's discriminator looks at its entropy."""
        with autocast(self.context.runtime):
            scores: Tensor = self.d_main(losses.entropy_map(p))
        return scores.float()

    def _aux(self, p: Tensor) -> Tensor:
        """The auxiliary one's at the probabilities themselves, as released."""
        with autocast(self.context.runtime):
            scores: Tensor = self.d_aux(losses.as_map(p))
        return scores.float()

    def validate(self) -> dict[str, float]:
        """Dice of target slices (`oracle`), of source slices, or of these by the way that target slices come."""
        training_mode(self.modules.values(), on=False)

        def by_translation(x_s: Tensor) -> Tensor:
            return self.main(self.translator.there_and_back(x_s))

        source: Segment = by_translation if self.selection == "pseudo-target" else self.main
        segments: dict[Domain, Segment] = {"source": source, "target": self.target}
        routes = [(segments[domain], crops) for domain, crops in self.validation.items()]
        return micro_dice(routes, self.context.runtime, batch=self.recipe.batch)

    def main(self, x_s: Tensor) -> Tensor:
        """The main output in source slices."""
        y_hat: Tensor = self.network(x_s)[0]
        return y_hat

    def target(self, x_t: Tensor) -> Tensor:
        """The main output in target slices."""
        return self.main(self.translator.as_source(x_t))


def train(
    recipe: SegmentationRecipe,
    *,
    translation: TranslationRecipe,
    selection: Selection,
    context: StageContext,
) -> Training:
    """Train and keep the epoch with the highest validation Dice."""
    training = SegmentationTraining(recipe, translation=translation, selection=selection, context=context)
    best = yield from training.fit(keep=("network",))
    save_tensors(context.directory / "weights.safetensors", best.tensors)
    notes = {
        "best_epoch": best.epoch,
        "selected_on": list(training.validation),
        "backbone_from": training.backbone_from,
    }
    return Outcome({"validation/dice": best.value}, notes)


def trained(
    segmentation: SegmentationRecipe, domain: Domain, *, translation: TranslationRecipe, context: StageContext
) -> Segment:
    """Segments slices of a domain by what was trained upstream; those of the target are translated first."""
    prepare_torch(context.runtime)
    upstream, device = context.upstream, context.runtime.device
    weights = upstream["segmentor"].file("weights.safetensors")
    network = load_trained(DeepLab(segmentation.network), weights, "network", device)
    translator = load_translator(translation, upstream["translation"], segmentation.translator, device)

    def segment(x: Tensor) -> Tensor:
        y_hat: Tensor = network(x if domain == "source" else translator.as_source(x))[0]
        return y_hat

    return segment
