import subprocess
import sys

import pytest

from medsearch.core.recipes import fingerprint, knobs, override
from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import TABLE_1, RegressorRecipe, make_recipe


def test_defaults_are_the_paper_s_and_those_of_what_it_builds_on() -> None:
    found = knobs(make_recipe("paper"))
    expected = {
        "regressor.weights.order": 0.005,
        "regressor.weights.anat": 1,
        "regressor.weights.norm": 10,
        "regressor.optimiser.lr": 1e-4,
        "regressor.optimiser.weight_decay": 0,
        "regressor.iterations": 10_000,
        "regressor.slices": 8,
        "regressor.network.units": (3, 4, 6, 3),
        "translation.cyclegan.batch": 8,
        "translation.cyclegan.pool": 50,
        "translation.cyclegan.optimiser.lr": 2e-4,
        "translation.cyclegan.generator.blocks": 9,
        "translation.cyclegan.input_addition": True,
        "translation.selection": "score",
        "translation.jitter": True,
        "translation.weights.cyc": 10,
        "translation.weights.idt": 0.5,
        "translation.weights.acl": 1,
        "inference.binary_mask": True,
    }
    assert {knob: found[knob] for knob in expected} == expected


def test_table_1_has_six_rows_that_add_one_thing_each() -> None:
    rows = {label: override(make_recipe("paper"), changes) for label, changes in TABLE_1.items()}
    assert len(rows) == len({fingerprint(row) for row in rows.values()}) == 6
    assert rows["+ binary mask"] == make_recipe("paper")
    changed = []
    for one, other in (
        ("PBS", "SSBR selection"),
        ("AFFINE REG.", "SSBR selection"),
        ("SSBR selection", "+L_ACL"),
        ("+L_ACL", "+ input addition"),
        ("+ input addition", "+ binary mask"),
    ):
        before, after = knobs(rows[one]), knobs(rows[other])
        changed.append([knob for knob in before if before[knob] != after[knob]])
    assert changed == [
        ["translation.selection"],
        ["translation.selection"],
        ["translation.weights.acl"],
        ["translation.cyclegan.input_addition"],
        ["inference.binary_mask"],
    ]


def test_rows_without_scores_need_no_regressor_and_the_mask_no_other_translation() -> None:
    rows = {label: override(make_recipe("tiny"), changes).translation for label, changes in TABLE_1.items()}
    assert [row.regressed for row in rows.values()] == [False, False, True, True, True, True]
    assert rows["+ input addition"] == rows["+ binary mask"]


@pytest.mark.parametrize("scale", ["tiny", "small"])
def test_smaller_scales_are_smaller(scale: str) -> None:
    small, paper = make_recipe(scale), make_recipe("paper")
    assert small.regressor.iterations < paper.regressor.iterations
    assert small.translation.cyclegan.all_epochs < paper.translation.cyclegan.all_epochs
    assert small.translation.cyclegan.batch == {"small": 8, "tiny": 4}[scale]


def test_stages_say_how_many_epochs_they_take() -> None:
    pipeline = SSBR_CYCLEGAN.at("tiny").pipeline(make_recipe("tiny"), selection="none", test=True)
    assert {node.name: node.stage.epochs for node in pipeline.nodes} == {
        "regressor": 12,
        "translation": 40,
        "test": None,
    }


def test_another_scale_is_refused_by_name() -> None:
    # here, types would be checked first
    code = "from medsearch.methods.ssbr_cyclegan.recipe import make_recipe; make_recipe('huge')"
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "BadInput: the SSBR CycleGAN has scales tiny, small, paper; got 'huge'" in found.stderr


def test_iterations_come_in_epochs_of_which_the_last_may_be_shorter() -> None:
    recipe = RegressorRecipe(iterations=250, epoch_iterations=100)
    assert [recipe.steps(epoch) for epoch in range(1, recipe.epochs + 1)] == [100, 100, 50]


def test_recipes_are_read_without_torch() -> None:
    code = "import sys, medsearch.methods.ssbr_cyclegan.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
