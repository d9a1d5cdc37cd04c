import dataclasses
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.layouts import layout
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import knobs, override
from medsearch.stages.pipelines import Node, Pipeline, Setting, StageRun
from tests.stages.toy import Counter, Counting, Inner

SUBJECTS = tuple(f"case-{number}" for number in range(12))
SETTING = Setting(CrossModalityTask(geometry=layout("brats2020").geometries["tiny"]), "cohort", Roster(SUBJECTS))

recipes = st.builds(
    Counting,
    epochs=st.integers(1, 3),
    diverges_at=st.integers(0, 1),
    inner=st.builds(Inner, a=st.sampled_from([0.5, 1.0, 1e-9])),
)
runs = st.builds(
    StageRun,
    node=st.sampled_from(["one", "two"]),
    stage=st.builds(Counter, recipe=recipes),
    seed=st.integers(0, 2),
    task=st.sampled_from([SETTING.task, dataclasses.replace(SETTING.task, source_labels=0.5)]),
    parts=st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])),
    upstream=st.dictionaries(st.sampled_from(["teacher", "data"]), st.sampled_from(["k", "l"])),
)


@given(one=runs, other=runs)
def test_a_key_changes_exactly_when_an_input_does(one: StageRun, other: StageRun) -> None:
    """Knobs, seed, parts and upstream keys are inputs; the node's name is not, nor the task apart from those parts."""
    same = (one.stage, one.seed, one.parts, one.upstream) == (other.stage, other.seed, other.parts, other.upstream)
    assert (one.key == other.key) == same


@given(run=runs)
def test_every_knob_is_part_of_the_key(run: StageRun) -> None:
    for path, value in knobs(run.stage.recipe).items():
        changed = override(run.stage.recipe, {path: value + 1})
        assert dataclasses.replace(run, stage=Counter(recipe=changed)).key != run.key, path


def test_name_and_version_are_part_of_the_key() -> None:
    class Newer(Counter):
        version: ClassVar[int] = 2

    class Renamed(Counter):
        name: ClassVar[str] = "other"

    keys = {StageRun("n", stage(), 0, CrossModalityTask(), {}, {}).key for stage in (Counter, Newer, Renamed)}
    assert len(keys) == 3


def chain(*reads: str) -> Pipeline:
    return Pipeline(
        (
            Node("first", Counter(parts=reads or ("source.train.images",))),
            Node("second", Counter(parts=("target.train.masks",)), {"data": "first"}),
            Node("third", Counter(parts=("source.train.images",)), {"teacher": "second", "data": "first"}),
        )
    )


def keys(pipeline: Pipeline, setting: Setting = SETTING, seed: int = 0) -> dict[str, str]:
    return {run.node: run.key for run in pipeline.runs(setting, seed)}


def changed(setting: Setting) -> set[str]:
    before, after = keys(chain()), keys(chain(), setting)
    return {node for node in before if before[node] != after[node]}


def of_task(**settings: object) -> Setting:
    return dataclasses.replace(SETTING, task=dataclasses.replace(SETTING.task, **settings))


def test_a_stage_depends_on_its_own_parts_and_on_what_is_upstream() -> None:
    assert changed(of_task(target_labels=0.5)) == {"second", "third"}
    assert changed(of_task(source="flair")) == {"first", "second", "third"}
    assert changed(of_task(source_labels=0.5)) == set()
    assert changed(dataclasses.replace(SETTING, cohort="other")) == {"first", "second", "third"}
    assert changed(dataclasses.replace(SETTING, roster=Roster(SUBJECTS[::-1]))) == set()


def test_seeds_have_keys_of_their_own_and_runs_carry_what_is_upstream() -> None:
    first, second, third = chain().runs(SETTING, 3)
    assert not set(keys(chain()).values()) & {first.key, second.key, third.key}
    assert third.upstream == {"teacher": second.key, "data": first.key}
    assert set(third.parts) == {"source.train.images"}
    assert keys(chain()) == keys(chain())
