"""Presets have the values of the comparison's released code, and of the authors' own where that is told apart."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs, override, require_consistent
from medsearch.methods.baselines import ACCSEGNET, ATTENT, SUPERVISED_UNET, UAGAN
from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe
from medsearch.networks.config import Scale
from medsearch.networks.cyclegan import ResNetGenerator
from medsearch.stages.method import Method
from medsearch.study.declare.setups import setup
from medsearch.training.optimisers import adam, set_rate
from tests.contracts.walks import METHODS

SHARED = {"optimiser.lr": 1e-4, "optimiser.betas": (0.5, 0.999), "optimiser.decay_epochs": 0, "augment": True}
AMSGRAD = {**SHARED, "optimiser.weight_decay": 1e-4, "optimiser.amsgrad": True}
PLAIN = {**SHARED, "optimiser.weight_decay": 1e-4, "optimiser.amsgrad": False}


def under(stage: str, values: dict[str, object]) -> dict[str, object]:
    return {f"{stage}.{knob}": value for knob, value in values.items()}


COMPARED: list[tuple[Method, dict[str, object]]] = [
    (SUPERVISED_UNET, under("segmentation", {**AMSGRAD, "epochs": 300, "batch": 15, "supervision": "source"})),
    (
        ACCSEGNET,
        under(
            "segmentation",
            {
                **AMSGRAD,
                **under("weights", {"adv": 1, "idt": 1, "cyc": 2, "ana": 1, "nce": 0, "mind": 0, "seg": 1}),
                "epochs": 300,
                "batch": 10,
                "form": "cycle",
                "adversarial": "hinge",
                "dice": "plain",
            },
        ),
    ),
    (
        ATTENT,
        {
            **under("translation", {**AMSGRAD, "epochs": 100, "batch": 10, "weights.adv": 1, "weights.cyc": 4}),
            **under("segmentation", {**PLAIN, "epochs": 200, "batch": 25, "translator": "last", "deeplab": ""}),
            **under(
                "segmentation.weights",
                {"main": 1, "aux": 0.1, "adv_main": 0.001, "adv_aux": 0.0002, "judge": 0.5},
            ),
        },
    ),
    (
        UAGAN,
        under(
            "segmentation",
            {
                **PLAIN,
                **under("weights", {"adv": 1, "cls": 10, "rec": 1, "seg": 20, "gp": 0, "normalised": True}),
                "epochs": 200,
                "batch": 1,
                "network.levels": 3,
                "network.bounded": True,
                "asked": "shuffled",
                "adversarial": "hinge",
                "loss": "dice",
            },
        ),
    ),
]
OFFICIAL: list[tuple[Method, dict[str, object]]] = [
    (
        ACCSEGNET.configured(preset="official"),
        under(
            "segmentation",
            {
                **under("weights", {"adv": 1, "ana": 1, "nce": 1, "mind": 1, "seg": 1}),
                **under("patches", {"layers": (0, 4, 8, 12, 16), "places": 256, "temperature": 0.07}),
                "form": "contrastive",
                "adversarial": "least-squares",
                "dice": "squared",
                "optimiser.lr": 2e-4,
                "optimiser.decay_epochs": 200,
                "epochs": 400,
                "batch": 4,
            },
        ),
    ),
    (
        UAGAN.configured(preset="official"),
        under(
            "segmentation",
            {
                **under("weights", {"adv": 1, "cls": 1, "rec": 10, "seg": 100, "gp": 10, "normalised": False}),
                "network.levels": 4,
                "network.bounded": False,
                "asked": "shuffled",
                "adversarial": "wasserstein",
                "loss": "cross-entropy",
                "tumour_weight": 0.98,
                "optimiser.weight_decay": 0.0,
                "optimiser.amsgrad": False,
                "batch": 4,
            },
        ),
    ),
]


@pytest.mark.parametrize(("method", "expected"), [*COMPARED, *OFFICIAL], ids=lambda of: getattr(of, "name", ""))
def test_the_paper_s_scale_has_the_released_values(method: Method, expected: dict[str, object]) -> None:
    found = knobs(method.recipe)
    assert {knob: found[knob] for knob in expected} == expected
    assert (found["evaluation.scored"], found["evaluation.domain"]) == ("slices", "target")


@pytest.mark.parametrize(("method", "_"), [*COMPARED, *OFFICIAL], ids=lambda of: getattr(of, "name", ""))
def test_smaller_scales_change_sizes_and_how_long_is_trained_alone(method: Method, _: object) -> None:
    paper = knobs(method.recipe)
    sizes = ("width", "blocks", "layers", "levels", "channels", "unique", "head", "units", "dilations", "places")
    lengths = ("epochs", "batch", "validate_every", "lr", "rgb_deviation")  # a start that few steps can leave
    for scale in ("small", "tiny"):
        changed = {knob for knob, value in knobs(method.at(scale).recipe).items() if value != paper[knob]}
        assert all(knob.split(".")[-1].endswith((*sizes, *lengths)) for knob in changed), changed
        assert changed


@pytest.mark.parametrize("method", [SUPERVISED_UNET, ACCSEGNET, ATTENT, UAGAN], ids=str)
def test_unknown_presets_are_refused(method: Method) -> None:
    with pytest.raises(BadInput, match=r"presets compared.*got 'paper' at 'tiny'"):
        _ = method.configured(preset="paper", scale="tiny").recipe


def test_rates_fall_to_the_end() -> None:
    settings = AdamRecipe(lr=3.0, decay_epochs=2, least=0.0)
    falling, steady = (SegmentationRecipe(epochs=4, optimiser=adam) for adam in (settings, AdamRecipe(lr=3.0)))
    assert [falling.rate(epoch) for epoch in (1, 2, 3, 4)] == [3, 3, 2, 1]
    assert steady.rate(4) == 3
    optimiser = adam([torch.nn.Linear(1, 1)], settings, amsgrad=settings.amsgrad)
    set_rate([optimiser], falling.rate(3))
    assert optimiser.param_groups[0]["lr"] == 2


def test_frozen_weights_are_not_the_optimiser_s() -> None:
    module = torch.nn.Linear(2, 3)
    module.bias.requires_grad_(False)
    optimiser = adam([module], AdamRecipe(), amsgrad=AdamRecipe().amsgrad)
    assert [tuple(weight.shape) for weight in optimiser.param_groups[0]["params"]] == [(3, 2)]
    assert optimiser.param_groups[0]["amsgrad"]


def test_plans_are_made_without_torch() -> None:
    code = (
        "import sys; from medsearch.methods.baselines import UAGAN, ACCSEGNET, ATTENT, SUPERVISED_UNET\n"
        "for of in (UAGAN, ACCSEGNET, ATTENT, SUPERVISED_UNET):\n"
        "    of.pipeline(of.recipe, selection='oracle', test=True)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ALL = (*METHODS, *(method for method, _ in OFFICIAL))


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
@pytest.mark.parametrize("method", ALL, ids=str)
def test_no_rate_of_any_method_begins_below_the_one_that_is_set(method: Any, scale: Scale) -> None:
    """Of every training whose optimiser may decay over a part of its epochs, in every preset and size."""
    recipe = method.at(scale).recipe
    require_consistent(recipe)
    known = knobs(recipe)
    decays = [knob for knob in known if knob.endswith("optimiser.decay_epochs")]
    assert bool(decays) == (method.name in {of.name for of in (UAGAN, ATTENT, ACCSEGNET, SUPERVISED_UNET)})
    for knob in decays:
        stage = knob.removesuffix(".optimiser.decay_epochs")
        epochs = known[f"{stage}.epochs"]
        require_consistent(override(recipe, {knob: epochs}))
        with pytest.raises(BadInput, match=rf"^{stage}: optimiser.decay_epochs {epochs + 1} must .* epochs {epochs}$"):
            require_consistent(override(recipe, {knob: epochs + 1}))
        rising = {knob: 1, f"{stage}.optimiser.lr": 1e-3, f"{stage}.optimiser.least": 2e-3}
        with pytest.raises(BadInput, match=rf"^{stage}.optimiser: least 0.002 must be at most lr 0.001$"):
            require_consistent(override(recipe, rising))
        require_consistent(override(recipe, {**rising, knob: 0}))


def test_a_weight_that_would_never_be_reached_is_refused() -> None:
    recipe = UAGAN.configured(preset="official", scale="tiny").recipe
    with pytest.raises(BadInput, match=r"^segmentation: weights.shape_epochs 4 must be at most epochs 3$"):
        require_consistent(override(recipe, {"segmentation.weights.shape_epochs": 4}))


@pytest.mark.parametrize("down", ["strided", "anti-aliased"])
def test_layers_that_the_generator_does_not_have_are_refused_before_it_is_built(down: str) -> None:
    recipe = ACCSEGNET.configured(preset="official", scale="tiny").recipe
    for blocks in (1, 3):
        sizes = {"segmentation.generator.blocks": blocks, "segmentation.generator.down": down}
        sized = override(recipe, sizes)
        last = len(ResNetGenerator(sized.segmentation.generator).encoder) - 1
        require_consistent(override(sized, {"segmentation.patches.layers": (0, last)}))
        beyond = override(sized, {"segmentation.patches.layers": (0, last + 1)})
        with pytest.raises(BadInput, match=rf"^segmentation: patches.layers .* {last}: generator.blocks {blocks} "):
            require_consistent(beyond)
        require_consistent(override(beyond, {"segmentation.weights.nce": 0.0}))


def test_a_study_of_knobs_that_do_not_go_together_is_refused_in_one_line() -> None:
    method = UAGAN.at("tiny")
    assert BadInput.exit_code == 2
    with pytest.raises(BadInput, match=r"^segmentation: optimiser.decay_epochs 9 must be at most epochs 3$"):
        setup(method, CrossModalityTask(), {"segmentation.optimiser.decay_epochs": 9})
