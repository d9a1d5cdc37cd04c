import pytest
import torch

from medsearch.cohorts.layouts import TUMOUR_LAYOUTS
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs, plain
from medsearch.methods.modatts import MODATTS
from medsearch.methods.modatts.recipe import SegmentationRecipe, make_recipe
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.translator import Translator
from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.stages.method import Method
from medsearch.study import FullLength, Search, uniform

# facts of the released code, section 8, rows 1, 4, 5, 7, 8; row 9 is a knob of the task
RELEASED = {
    "translation.weights.adv": (1.0, 3.0),
    "translation.weights.cyc": (10.0, 40.0),
    "translation.epochs": (200, 150),
    "synthesis.checkpoint": ("last", "best"),
    "segmentation.decoders": ("shared", "separate"),
    "segmentation.weights.adv": (5.0, 3.0),
    "segmentation.weights.seg": (100.0, 10.0),
    "segmentation.weights.seg_schedule": ("by annotated fraction", "constant"),
}


def differing(one: Method, other: Method) -> dict[str, tuple[object, object]]:
    before, after = knobs(one.recipe), knobs(other.recipe)
    return {knob: (before[knob], after[knob]) for knob in before if before[knob] != after[knob]}


@pytest.mark.parametrize("variant", ["semi-supervised", "self-supervised"])
def test_presets_differ_where_paper_and_code_do(variant: str) -> None:
    assert (
        differing(MODATTS.configured(variant=variant), MODATTS.configured(variant=variant, preset="released"))
        == RELEASED
    )
    assert MODATTS.task_knobs == {}
    assert MODATTS.configured(preset="released").task_knobs == {"normalisation": "joint"}


def test_the_papers_values() -> None:
    recipe = MODATTS.recipe
    assert plain(recipe.translation.weights) == {"adv": 1.0, "seg": 1.0, "cyc": 10.0}
    assert (recipe.translation.epochs, recipe.translation.batch) == (200, 15)
    weights = plain(recipe.segmentation.weights)
    assert weights == {"adv": 5.0, "rec": 50.0, "lat": 5.0, "seg": 100.0, "seg_schedule": "by annotated fraction"}
    assert (recipe.segmentation.epochs, recipe.segmentation.batch) == (300, 2)
    assert plain(recipe.self_training) == {"rounds": 3, "epochs": 150, "threshold": 0.6, "uncertain": "background"}
    for stage in (recipe.translation, recipe.segmentation):
        assert plain(stage.optimiser) == {"lr": 1e-4, "betas": [0.5, 0.999], "weight_decay": 1e-4}


def test_variants_differ_in_their_network_and_in_nothing_else() -> None:
    found = differing(MODATTS.configured(variant="semi-supervised"), MODATTS.configured(variant="self-supervised"))
    assert {knob for knob in found if not knob.startswith("segmentation.network.")} == {"segmentation.variant"}
    assert found["segmentation.network.channels"] == ((16, 32, 64, 128, 256), (32, 64, 128, 256, 320))
    assert found["segmentation.network.unique_fraction"] == (0.25, 0.0)


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_two_dimensions_change_what_slices_need(scale: str) -> None:
    found = differing(MODATTS.at(scale), MODATTS.configured(scale=scale, dimensions=2))
    expected = {"segmentation.network.dimensions", "segmentation.discriminator.dimensions", "segmentation.batch"}
    sizes = {"segmentation.network.codes", "segmentation.discriminator.scales"}
    assert expected <= set(found) <= expected | sizes
    assert found["segmentation.network.dimensions"] == (3, 2)
    assert found["segmentation.batch"][1] == 15


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("scale", ["tiny", "small"])
@pytest.mark.parametrize("layout", TUMOUR_LAYOUTS)
def test_networks_of_every_scale_take_its_geometry(layout: str, scale: str, dimensions: int) -> None:
    recipe, geometry = (
        MODATTS.configured(scale=scale, dimensions=dimensions).recipe,
        TUMOUR_LAYOUTS[layout].geometries[scale],
    )
    crop = torch.zeros(1, 1, *geometry.crop[3 - dimensions :])
    with torch.no_grad():
        assert Segmentor(recipe.segmentation)(crop).shape == crop.shape
        assert all(score.numel() for score in MultiScaleDiscriminator(recipe.segmentation.discriminator)(crop))
        slices = torch.zeros(1, 1, geometry.slice_size, geometry.slice_size)
        assert Translator(recipe.translation).eval().translate(slices).shape == slices.shape
        assert all(score.numel() for score in MultiScaleDiscriminator(recipe.translation.discriminator)(slices))


def test_a_method_at_another_scale_keeps_the_rest() -> None:
    method = MODATTS.configured(variant="self-supervised", preset="released", dimensions=2)
    assert method.at("tiny") == MODATTS.configured(
        variant="self-supervised", preset="released", dimensions=2, scale="tiny"
    )
    assert method.at("tiny").name == "modatts"


@pytest.mark.parametrize(("name", "scale"), [("published", "tiny"), ("released ", "paper")])
def test_unknown_names_are_refused(name: str, scale: str) -> None:
    with pytest.raises(BadInput, match="MoDATTS has presets paper, released and scales tiny, small, paper"):
        make_recipe("semi-supervised", name, scale=scale)


@pytest.mark.parametrize("width", [0.25, 0.5, 1.5, 2.0])
@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_width_scales_every_level_and_still_fits_a_network(width: float, scale: str) -> None:
    recipe = SegmentationRecipe(network=MODATTS.at(scale).recipe.segmentation.network, width=width)
    sized = recipe.sized_network
    pairs = zip(sized.channels, recipe.network.channels, strict=True)
    assert all(0 < new % 4 + 1 == 1 and abs(new - width * old) <= 4 for new, old in pairs)
    assert sized.fusion_channels % sized.fusion_heads == 0
    assert (sized.codes, sized.heads) == (recipe.network.codes, recipe.network.heads)
    if width >= 1:
        sized.check()


def test_generation_needs_target_images_to_translate() -> None:
    assert SegmentationRecipe().generative
    for knob in ({"variant": "self-supervised"}, {"supervision": "source"}, {"translate": "none"}):
        assert not SegmentationRecipe(**knob).generative
    assert SegmentationRecipe(translate="presence-to-absence").generative


def test_the_released_preset_reaches_the_task_of_a_study() -> None:
    search = Search(
        name="released",
        question="?",
        method=MODATTS.configured(preset="released", scale="tiny"),
        task=CrossModalityTask(),
        space={"segmentation.weights.rec": uniform(1, 2)},
        selection="oracle",
        scheduler=FullLength(because="a test"),
        trials=1,
        finalists=0,
        seeds=(0,),
    )
    assert search.setup({}).task.normalisation == "joint"
    assert search.setup({"task.normalisation": "per-contrast"}).task.normalisation == "per-contrast"
