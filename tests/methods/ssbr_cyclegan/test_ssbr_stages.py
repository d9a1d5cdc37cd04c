"""Which stages a recipe means, what each may read, and what rows and directions share."""

from itertools import pairwise

import pytest

from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import TABLE_1
from tests.micro import Micro

TRAINING = {"source.train.images", "target.train.images"}


def test_without_scores_and_without_eq_5_there_is_no_regressor(ct: Micro) -> None:
    stages = {row: list(ct.runs(knobs, test=True)) for row, knobs in TABLE_1.items()}
    assert stages["PBS"] == stages["AFFINE REG."] == ["translation", "test"]
    for row in ("SSBR selection", "+L_ACL", "+ input addition", "+ binary mask"):
        assert stages[row] == ["regressor", "translation", "test"]
    only_constrained = ct.runs({"translation.selection": "position"})
    assert list(only_constrained) == ["regressor", "translation"]


@pytest.mark.parametrize("rule", ["none", "oracle"])
def test_pairs_are_read_by_the_test_and_where_the_rule_allows_it(ct: Micro, rule: str) -> None:
    for knobs in TABLE_1.values():
        runs = ct.runs(knobs, selection=rule, test=True)
        paired = {node: {part for part in run.parts if part.startswith("paired")} for node, run in runs.items()}
        assert paired["test"] == {"paired.test.images"}
        assert paired["translation"] == ({"paired.validation.images"} if rule == "oracle" else set())
        assert paired.get("regressor", set()) == set()
        assert set(runs["translation"].parts) >= TRAINING


def test_rows_share_the_regressor_and_the_last_two_rows_all_training(ct: Micro) -> None:
    keys = [{node: run.key for node, run in ct.runs(knobs, test=True).items()} for knobs in TABLE_1.values()]
    assert len({of["regressor"] for of in keys if "regressor" in of}) == 1
    trained = [of["translation"] for of in keys]
    assert trained[-1] == trained[-2]
    assert len(set(trained)) == 5
    assert len({of["test"] for of in keys}) == 6


def test_both_directions_share_all_training(ct: Micro) -> None:
    forward, backward = (
        ct.runs(selection="none", test=True, task={"direction": direction}) for direction in ("forward", "backward")
    )
    for node in ("regressor", "translation"):
        assert forward[node].key == backward[node].key
    assert forward["test"].key != backward["test"].key


def test_rows_differ_from_the_one_before_by_a_knob_or_two() -> None:
    rows = list(TABLE_1.values())
    for one, other in pairwise(rows[2:]):
        assert len(set(one) - set(other)) + sum(one[knob] != other[knob] for knob in set(one) & set(other)) == 1


def test_the_method_knows_two_rules_and_three_scales() -> None:
    method = SSBR_CYCLEGAN
    assert method.rules == ("none", "oracle")
    assert method.recipe.translation.cyclegan.all_epochs == 200
    assert (
        method.at("tiny").recipe.translation.cyclegan.generator.width
        < method.recipe.translation.cyclegan.generator.width
    )
