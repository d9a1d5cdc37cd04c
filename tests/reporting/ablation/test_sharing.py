import dataclasses

import pytest
from medsearch.reporting.results import Replicate, StageRunResults

from medsearch.reporting.ablation.measures import Shared, shared, spent
from tests.reporting.ablation.ablation_results import column, results
from tests.reporting.made_up_ablation import BRATS, CROSSMODA, NO_ST, PROPOSED, SUPERVISED


def made(**rows):
    """Rows by their stages under each seed: "a1 b2" is node a with key 1, node b with key 2."""

    def replicate(seed, stages):
        return Replicate(seed=seed, stages=tuple((word[0], f"{word} {seed}") for word in stages.split()))

    return results({row: tuple(replicate(seed, stages) for seed, stages in enumerate(by)) for row, by in rows.items()})


def test_rows_with_the_same_first_stages_share_them_seed_by_seed():
    both = made(x=("a1 b1", "a1 b1"), y=("a1 b2", "a1 b2"))
    (found,) = shared(both)
    assert found == Shared(rows=("x", "y"), columns=("task",), nodes=("a",), seeds=(0, 1))
    assert found.words(both) == "Rows “x” and “y” share a seed by seed (task)."


def test_sharing_under_some_seeds_only_is_said():
    both = made(x=("a1", "a1"), y=("a1", "a2"))
    (found,) = shared(both)
    assert found.words(both) == "Rows “x” and “y” share a under seed 0 (task)."


def test_three_rows_come_before_the_two_of_them_that_share_more():
    found = shared(made(x=("a1 b1",), y=("a1 b1",), z=("a1 b2",)))
    assert [(one.rows, one.nodes) for one in found] == [(("x", "y", "z"), ("a",)), (("x", "y"), ("b",))]


def test_rows_that_share_nothing_are_no_group():
    assert shared(made(x=("a1",), y=("a2",))) == ()


def test_one_row_can_share_between_columns():
    both = results({"x": (Replicate(seed=0, stages=(("a", "1"),)),)}, columns=(column("T1"), column("T2")))
    (found,) = shared(both)
    assert found.words(both) == "“x” shares a seed by seed between T1 and T2."


def test_the_made_up_study_shares_as_it_was_written(results):
    found = {(one.rows, one.columns): one.nodes for one in shared(results)}
    assert found[(NO_ST, PROPOSED, SUPERVISED), (BRATS,)] == ("translation", "synthesis")
    assert found[(NO_ST, PROPOSED), (CROSSMODA,)] == ("translation", "synthesis", "segmentation")


def test_time_saved_is_that_of_what_would_have_been_trained_again():
    run = StageRunResults(node="a", key="1", seed=0, state="complete", asked=3, seconds=10.0)
    other = dataclasses.replace(run, key="2", asked=1, seconds=30.0)
    unfinished = dataclasses.replace(run, key="3", state="running", seconds=99.0)
    found = spent(dataclasses.replace(made(x=("a1",)), runs=(run, other, unfinished)))
    assert (found.asked, found.distinct, found.alone, found.shared) == (4, 2, 60.0, 40.0)
    assert found.saved == pytest.approx(1 / 3)


def test_before_anything_is_stored_nothing_is_saved():
    assert spent(made(x=("a1",))).saved == 0.0
