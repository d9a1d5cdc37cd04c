import dataclasses
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.core.recipes import override
from medsearch.data.cohorts import Roster
from medsearch.data.tasks import CrossModalityTask, Split
from medsearch.data.tasks import split as split_roster

BRATS = [f"BraTS20_Training_{number:03d}" for number in range(1, 370)]
names = st.sets(st.text("abcdef0123", min_size=1, max_size=6), min_size=4, max_size=60).map(sorted)
fractions = st.sampled_from([0.0, 0.01, 0.1, 0.4, 0.7, 1.0])
tasks = st.builds(
    CrossModalityTask,
    source_labels=fractions,
    target_labels=fractions,
    split_seed=st.integers(0, 5),
    pairing=st.sampled_from(["disjoint", "overlap"]),
)


def split(task: CrossModalityTask, subjects: Iterable[str]) -> Split:
    return split_roster(task, Roster(tuple(subjects)))


@given(tasks, names)
def test_split_partitions_subjects(task: CrossModalityTask, subjects: list[str]) -> None:
    s = split(task, subjects)
    training = set(s.train_source) | set(s.train_target)
    assert sorted([*training, *s.validation_source, *s.test_source]) == subjects
    assert s.train_source
    assert s.train_target
    assert (s.validation_source, s.test_source) == (s.validation_target, s.test_target)
    assert len(s.validation_source) == len(s.test_source) == max(1, round(len(subjects) / 10))
    if task.pairing == "disjoint":
        assert not set(s.train_source) & set(s.train_target)
        assert abs(len(s.train_source) - len(s.train_target)) <= 1
    else:
        assert set(s.train_source) == set(s.train_target)


@given(tasks, names, st.randoms())
def test_order_of_subjects_does_not_matter(task: CrossModalityTask, subjects: list[str], random: object) -> None:
    shuffled = list(subjects)
    random.shuffle(shuffled)
    assert split(task, shuffled) == split(task, subjects)


@given(tasks, names, fractions)
def test_more_labels_keep_the_fewer(task: CrossModalityTask, subjects: list[str], other: float) -> None:
    fewer, more = sorted((task.target_labels, other))
    few = split(dataclasses.replace(task, target_labels=fewer), subjects)
    many = split(dataclasses.replace(task, target_labels=more), subjects)
    assert set(few.labelled_target) <= set(many.labelled_target) <= set(many.train_target)
    assert dataclasses.replace(few, labelled_target=()) == dataclasses.replace(many, labelled_target=())


@given(tasks, names)
def test_any_fraction_labels_someone_and_one_labels_all(task: CrossModalityTask, subjects: list[str]) -> None:
    s = split(task, subjects)
    assert len(s.labelled_source) >= task.source_labels * len(s.train_source) - 1e-6
    assert bool(s.labelled_source) == (task.source_labels > 0)
    if task.source_labels == 1:
        assert set(s.labelled_source) == set(s.train_source)


@given(tasks, names, st.data())
def test_excluding_a_case_leaves_the_others_in_their_order(
    task: CrossModalityTask, subjects: list[str], data: st.DataObject
) -> None:
    assume(len(subjects) > 4)
    gone = data.draw(st.sampled_from(subjects))
    task = dataclasses.replace(task, pairing="disjoint")

    def order(s: Split) -> list[str]:
        return [*s.validation_source, *s.test_source, *s.train_source, *s.train_target]

    before = order(split(task, subjects))
    assert order(split(task, set(subjects) - {gone})) == [subject for subject in before if subject != gone]


def test_brats_is_divided_as_in_the_paper() -> None:
    s = split(CrossModalityTask(), BRATS)
    assert (len(s.validation_source), len(s.test_source)) == (37, 37)
    assert len(s.train_source) + len(s.train_target) == 295


def test_fractions_are_not_inflated_by_rounding() -> None:
    subjects = BRATS[:250]  # 25 + 25 held out, 100 on either side; 0.07 * 100 is 7.000000000000001
    assert len(split(CrossModalityTask(source_labels=0.07), subjects).labelled_source) == 7
    assert len(split(CrossModalityTask(source_labels=0.001), subjects).labelled_source) == 1


def test_seed_moves_everything() -> None:
    one, other = (split(CrossModalityTask(split_seed=seed, target_labels=0.4), BRATS) for seed in (0, 1))
    for field in dataclasses.fields(Split):
        assert getattr(one, field.name) != getattr(other, field.name)


def test_overlap_shuffles_each_side_on_its_own() -> None:
    s = split(CrossModalityTask(pairing="overlap"), BRATS)
    aligned = sum(a == b for a, b in zip(s.train_source, s.train_target, strict=True))
    assert aligned < 10


@pytest.mark.parametrize(
    ("task", "subjects", "says"),
    [
        (CrossModalityTask(source="t2"), BRATS, "both 't2'"),
        (CrossModalityTask(), [*BRATS, BRATS[0]], BRATS[0]),
        (CrossModalityTask(), BRATS[:3], "3 usable subjects"),
    ],
)
def test_impossible_tasks_are_refused(task: CrossModalityTask, subjects: list[str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        split(task, subjects)


def test_fraction_outside_is_refused_by_its_knob() -> None:
    with pytest.raises(BadInput, match=r"task\.target_labels"):
        override(CrossModalityTask(), {"target_labels": 1.5})
