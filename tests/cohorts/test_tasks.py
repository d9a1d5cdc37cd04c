import dataclasses
import re
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Roster, Subset
from medsearch.cohorts.tasks import CrossModalityTask, Split, SynthesisTask, Task
from medsearch.cohorts.tasks import split as split_roster
from medsearch.cohorts.views import part_fingerprint
from medsearch.core.errors import BadInput
from medsearch.core.recipes import override

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
        pairs = field.name.endswith("_paired")  # of which no segmentation has any
        assert pairs == (getattr(one, field.name) == getattr(other, field.name))


def test_overlap_shuffles_each_side_on_its_own() -> None:
    s = split(CrossModalityTask(pairing="overlap"), BRATS)
    aligned = sum(a == b for a, b in zip(s.train_source, s.train_target, strict=True))
    assert aligned < 10


@pytest.mark.parametrize(
    ("task", "subjects", "says"),
    [
        (CrossModalityTask(source="t2"), BRATS, "both 't2'"),
        (CrossModalityTask(), [*BRATS, BRATS[0]], BRATS[0]),
        (CrossModalityTask(), BRATS[:3], "3 usable cases"),
    ],
)
def test_impossible_tasks_are_refused(task: CrossModalityTask, subjects: list[str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        split(task, subjects)


def test_fraction_outside_is_refused_by_its_knob() -> None:
    with pytest.raises(BadInput, match=r"'target_labels' takes a number from 0 to 1, got 1\.5"):
        override(CrossModalityTask(), {"target_labels": 1.5})


SIDES = ("source", "target")
SPLITS = ("train", "validation", "test")


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    """Subjects whose folders say where they belong, some of the target and test cases with masks."""
    counts = draw(st.integers(2, 30)), draw(st.integers(1, 30)), draw(st.integers(0, 10))
    assume(sum(counts) >= 4)
    parts: list[Subset] = [
        part for part, count in zip(("source", "target", "test"), counts, strict=True) for _ in range(count)
    ]
    assigned = {f"{part}-{number}": part for number, part in enumerate(parts)}
    masked = {name for name, part in assigned.items() if part == "source" or draw(st.booleans())}
    return Roster(tuple(draw(st.permutations(list(assigned)))), assigned, frozenset(masked))


free_rosters = names.filter(lambda found: len(found) >= 8).map(lambda found: Roster(tuple(found)))
disjoint_tasks = tasks.map(lambda task: dataclasses.replace(task, pairing="disjoint"))


def in_folds(task: CrossModalityTask, roster: Roster, folds: int) -> list[Split]:
    return [split_roster(dataclasses.replace(task, folds=folds, fold=fold), roster) for fold in range(folds)]


@given(tasks, rosters())
def test_folders_decide_who_is_source_target_and_test(task: CrossModalityTask, roster: Roster) -> None:
    s = split_roster(task, roster)
    found = {
        "source": [*s.train_source, *s.validation_source],
        "target": [*s.train_target, *s.validation_target],
        "test": [*s.test_target],
    }
    for part, members in found.items():
        assert sorted(members) == sorted(name for name, said in roster.assigned.items() if said == part)
    assert s.train_source
    assert s.train_target
    assert not s.test_source
    sources = len(found["source"])
    assert len(s.validation_source) == max(1, round(sources / 10))


@given(tasks, rosters())
def test_target_cases_validate_only_if_they_have_masks(task: CrossModalityTask, roster: Roster) -> None:
    s = split_roster(task, roster)
    assert set(s.validation_target) <= roster.annotated
    bare = dataclasses.replace(roster, annotated=frozenset())
    assert split_roster(task, bare).validation_target == ()
    assert set(split_roster(task, bare).train_target) == {*s.train_target, *s.validation_target}


@given(disjoint_tasks, st.one_of(free_rosters, rosters()), st.integers(2, 5))
def test_folds_leak_nobody(task: CrossModalityTask, roster: Roster, folds: int) -> None:
    """Who trains neither validates nor is tested, on either side; and no one trains both sides."""
    assume(len(split_roster(task, roster).train_source) >= max(folds, 4))
    for s in [split_roster(task, roster), *in_folds(task, roster, folds)]:
        parts = {name: {*getattr(s, f"{name}_source"), *getattr(s, f"{name}_target")} for name in SPLITS}
        assert not parts["train"] & parts["validation"]
        assert not parts["test"] & (parts["train"] | parts["validation"])
        assert not set(s.train_source) & set(s.train_target)
        for side in SIDES:
            assert set(getattr(s, f"labelled_{side}")) <= set(getattr(s, f"train_{side}"))


@given(disjoint_tasks, st.one_of(free_rosters, rosters()), st.integers(2, 5))
def test_each_source_case_validates_in_one_fold(task: CrossModalityTask, roster: Roster, folds: int) -> None:
    whole = split_roster(task, roster)
    pool = {*whole.train_source, *whole.validation_source}
    assume(len(pool) >= max(folds, 5))
    drawn = in_folds(task, roster, folds)
    assert sorted(name for s in drawn for name in s.validation_source) == sorted(pool)
    sizes = [len(s.validation_source) for s in drawn]
    assert max(sizes) - min(sizes) <= 1
    for s in drawn:
        assert {*s.train_source, *s.validation_source} == pool - (
            set(whole.validation_target) - set(s.validation_source)
        )
        for part in ("train_target", "validation_target", "test_source", "test_target", "labelled_target"):
            assert getattr(s, part) == getattr(whole, part), "the target's side stays"


@given(disjoint_tasks, rosters(), st.randoms())
def test_the_order_of_a_roster_does_not_matter(task: CrossModalityTask, roster: Roster, random: object) -> None:
    shuffled = list(roster.subjects)
    random.shuffle(shuffled)
    task = dataclasses.replace(task, folds=2, fold=1)
    assert split_roster(task, dataclasses.replace(roster, subjects=tuple(shuffled))) == split_roster(task, roster)


CROSSMODA = Roster(
    tuple("abcdefg"),
    dict(zip("abcdefg", ("source",) * 4 + ("target",) * 2 + ("test",), strict=True)),
    frozenset("abcd"),
)


@pytest.mark.parametrize(
    ("task", "roster", "says"),
    [
        (CrossModalityTask(folds=5, fold=5), CROSSMODA, "task.fold=5 of task.folds=5 with 4 source cases"),
        (CrossModalityTask(folds=5), CROSSMODA, "folds are 2 or more, at most as many as cases"),
        (CrossModalityTask(folds=1), CROSSMODA, "task.folds=1"),
        (CrossModalityTask(folds=2), Roster(tuple("abcd")), "leaves no source case to train on"),
        (CrossModalityTask(folds=2, pairing="overlap"), Roster(tuple(BRATS)), "take 'disjoint'"),
        (
            CrossModalityTask(),
            dataclasses.replace(CROSSMODA, assigned={name: CROSSMODA.assigned[name] for name in "abcdef"}),
            "subject 'g' is in no part",
        ),
        (
            CrossModalityTask(),
            dataclasses.replace(CROSSMODA, assigned=dict.fromkeys("abcdefg", "source")),
            "7 source and 0 target cases",
        ),
    ],
)
def test_impossible_folds_and_parts_are_refused(task: CrossModalityTask, roster: Roster, says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)):
        split_roster(task, roster)


@st.composite
def visits(draw: st.DrawFn) -> Roster:
    """Patients with one to three cases each, as in BraTS 2023."""
    patients = draw(st.sets(st.integers(0, 99999), min_size=6, max_size=40))
    cases = {
        f"BraTS-GLI-{patient:05d}-{visit:03d}": f"BraTS-GLI-{patient:05d}"
        for patient in patients
        for visit in range(draw(st.integers(1, 3)))
    }
    return Roster(tuple(draw(st.permutations(sorted(cases)))), patients=cases)


@given(tasks, visits(), st.randoms())
def test_all_cases_of_a_patient_go_together(task: CrossModalityTask, roster: Roster, random: object) -> None:
    s = split_roster(task, roster)
    sides = [{*s.train_source, *s.train_target}, {*s.validation_source}, {*s.test_source}]
    if task.pairing == "disjoint":
        sides = [{*s.train_source}, {*s.train_target}, *sides[1:]]
    assert sorted(subject for side in sides for subject in side) == sorted(roster.subjects)
    people = [{roster.patients[subject] for subject in side} for side in sides]
    assert sum(map(len, people)) == len(set().union(*people))
    shuffled = list(roster.subjects)
    random.shuffle(shuffled)
    assert split_roster(task, dataclasses.replace(roster, subjects=tuple(shuffled))) == s


@given(disjoint_tasks, visits(), st.integers(2, 30))
def test_no_patient_trains_and_validates_in_a_fold(task: CrossModalityTask, roster: Roster, folds: int) -> None:
    for fold in range(folds):
        try:
            s = split_roster(override(task, {"folds": folds, "fold": fold}), roster)
        except BadInput:
            continue  # so few that a fold would leave nobody
        assert s.validation_source
        trained, shown = ({roster.patients[one] for one in side} for side in (s.train_source, s.validation_source))
        assert not trained & shown
        assert not trained & {roster.patients[one] for one in (*s.validation_target, *s.test_target)}


@given(tasks, names)
def test_a_patient_for_each_case_is_the_split_that_there_always_was(
    task: CrossModalityTask, subjects: list[str]
) -> None:
    alone = Roster(tuple(subjects), patients={subject: subject for subject in subjects})
    assert split_roster(task, alone) == split(task, subjects)


def test_few_patients_with_many_cases_are_few() -> None:
    cases = {f"a-{visit}": "a" for visit in range(6)}
    with pytest.raises(BadInput, match="1 usable patients"):
        split_roster(CrossModalityTask(), Roster(tuple(cases), patients=cases))


@pytest.mark.parametrize("task", [CrossModalityTask(split_seed=411), SynthesisTask(split_seed=411)])
def test_a_split_is_drawn_once_for_a_task_and_a_cohort(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many parts a plan asks for, in whatever order, and though others ask in between."""
    draws, draw = [], type(task).draw

    def counted(self: Task, roster: Roster) -> Split:
        draws.append((self, roster))
        return draw(self, roster)

    monkeypatch.setattr(type(task), "draw", counted)
    roster = task.pretended_roster()
    fewer = dataclasses.replace(roster, subjects=roster.subjects[1:])
    for part in sorted(task.parts):
        for cohort in ("f", "g"):
            for subjects in (roster, fewer):
                part_fingerprint(task, cohort, subjects, part)
    assert draws == [(task, roster), (task, fewer)]
    part_fingerprint(dataclasses.replace(task, split_seed=412), "f", roster, "source.train.images")
    assert len(draws) == 3
