from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medsearch.cohorts.views import TaskView
from medsearch.methods.mgenseg.pictures import attended
from medsearch.methods.mgenseg.validation import Validation, average_precision
from medsearch.networks.config import GenSegConfig
from medsearch.networks.genseg import GenSegEncoder, ImageDecoder
from medsearch.stages.method import Selection
from tests.micro import Micro, drained


def validation(heads: Micro, rule: Selection, **knobs: object) -> Validation:
    run = heads.runs({f"segmentation.{name}": value for name, value in knobs.items()}, selection=rule)["segmentation"]
    return Validation(run.stage.recipe, rule, TaskView(heads.prepared, run.task, run.stage.reads()))


@pytest.mark.parametrize(
    ("rule", "domain", "seen_in"),
    [("source", "source", "source"), ("pseudo-target", "source", "target"), ("oracle", "target", "target")],
)
def test_each_rule_has_its_route(heads: Micro, rule: Selection, domain: str, seen_in: str) -> None:
    of = validation(heads, rule)
    assert (of.main.domain, of.main.seen_in) == (domain, seen_in)
    assert of.selecting == (of.main,)
    both = validation(heads, rule, selected_on="both").selecting
    assert [route.domain for route in both] == (["source", "target"] if rule == "oracle" else [domain])


def test_pairs_are_the_same_slices_of_the_same_patients(heads: Micro) -> None:
    of = validation(heads, "oracle")
    source, target = of.paired
    assert len(source) == len(of.main.diseased)
    assert source.halves.units == target.halves.units
    for x_s, x_t in of.pairs(2):
        torch.testing.assert_close((x_s != 0).float(), (x_t != 0).float())  # one brain, two contrasts
        assert not torch.equal(x_s, x_t)
    assert len(validation(heads, "source").paired[0]) == 0


def test_nobody_seen_in_both_modalities_is_no_pair(heads: Micro, tmp_path: Path) -> None:
    """As on CrossMoDA, or with folds: the training ends all the same, and says nothing of translations."""
    run = heads.runs()["segmentation"]
    view = TaskView(heads.prepared, run.task, run.stage.reads())
    of = Validation(run.stage.recipe, "oracle", view)
    stranger = tuple(unit._replace(subject="nobody") for unit in of.main.diseased.halves.units)
    halves = replace(of.main.diseased.halves, units=stranger)
    of.main = replace(of.main, diseased=replace(of.main.diseased, halves=halves))
    assert [len(crops) for crops in of.paired] == [0, 0]
    folded = heads.runs(task={"folds": 2, "fold": 1})["segmentation"]
    _, outcome = drained(folded.stage.train(heads.context(folded, tmp_path)))
    assert "validation/dice" in outcome.metrics


def test_attention_is_that_of_the_finest_gates_first() -> None:
    torch.manual_seed(0)
    config = GenSegConfig(channels=(4, 6, 8, 10), unique=3, head=3)
    encoder, common = GenSegEncoder(config), ImageDecoder(config, common=True)
    latent, seen = encoder(torch.randn(1, 1, 24, 12)), list[Tensor]()

    def note(_: nn.Module, __: tuple[Tensor, ...], psi: Tensor) -> None:
        seen.append(psi)

    common.eval()
    common.image.decoder.gates[-1].psi.register_forward_hook(note)
    with torch.no_grad():
        finest, coarser = attended(common, lambda: common(latent), (24, 12))
    torch.testing.assert_close(torch.from_numpy(finest), seen[0][0, 0])
    assert coarser.shape == (24, 12)
    assert not (coarser == finest).all()


def test_average_precision_by_hand() -> None:
    scores, truths = np.array([0.9, 0.8, 0.7, 0.1]), np.array([1.0, 0.0, 1.0, 0.0])
    assert average_precision(scores, truths) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(10), np.arange(10) < 3) == pytest.approx(0.3)
