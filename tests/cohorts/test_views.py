import dataclasses
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Case, Cohort, Roster
from medsearch.cohorts.layouts import layout
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.cohorts.tasks import CrossModalityTask, split
from medsearch.cohorts.views import TaskView, domains, part_fingerprint
from medsearch.core.errors import BadInput, UndeclaredRead

GEOMETRIES = layout("brats2020").geometries
TASK = CrossModalityTask(geometry=GEOMETRIES["tiny"])
SUBJECTS = tuple(f"case-{number:02d}" for number in range(12))
ROSTER = Roster(SUBJECTS)

Prepared = dict[str, PreparedVolumes]
tasks = st.builds(
    CrossModalityTask,
    source=st.sampled_from(["t1", "flair"]),
    target=st.just("t2"),
    source_labels=st.sampled_from([0.0, 0.5, 1.0]),
    target_labels=st.sampled_from([0.0, 0.5, 1.0]),
    split_seed=st.integers(0, 2),
    pairing=st.sampled_from(["disjoint", "overlap"]),
    normalisation=st.sampled_from(["per-contrast", "joint"]),
    folds=st.sampled_from([0, 2, 3]),
    fold=st.integers(0, 1),
    geometry=st.just(GEOMETRIES["tiny"]),
).map(lambda task: dataclasses.replace(task, folds=0) if task.pairing == "overlap" else task)


@pytest.fixture
def prepared(write_cohort: Callable[..., Cohort], tmp_path: Path) -> Prepared:
    """The same twelve cases under either normalisation."""
    return _prepared(write_cohort(12), tmp_path / "arrays")


@pytest.fixture
def parted(write_cohort: Callable[..., Cohort], tmp_path: Path) -> Prepared:
    """Twelve cases whose parts are given: of the five targets two have no mask, of the two tests one has none."""
    whole = write_cohort(12)
    parts = ["source"] * 5 + ["target"] * 5 + ["test"] * 2
    cases = [dataclasses.replace(case, subset=subset) for case, subset in zip(whole.cases, parts, strict=True)]
    for number, presence in ((5, (True, False)), (6, (True, True)), (10, None)):
        cases[number] = dataclasses.replace(cases[number], mask=None, presence=presence)
    return _prepared(dataclasses.replace(whole, cases=tuple(cases)), tmp_path / "arrays")


def _prepared(cohort: Cohort, folder: Path) -> Prepared:
    return {
        normalisation: prepare(cohort, "f", task=dataclasses.replace(TASK, normalisation=normalisation), folder=folder)
        for normalisation in ("per-contrast", "joint")
    }


def held(prepared: Prepared, task: CrossModalityTask, part: str) -> list[object]:
    """What a part really holds, as the view hands it out; what is not there is told by the refusal."""
    domain, name, kind = part.split(".")
    view = TaskView(prepared[task.normalisation], task, frozenset({part}))
    read = {"images": view.image, "masks": view.mask, "presence": view.presence}[kind]
    content: list[object] = []
    for subject in view.subjects(domain, name):
        try:
            value = read(domain, name, subject)
        except BadInput as error:
            value = str(error)
        content.append((subject, value.tobytes() if isinstance(value, np.ndarray) else value))
    return content


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=tasks, other=tasks)
@pytest.mark.parametrize("kind", ["prepared", "parted"])
def test_fingerprint_changes_exactly_when_the_content_does(
    request: pytest.FixtureRequest, kind: str, one: CrossModalityTask, other: CrossModalityTask
) -> None:
    prepared: Prepared = request.getfixturevalue(kind)
    roster = prepared["joint"].roster
    for part in sorted(CrossModalityTask.parts):
        same = part_fingerprint(one, "f", roster, part) == part_fingerprint(other, "f", roster, part)
        assert same == (held(prepared, one, part) == held(prepared, other, part)), part


def test_a_fold_changes_the_source_s_training_and_validation_only() -> None:
    for part in changed(dataclasses.replace(TASK, folds=3), fold=1):
        assert part.startswith(("source.train", "source.validation"))
    assert len(changed(dataclasses.replace(TASK, folds=3), fold=1)) == 6


def test_who_has_a_mask_or_a_weak_label_is_the_case_s_own(parted: Prepared) -> None:
    view = TaskView(parted["joint"], TASK, CrossModalityTask.parts)
    assert view.presence("target", "train", "case-05") == (True, False)
    assert {*view.subjects("target", "validation")} <= {"case-07", "case-08", "case-09"}
    assert view.mask("target", "test", "case-10") is None
    assert view.mask("target", "test", "case-11") is not None
    with pytest.raises(BadInput, match="case-10 has neither a weak label nor a mask"):
        view.presence("target", "test", "case-10")
    with pytest.raises(BadInput, match="case-05 has no mask"):
        view.tumour_areas("target", "train", "case-05")


def changed(task: CrossModalityTask, **knobs: object) -> set[str]:
    after = dataclasses.replace(task, **knobs)
    return {
        part
        for part in CrossModalityTask.parts
        if part_fingerprint(task, "f", ROSTER, part) != part_fingerprint(after, "f", ROSTER, part)
    }


def test_target_labels_change_nothing_but_target_training_masks() -> None:
    assert changed(TASK, target_labels=0.5) == {"target.train.masks"}


def test_source_labels_change_nothing_but_source_training_masks() -> None:
    assert changed(TASK, source_labels=0.5) == {"source.train.masks"}


def test_contrast_changes_its_images_only() -> None:
    assert changed(TASK, source="flair") == {f"source.{name}.images" for name in ("train", "validation", "test")}


def test_normalisation_changes_images_only() -> None:
    assert changed(TASK, normalisation="joint") == {
        part for part in CrossModalityTask.parts if part.endswith(".images")
    }


def test_split_seed_and_geometry_change_everything() -> None:
    assert changed(TASK, split_seed=1) == CrossModalityTask.parts
    assert changed(TASK, geometry=GEOMETRIES["small"]) == CrossModalityTask.parts


def test_other_files_change_everything_and_the_order_of_subjects_nothing() -> None:
    for part in CrossModalityTask.parts:
        now = part_fingerprint(TASK, "f", ROSTER, part)
        assert part_fingerprint(TASK, "g", ROSTER, part) != now
        assert part_fingerprint(TASK, "f", Roster(SUBJECTS[::-1]), part) == now


@pytest.mark.parametrize("part", sorted(CrossModalityTask.parts))
def test_only_the_declared_part_can_be_read(prepared: Prepared, part: str) -> None:
    view = TaskView(prepared["per-contrast"], TASK, frozenset({part}))
    for other in CrossModalityTask.parts:
        domain, name, kind = other.split(".")
        everyone = TaskView(view.prepared, TASK, CrossModalityTask.parts).subjects(domain, name)
        read = {"images": view.image, "masks": view.mask, "presence": view.presence}[kind]
        if other == part:
            assert read(domain, name, everyone[0]) is not None or part == "target.train.masks"
            continue
        with pytest.raises(UndeclaredRead, match=rf"part '{other}' was not declared; the stage reads \['{part}'\]"):
            read(domain, name, everyone[0])
        if not part.startswith(f"{domain}.{name}."):
            with pytest.raises(UndeclaredRead, match=f"{domain}.{name}"):
                view.subjects(domain, name)


def test_mapped_arrays_are_guarded_alike(prepared: Prepared) -> None:
    view = TaskView(prepared["per-contrast"], TASK, frozenset({"source.train.presence"}))
    subject = view.subjects("source", "train")[0]
    for read in (view.mapped_image, view.mapped_mask):
        with pytest.raises(UndeclaredRead):
            read("source", "train", subject)


def test_a_subject_of_another_part_is_refused(prepared: Prepared) -> None:
    view = TaskView(prepared["per-contrast"], TASK, CrossModalityTask.parts)
    for domain, one, other in itertools.product(("source", "target"), *[("train", "validation", "test")] * 2):
        if one != other:
            with pytest.raises(BadInput, match=f"is not in {domain}.{other}"):
                view.image(domain, other, view.subjects(domain, one)[0])


def test_view_hands_out_the_right_arrays(prepared: Prepared) -> None:
    arrays = prepared["per-contrast"]
    view = TaskView(arrays, TASK, CrossModalityTask.parts)
    for domain, contrast in (("source", "t1"), ("target", "t2")):
        for subject in view.subjects(domain, "validation"):
            index = arrays.index(subject)
            image, mask = view.image(domain, "validation", subject), view.mask(domain, "validation", subject)
            np.testing.assert_array_equal(image, arrays.image(contrast)[index])
            np.testing.assert_array_equal(view.mapped_image(domain, "validation", subject), image)
            np.testing.assert_array_equal(mask, arrays.mask[index])
            assert (image.dtype, mask.dtype, image.shape) == (np.float32, np.uint8, view.shape)
            assert view.presence(domain, "validation", subject) == tuple(arrays.presence[index])
            assert view.box(subject) == arrays.boxes[index]
            image[:] = mask[:] = 0  # copies: the next reader is not harmed
            assert view.image(domain, "validation", subject).any()
            assert view.mask(domain, "validation", subject).any()


def test_slices_have_weak_labels_of_their_own(prepared: Prepared) -> None:
    arrays = prepared["per-contrast"]
    view = TaskView(arrays, TASK, frozenset({"target.train.presence"}))
    for subject in view.subjects("target", "train"):
        areas, marked = view.tumour_areas("target", "train", subject), arrays.mask[arrays.index(subject)]
        middle = view.shape[2] // 2
        for z in range(view.shape[0]):
            assert tuple(areas[:, z]) == (marked[z, :, :middle].sum(), marked[z, :, middle:].sum())
        assert tuple(areas.any(1)) == view.presence("target", "train", subject)
    with pytest.raises(UndeclaredRead, match=r"source\.train\.presence"):
        view.tumour_areas("source", "train", view.subjects("target", "train")[0])


@pytest.mark.parametrize("labels", [0.0, 0.5, 1.0])
def test_masks_of_unlabelled_training_subjects_are_hidden(prepared: Prepared, labels: float) -> None:
    task = dataclasses.replace(TASK, target_labels=labels)
    view = TaskView(prepared["per-contrast"], task, CrossModalityTask.parts)
    seen = {s for s in view.subjects("target", "train") if view.mask("target", "train", s) is not None}
    assert seen == set(split(task, ROSTER).labelled_target)
    for name in ("validation", "test"):
        assert all(view.mask("target", name, s) is not None for s in view.subjects("target", name))


def test_cases_that_lack_what_is_asked_for_are_named(
    write_cohort: Callable[..., Cohort], write_case: Callable[..., Case], head: Callable[..., tuple], tmp_path: Path
) -> None:
    cohort = write_cohort(12)
    images, _ = head(np.random.default_rng(0))
    del images["t2"]
    shown = split(TASK, ROSTER).validation_target[0]
    bare = write_case(tmp_path / "bare" / shown, images, None)
    cases = tuple(bare if case.subject == shown else case for case in cohort.cases)
    arrays = prepare(dataclasses.replace(cohort, cases=cases), "f", task=TASK, folder=tmp_path / "arrays")
    view = TaskView(arrays, TASK, CrossModalityTask.parts)
    with pytest.raises(BadInput, match=f"case {shown} has no t2 image"):
        view.image("target", "validation", shown)
    with pytest.raises(BadInput, match=f"case {shown} has no mask"):
        view.mask("target", "validation", shown)
    with pytest.raises(BadInput, match=f"case {shown} has neither a weak label nor a mask"):
        view.presence("target", "validation", shown)


def test_unknown_parts_are_refused(prepared: Prepared) -> None:
    with pytest.raises(BadInput, match=r"no part 'target\.train\.labels'"):
        TaskView(prepared["joint"], TASK, frozenset({"target.train.labels"}))
    with pytest.raises(BadInput, match="no part 'images'"):
        part_fingerprint(TASK, "f", ROSTER, "images")


def test_view_travels_between_processes(prepared: Prepared) -> None:
    view = TaskView(prepared["per-contrast"], TASK, frozenset({"source.train.images"}))
    subject = view.subjects("source", "train")[0]
    view.image("source", "train", subject)
    sent = pickle.dumps(view)
    assert len(sent) < 5000
    np.testing.assert_array_equal(
        pickle.loads(sent).image("source", "train", subject),  # noqa: S301
        view.image("source", "train", subject),
    )


@pytest.mark.parametrize(
    ("parts", "owners"),
    [
        ({"source.train.images", "source.train.masks", "target.train.images"}, {"train": "both"}),
        ({"target.train.masks", "target.validation.masks"}, {"train": "target", "validation": "target"}),
        ({"source.validation.images", "source.validation.masks"}, {"validation": "source"}),
        ({"source.validation.masks", "source.validation.presence"}, {"validation": "pseudo-target"}),
        ({"target.test.images", "target.test.masks", "source.test.images"}, {"test": "target"}),
        (set(), {}),
    ],
)
def test_the_domain_of_a_split_follows_from_what_is_read(parts, owners):
    assert domains(parts) == owners
