"""What a stage sees: declared parts alone, normalised; and fingerprints that change exactly when a part does."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.prepared import PreparedStacks
from medsearch.cohorts.tasks import SynthesisTask, split
from medsearch.cohorts.views import SynthesisView, part_fingerprint
from medsearch.core.errors import BadInput, UndeclaredRead
from medsearch.core.recipes import override
from tests.micro_bodies import TASK, prepared_bodies

ROSTER = Roster(
    (*(f"ct-{n}" for n in range(9)), *(f"ce-{n}" for n in range(8)), *(f"pair-{n}" for n in range(6))),
    {f"pair-{n}": "test" for n in range(6)},
    contrasts={
        **{f"ct-{n}": ("CT",) for n in range(9)},
        **{f"ce-{n}": ("ceCT",) for n in range(8)},
        **{f"pair-{n}": ("CT", "ceCT") for n in range(6)},
    },
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedStacks:
    return prepared_bodies(tmp_path_factory.mktemp("bodies"))


def view(prepared: PreparedStacks, *parts: str, **task: object) -> SynthesisView:
    return SynthesisView(prepared, replace(TASK, **task), frozenset(parts or SynthesisTask.parts))


def test_images_are_the_abdomen_in_the_window(prepared: PreparedStacks) -> None:
    of = view(prepared, geometry=replace(TASK.geometry, window=(-200.0, 300.0)))
    for side, contrast in (("source", "CT"), ("target", "ceCT")):
        subject = of.subjects(side, "train")[0]
        found = of.abdomen(side, "train", subject)
        first, last = prepared.measured(subject, contrast)["region"]
        hu = prepared.stack(subject, contrast)[first : last + 1]
        assert len(found) == last - first + 1
        assert found.images().dtype == np.float32
        np.testing.assert_allclose(found.images(), (np.clip(hu, -200, 300) + 200) / 250 - 1, atol=1e-6)
        np.testing.assert_array_equal(found.images([1, 0]), found.images()[[1, 0]])
        np.testing.assert_array_equal(found.bodies(), prepared.body(subject, contrast)[first : last + 1])
        assert found.spacing == (14.0, 16.0, 16.0)


def test_a_pair_is_given_and_wanted_in_the_tasks_direction(prepared: PreparedStacks) -> None:
    forward, backward = view(prepared), view(prepared, direction="backward")
    assert forward.pairs("test") == backward.pairs("test")
    for subject in forward.pairs("test"):
        (native, enhanced), (given, wanted) = forward.pair("test", subject), backward.pair("test", subject)
        assert len(native) == len(enhanced) > 3
        assert len(given) == len(wanted)
        assert enhanced.images().mean() > native.images().mean(), "the agent brightens"
        assert given.images().mean() > wanted.images().mean()


@pytest.mark.parametrize("part", sorted(SynthesisTask.parts))
def test_what_was_not_declared_cannot_be_read(prepared: PreparedStacks, part: str) -> None:
    of, everything = view(prepared, *(SynthesisTask.parts - {part})), view(prepared)
    side, name, _ = part.split(".")
    with pytest.raises(UndeclaredRead, match=rf"part '{part}' was not declared"):
        of.pairs(name) if side == "paired" else of.subjects(side, name)
    subject = (everything.pairs(name) if side == "paired" else everything.subjects(side, name))[0]
    with pytest.raises(UndeclaredRead):
        of.pair(name, subject) if side == "paired" else of.abdomen(side, name, subject)


def test_someone_from_another_part_is_refused(prepared: PreparedStacks) -> None:
    of = view(prepared)
    with pytest.raises(BadInput, match=r"is not in source.train.images; ask the view for those that are"):
        of.abdomen("source", "train", of.subjects("source", "validation")[0])


def test_a_part_that_does_not_exist_is_refused(prepared: PreparedStacks) -> None:
    for call in (lambda: view(prepared, "target.train.masks"), lambda: part_fingerprint(TASK, "f", ROSTER, "paired.x")):
        with pytest.raises(BadInput, match=r"^no part '.*' in a SynthesisTask; there are paired.test.images"):
            call()


def test_it_travels(prepared: PreparedStacks) -> None:
    of = view(prepared)
    subject = of.pairs("test")[0]
    there = pickle.loads(pickle.dumps(of))  # noqa: S301 - what it wrote itself
    np.testing.assert_array_equal(there.pair("test", subject)[0].images(), of.pair("test", subject)[0].images())


def test_everyone_is_served(prepared: PreparedStacks) -> None:
    view(prepared).require_served()
    with pytest.raises(BadInput, match="neither CT nor MR"):
        view(prepared, target="MR").require_served()


def test_a_part_that_nobody_is_in_is_refused(prepared: PreparedStacks) -> None:
    none_shown = view(prepared, "paired.validation.images", validation_pairs=0.0)
    with pytest.raises(BadInput, match=r"^no case is in paired.validation.images, which a stage reads; add pairs, or"):
        none_shown.require_served()


CHANGES = {
    "direction": {"direction": "backward"},
    "held_out": {"held_out": 0.5},
    "validation_pairs": {"validation_pairs": 0.5},
    "split_seed": {"split_seed": 3},
    "window": {"geometry.window": (-200.0, 300.0)},
    "slice_size": {"geometry.slice_size": 32},
    "body": {"body.above": -300.0},
}


@given(st.sampled_from(sorted(SynthesisTask.parts)), st.sampled_from(sorted(CHANGES)))
def test_a_part_has_another_fingerprint_exactly_when_it_holds_something_else(part: str, change: str) -> None:
    base = SynthesisTask(validation_pairs=0.3)
    other = override(base, CHANGES[change])
    side, name, _ = part.split(".")
    members = [getattr(split(task, ROSTER), f"{name}_{side}") for task in (base, other)]
    holds_else = (
        change in ("window", "slice_size", "body")
        or (change == "direction" and side == "paired")
        or members[0] != members[1]
    )
    differ = part_fingerprint(base, "f", ROSTER, part) != part_fingerprint(other, "f", ROSTER, part)
    assert differ == holds_else


def test_another_cohort_is_another_part() -> None:
    for part in SynthesisTask.parts:
        assert part_fingerprint(TASK, "f", ROSTER, part) != part_fingerprint(TASK, "g", ROSTER, part)
