"""The numbers of the method's stages, held: two steps from seeded weights, and a test of such weights."""

from pathlib import Path

import pytest
import torch

from medsearch.methods.ssbr_cyclegan.regression import Regression, Regressor
from medsearch.methods.ssbr_cyclegan.translation import PairedTranslation
from medsearch.networks.cyclegan import Translators
from medsearch.stages.context import Artifact
from medsearch.stages.manifest import Manifest
from medsearch.training.checkpoints import save_modules
from tests.golden import Numbers, compare, two_steps
from tests.methods.ssbr_cyclegan.micro_ssbr import RECIPE
from tests.micro import Micro, drained

GOLDEN: dict[str, Numbers] = {
    "regressor": {
        "order": 0.027634,
        "anat": 1.3725,
        "norm": 39.779,
        "then order": 0.01852,
        "then anat": 0.80478,
        "then norm": 10.129,
    },
    "score": {
        "adv": 1.9078,
        "cyc": 6.1967,
        "idt": 1.8074,
        "acl": 0.013516,
        "d_s": 0.41679,
        "d_t": 0.54515,
        "then adv": 1.3828,
        "then cyc": 3.7902,
        "then idt": 1.3102,
        "then acl": 0.015752,
        "then d_s": 0.3239,
        "then d_t": 0.3808,
    },
    "position": {
        "adv": 1.8864,
        "cyc": 6.2077,
        "idt": 1.7992,
        "d_s": 0.42592,
        "d_t": 0.54283,
        "then adv": 1.3549,
        "then cyc": 3.8364,
        "then idt": 1.2979,
        "then d_s": 0.32715,
        "then d_t": 0.39037,
    },
    "test": {
        "test/mse": 0.01683,
        "test/psnr": 23.769,
        "test/psnr_volume": 23.76,
        "test/ssim": 0.79039,
        "test/mae": 67.555,
        "test/training_hours": 0.0,
    },
}
WHERE = "methods/ssbr_cyclegan/__init__.py"
SELECTIONS = {"score": {}, "position": {"translation.selection": "position", "translation.weights.acl": 0.0}}


def seeded(folder: Path) -> dict[str, Artifact]:
    """A regressor and translators that nothing has trained, with the hours of stages that took none."""
    torch.manual_seed(0)
    cyclegan = RECIPE.translation.cyclegan
    modules = {
        "regressor": Regressor(RECIPE.regressor.network),
        "translators": Translators(cyclegan.generator, input_addition=cyclegan.input_addition),
    }
    artifacts = {}
    for role, name in (("regressor", "regressor"), ("translation", "translators")):
        save_modules(folder / role / "weights.safetensors", {name: modules[name]})
        artifacts[role] = Artifact(role, folder / role, Manifest(metrics={}, seconds=0.0))
    return artifacts


def test_two_steps_of_the_regressor(ct: Micro, tmp_path: Path) -> None:
    run = ct.runs()["regressor"]
    training = Regression(run.stage.recipe, ct.context(run, tmp_path))
    torch.manual_seed(0)
    compare(GOLDEN["regressor"], two_steps(training.steps(1)), stage="regressor", case="regressor", where=WHERE)


@pytest.mark.parametrize("case", SELECTIONS)
def test_two_steps_of_the_translation(ct: Micro, tmp_path: Path, case: str) -> None:
    run = ct.runs(SELECTIONS[case])["translation"]
    context = ct.context(run, tmp_path / "out", upstream=seeded(tmp_path))
    training = PairedTranslation(run.stage.recipe, run.stage.regressor, context)
    torch.manual_seed(0)
    compare(GOLDEN[case], two_steps(training.translating.steps(1)), stage="translation", case=case, where=WHERE)


def test_a_test(ct: Micro, tmp_path: Path) -> None:
    run = ct.runs(test=True)["test"]
    folder = tmp_path / "out"
    folder.mkdir()
    _, outcome = drained(run.stage.train(ct.context(run, folder, upstream=seeded(tmp_path))))
    compare(GOLDEN["test"], dict(outcome.metrics), stage="test", case="test", where=WHERE)
