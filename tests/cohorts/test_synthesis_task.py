"""Who is where: a law for every roster."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.tasks import SynthesisTask, split
from medsearch.core.errors import BadInput

names = st.sets(st.text("abcdef0123", min_size=1, max_size=6), min_size=2, max_size=90).map(sorted)
tasks = st.builds(
    SynthesisTask,
    held_out=st.sampled_from([0.0, 0.122, 0.5]),
    validation_pairs=st.sampled_from([0.0, 0.3, 0.5]),
    split_seed=st.integers(0, 3),
)


def roster(native: list[str], enhanced: list[str], pairs: list[str]) -> Roster:
    of = {
        **{f"n{name}": ("CT",) for name in native},
        **{f"e{name}": ("ceCT",) for name in enhanced},
        **{f"p{name}": ("CT", "ceCT") for name in pairs},
    }
    return Roster(tuple(of), {name: "test" for name in of if name.startswith("p")}, contrasts=of)


@given(tasks, names, names, names)
def test_everyone_is_in_one_place(
    task: SynthesisTask, native: list[str], enhanced: list[str], pairs: list[str]
) -> None:
    found = split(task, roster(native, enhanced, pairs))
    assert sorted((*found.train_source, *found.validation_source)) == [f"n{name}" for name in native]
    assert sorted((*found.train_target, *found.validation_target)) == [f"e{name}" for name in enhanced]
    assert sorted((*found.validation_paired, *found.test_paired)) == [f"p{name}" for name in pairs]
    assert found.train_source
    assert found.validation_source
    shown = len(found.validation_paired)
    assert shown == (max(1, round(task.validation_pairs * len(pairs))) if task.validation_pairs else 0)


@given(tasks, names, names, names, st.randoms())
def test_neither_order_nor_direction_matters(
    task: SynthesisTask, native: list[str], enhanced: list[str], pairs: list[str], random: object
) -> None:
    here = roster(native, enhanced, pairs)
    shuffled = list(here.subjects)
    random.shuffle(shuffled)
    there = replace(here, subjects=tuple(shuffled))
    assert split(replace(task, direction="backward"), there) == split(replace(task, direction="forward"), here)


@given(names, names, names)
def test_more_shown_pairs_keep_the_fewer(native: list[str], enhanced: list[str], pairs: list[str]) -> None:
    few, many = (split(SynthesisTask(validation_pairs=of), roster(native, enhanced, pairs)) for of in (0.3, 0.5))
    assert set(few.validation_paired) <= set(many.validation_paired)
    assert (few.train_source, few.train_target) == (many.train_source, many.train_target)


def test_the_papers_split_of_82_is_72_and_10() -> None:
    subjects = [f"{number:03d}" for number in range(82)]
    found = split(SynthesisTask(), roster(subjects, subjects[:80], ["1"]))
    assert [len(of) for of in (found.train_source, found.validation_source)] == [72, 10]
    assert [len(of) for of in (found.train_target, found.validation_target)] == [70, 10]


@pytest.mark.parametrize(
    ("changed", "task", "line"),
    [
        ({}, {"target": "CT"}, r"task.source and task.target are both 'CT'; name two"),
        ({"na": ("CT", "ceCT")}, {}, r"case na has both CT and ceCT, but training is unpaired; put it among the pairs"),
        ({"na": ("MR",)}, {}, r"case na has neither CT nor ceCT"),
        ({"nb": ("ceCT",)}, {}, r"the cohort has 1 unpaired CT cases, a split needs at least 2; add cases"),
    ],
)
def test_what_cannot_be_split_is_refused(changed: dict[str, tuple[str, ...]], task: dict[str, str], line: str) -> None:
    here = roster(["a", "b"], ["a", "b"], [])
    with pytest.raises(BadInput, match=line):
        split(SynthesisTask(**task), replace(here, contrasts={**here.contrasts, **changed}))


@pytest.mark.parametrize("knob", ["held_out", "validation_pairs"])
def test_a_fraction_outside_its_range_names_the_knob(knob: str) -> None:
    with pytest.raises(
        BadInput, match=rf"^knob '{knob}' of SynthesisTask takes a number of 0 or more and below 1, got 1.0$"
    ):
        SynthesisTask(**{knob: 1.0})


def test_the_direction_says_what_is_given_and_what_is_wanted() -> None:
    forward, backward = SynthesisTask(), SynthesisTask(direction="backward")
    assert (forward.given, forward.wanted) == (backward.wanted, backward.given) == ("CT", "ceCT")
