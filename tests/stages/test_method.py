"""A method of one's own in a few lines, as a study's file has it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.core.recipes import override, recipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import BY_MASKS, Method, Selection, require_known
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Outcome, Stage, Training
from medsearch.study.declare.setups import require_rule, setup


@recipe
class Fit:
    epochs: int = 3
    batch: int = 2


@recipe
class Own:
    fit: Fit = field(default_factory=Fit)


@dataclass(frozen=True, kw_only=True)
class Fitting(Stage):
    name: ClassVar[str] = "own"
    version: ClassVar[int] = 1
    recipe: Fit
    selection: Selection

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.images"})

    def train(self, context: StageContext) -> Training:
        yield from ()
        return Outcome()


def make_recipe(preset: str, scale: str) -> Own:
    require_known("Own", scale, preset, ("plain", "long"))
    return Own(fit=Fit(epochs=(30 if preset == "long" else 3) * (10 if scale == "paper" else 1)))


def make_nodes(recipe: Own, selection: Selection) -> Iterator[Node]:
    yield Node("fit", Fitting(recipe=recipe.fit, selection=selection))
    yield Node("test", Fitting(recipe=recipe.fit, selection="none"), {"model": "fit"})


OWN = Method(
    name="own",
    make_recipe=make_recipe,
    make_nodes=make_nodes,
    settings={"preset": "plain", "scale": "paper"},
    wants={"long": {"normalisation": "joint"}},
)


def test_settings_mean_a_recipe() -> None:
    assert OWN.recipe.fit.epochs == 30
    assert (OWN.scale, OWN.at("tiny").scale, OWN.at("tiny").recipe.fit.epochs) == ("paper", "tiny", 3)
    long = OWN.configured(preset="long", scale="tiny")
    assert long.recipe.fit.epochs == 30
    assert long == OWN.at("tiny").configured(preset="long") != OWN
    assert OWN.recipe.fit.epochs == 30  # a value: nothing was set on it


def test_it_is_recorded_as_it_is_configured() -> None:
    assert str(OWN.at("tiny")) == "own(preset='plain', scale='tiny')"
    assert str(Method(name="u", title="U-Net", make_recipe=Own, make_nodes=make_nodes)) == "U-Net(scale='paper')"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"presett": "long"}, "^own has no setting 'presett'; it has preset, scale$"),
        ({"preset": "longer"}, "^Own has presets plain, long and scales tiny, small, paper; got 'longer' at 'paper'$"),
        ({"scale": "huge"}, "^Own has presets plain, long and scales tiny, small, paper; got 'plain' at 'huge'$"),
    ],
)
def test_what_it_does_not_know_is_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        _ = OWN.configured(**settings).recipe


def test_a_method_without_presets_names_its_scales_alone() -> None:
    require_known("Own", "small")
    with pytest.raises(BadInput, match=r"^Own has scales tiny, small, paper; got 'huge'$"):
        require_known("Own", "huge")


def test_a_recipe_means_stages_and_the_test_comes_when_it_is_asked_for() -> None:
    changed = override(OWN.recipe, {"fit.batch": 7})
    assert [node.name for node in OWN.pipeline(changed, selection="oracle").nodes] == ["fit"]
    first, last = OWN.pipeline(changed, selection="oracle", test=True).nodes
    assert (first.stage.batch, first.stage.selection, last.name, last.upstream) == (
        7,
        "oracle",
        "test",
        {"model": "fit"},
    )


def test_a_preset_reaches_the_task_and_the_study_s_own_knobs_stand_above_it() -> None:
    long, task = OWN.configured(preset="long"), CrossModalityTask()
    assert setup(OWN, task, {}).task.normalisation == "per-contrast"
    assert setup(long, task, {}).task.normalisation == "joint"
    assert setup(long, task, {"task.normalisation": "per-contrast"}).task.normalisation == "per-contrast"


def test_rules_that_it_does_not_know_are_refused() -> None:
    assert OWN.rules == BY_MASKS
    require_rule(OWN, "oracle")
    with pytest.raises(BadInput, match="the rules that own knows"):
        require_rule(OWN, "none")
