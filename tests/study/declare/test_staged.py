"""What a staged search declares: its searches, its refusals, its freeze rules, its narrowed domains."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.core.recipes import knobs
from medsearch.methods.modatts import MODATTS
from medsearch.study import ASHA, Best, Group, Reaching, Refinement, choice, integers, loguniform, uniform
from medsearch.study.declare.spaces import Choice, Domain
from medsearch.study.declare.staged import narrowed, refinement_of, search_of
from medsearch.study.engine.jobs import SearchJobs
from medsearch.study.engine.search_status import SearchStatus, freeze, search_status
from medsearch.study.engine.staged_status import describe, frozen_by_now
from medsearch.study.plan import plan_search, plan_staged
from medsearch.study.record.headers import FROZEN, Frozen, StagedHeader
from medsearch.study.record.ledger import Ledger, RunRecord
from medsearch.study.record.referenced_stages import referenced_stages
from tests.study import toy
from tests.study.headers import written
from tests.study.ray.drive import FULL
from tests.study.staging import FIRST, SECOND, WIDE, A, B, carry_out_search, carry_out_staged, staged

POINT = {A: 20.0, B: 0.5, WIDE: True}


def test_what_a_group_froze_reaches_the_later_ones_and_its_own_knobs_do_not() -> None:
    of = staged(fixed={B: 0.75, "polish.epochs": 2})
    first, second = (search_of(of, index, POINT) for index in range(2))
    assert first.resolved.fixed == {B: 0.75, "polish.epochs": 2, "segmentation.epochs": 2}
    assert search_of(staged(), 0, POINT).resolved.fixed[B] == 0.0, "the recipe's own, which its weights are shown with"
    assert second.resolved.fixed == {A: 20.0, "polish.epochs": 2}
    assert (first.name, second.name) == ("toy_staged.1-first", "toy_staged.2-second")
    assert (first.scored_stage, second.scored_stage) == ("segmentation", "")
    assert knobs(second.setup({}).recipe)[A] == 20.0
    assert knobs(second.setup({}).recipe)["segmentation.epochs"] == 4


def test_the_paper_s_values_are_each_group_s_first_trial_and_stand_beside_what_it_knows() -> None:
    first, second = (search_of(staged(), index, POINT) for index in range(2))
    assert first.resolved.published == {A: 1.0, B: 0.25}
    assert second.resolved.published == {A: 1.0, B: 0.25}
    assert not first.resolved.start
    assert first.weights == second.weights == (A, B)


def test_only_the_weights_of_one_loss_have_ratios() -> None:
    def weights(space: dict[str, Domain], *own: str) -> tuple[str, ...]:
        groups = (
            replace(FIRST, space=space, searched_stage="translation", fixed={}),
            replace(SECOND, space={WIDE: choice([True])}),
        )
        of = staged(groups=groups, weights=own, published={}, references=(), refinement=None)
        return search_of(of, 0, {}).weights

    assert weights({A: uniform(1, 2)}, A, B) == (A, B)
    assert weights({"translation.epochs": integers(1, 2)}, A, B) == ()
    assert weights({A: uniform(1, 2)}, A, B, "translation.seconds") == (A, B)
    assert weights({A: uniform(1, 2), "translation.seconds": uniform(0, 1)}, A, B, "translation.seconds") == ()


def test_the_refinement_moves_all_knobs_near_the_frozen_point_and_begins_with_it() -> None:
    search = refinement_of(staged(), POINT)
    assert search.resolved.start == POINT
    assert search.resolved.space == {A: loguniform(10.0, 40.0), B: uniform(0.25, 0.75), WIDE: choice([False, True])}
    assert search.resolved.published == {B: 0.25}, "the paper's a = 1 lies outside of what is searched here"
    assert search.objectives == SECOND.objective
    assert "segmentation.epochs" not in search.fixed
    assert {row.label: row.knobs for row in search.references} == {"Plain": {A: 0.2}, FROZEN: POINT}
    some = refinement_of(staged(refinement=Refinement(trials=2, knobs=(B,), factor=4.0)), POINT)
    assert some.resolved.space == {B: uniform(0.375, 0.625)}
    assert some.resolved.fixed == {A: 20.0, WIDE: True}
    assert search_of(staged(), 1, POINT).references == ()


def test_without_a_refinement_the_references_stand_beside_the_last_group() -> None:
    of = staged(refinement=None)
    assert [row.label for row in search_of(of, 1, POINT).references] == ["Plain"]
    assert search_of(of, 0, POINT).references == ()
    assert of.studies == ("toy_staged.1-first", "toy_staged.2-second")


def test_a_refinement_from_an_earlier_stage_on_stops_no_trial_by_that_stage_s_curves() -> None:
    rule = ASHA(grace=2, reduction=2, because="they do not cross")
    second = replace(SECOND, scheduler=rule)
    translating = replace(FIRST, space={"translation.epochs": integers(1, 3)}, searched_stage="translation")
    assert refinement_of(staged(groups=(FIRST, second)), POINT).scheduler == rule
    of = staged(groups=(translating, second), published={}, weights=(), references=())
    search = refinement_of(of, {"translation.epochs": 2, B: 0.5, WIDE: True})
    assert search.searched_stage == "translation"
    assert search.scheduler.name == "none"


def test_a_stage_that_the_last_group_switches_off_may_be_the_refinement_s() -> None:
    epochs, seg = "self_training.epochs", "segmentation.weights.seg"
    student = Group(
        name="student", space={epochs: integers(1, 3)}, trials=2, scheduler=FULL, searched_stage="self_training_1"
    )
    last = Group(
        name="last", space={seg: loguniform(1, 10)}, trials=2, scheduler=FULL, fixed={"self_training.rounds": 0}
    )
    of = staged(
        method=MODATTS.configured(variant="semi-supervised").at("tiny"),
        groups=(student, last),
        published={},
        weights=(),
        references=(),
        refinement=Refinement(trials=2, knobs=(epochs,)),
    )
    assert refinement_of(of, {epochs: 2, seg: 5.0}).searched_stage == "self_training_1"
    both = replace(of, refinement=Refinement(trials=2))
    assert refinement_of(both, {epochs: 2, seg: 5.0}).searched_stage == "segmentation"


def test_a_scale_settles_every_number() -> None:
    large = replace(staged(), groups=(replace(FIRST, finalists={"tiny": 0, "paper": 2}), SECOND)).at("paper")
    assert (large.groups[0].trials, large.groups[0].finalists, large.scale) == (30, 2, "paper")
    with pytest.raises(BadInput, match=r"'first.trials' is given for tiny, paper, not for scale 'small'; add it"):
        replace(staged(), groups=(FIRST, SECOND)).at("small")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"groups": ()}, "has no groups; name at least one"),
        ({"groups": (FIRST, FIRST)}, f"knob '{A}' of group 'first' is frozen by group 'first'; leave it to one"),
        ({"groups": (replace(FIRST, name="second"), SECOND)}, "groups 'second' come twice"),
        ({"groups": (FIRST, replace(SECOND, fixed={A: 2.0}))}, "of group 'second' is frozen by group 'first'"),
        ({"groups": (FIRST, replace(SECOND, objective={}))}, "has 0 objectives; it is frozen by one metric"),
        ({"groups": (replace(FIRST, name="a b"), SECOND)}, "'a b' names a folder"),
        (
            {"groups": (FIRST, replace(SECOND, scored_stage="segmentation"))},
            "leave its scored_stage out, or say refine",
        ),
        ({"groups": (FIRST, replace(SECOND, scored_stage="nothing"))}, "scored_stage='nothing'; the method's stages"),
        ({"groups": (replace(FIRST, searched_stage="polish"), SECOND)}, "comes after scored_stage='segmentation'"),
        ({"groups": (FIRST, replace(SECOND, space={"segmentation.weights.c": uniform(0, 1)}))}, "did you mean"),
        ({"published": {A: 2000.0}}, "lies outside"),
        ({"published": {"polish.epochs": 2}}, "neither searched nor fixed"),
        ({"refinement": Refinement(trials=2, finalists=0)}, "no finalists, so nothing is tested over seeds"),
        ({"refinement": Refinement(trials=2, knobs=("polish.epochs",))}, "which no group searches; the groups search"),
        ({"weights": ("segmentation.weight.a",)}, "no knob of toy; did you mean 'segmentation.weights.a'"),
        ({"name": "no name"}, "names a folder"),
        ({"seeds": ()}, "seeds takes one or more integers"),
    ],
)
def test_what_cannot_be_is_refused_when_the_file_is_loaded(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told) as refusal:
        staged(**changes)
    assert "\n" not in str(refusal.value)


def test_rules_and_factors_that_cannot_be_are_refused() -> None:
    for bounds in ({}, {"at_least": 1.0, "at_most": 2.0}, {"at_least": float("nan")}):
        with pytest.raises(BadInput, match="needs one bound"):
            Reaching(metric="validation/diversity", **bounds)
    for factor in (1.0, 0.5, float("inf"), float("nan")):
        with pytest.raises(BadInput, match="must be more than 1"):
            Refinement(trials=1, factor=factor)


@st.composite
def domains(draw: st.DrawFn) -> tuple[Domain, Any]:
    """A domain and a value that it holds."""
    kind = draw(st.sampled_from(["uniform", "loguniform", "integers", "log integers", "choice"]))
    if kind == "choice":
        options = draw(st.lists(st.integers(0, 9), min_size=1, unique=True))
        return choice(options), draw(st.sampled_from(options))
    if "integers" in kind:
        low, high = sorted(draw(st.lists(st.integers(1, 10_000), min_size=2, max_size=2, unique=True)))
        return integers(low, high, log=kind == "log integers"), draw(st.integers(low, high))
    low, high = sorted(draw(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=2)))
    assume(high > low * (1 + 1e-6))
    of = uniform(low, high) if kind == "uniform" else loguniform(low, high)
    return of, draw(st.floats(low, high))


@given(domains(), st.floats(1.01, 100))
def test_a_narrowed_domain_lies_in_the_old_one_and_holds_the_value(of: tuple[Domain, Any], factor: float) -> None:
    domain, value = of
    found = narrowed(domain, value, factor)
    assert type(found) is type(domain)
    assert found.holds(value)
    assert all(domain.holds(edge) for edge in found.edges())
    if isinstance(found, Choice) or isinstance(domain, Choice):
        assert found == domain
        return
    assert found.log == domain.log
    assert domain.low <= found.low < found.high <= domain.high
    wider = narrowed(domain, value, factor * 2)
    inner, outer = (wider, found) if not domain.log else (found, wider)
    assert outer.low <= inner.low
    assert inner.high <= outer.high


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("staged")
    assert [search.name for search in carry_out_staged(staged(), home)] == list(staged().studies)
    return home


def test_each_group_freezes_what_ranks_first(ended: Path) -> None:
    frozen, refusal = frozen_by_now(staged(), toy.study_environment(ended))
    assert not refusal
    first, second = frozen
    runs = Ledger(toy.study_environment(ended).study("toy_staged.1-first")).runs()
    values = {run.number: run.value for run in runs.values() if run.role == "trial"}
    assert first.number == max(values, key=lambda number: values[number] or 0.0)
    assert (first.value, first.seeds) == (values[first.number], 1)
    assert second.seeds == 2
    assert "finalists over seeds" in second.why


def test_a_group_that_is_scored_early_trains_nothing_behind_that(ended: Path) -> None:
    runs = Ledger(toy.study_environment(ended).study("toy_staged.1-first")).runs().values()
    trials = [run for run in runs if run.role == "trial"]
    assert len(trials) == 3
    assert all([node for node, _ in run.stages] == ["translation", "segmentation"] for run in trials)
    assert {run.role for run in runs} == {"prefix", "trial"}


def test_finalists_of_such_a_group_end_there_too(tmp_path: Path) -> None:
    of = staged(groups=(replace(FIRST, finalists=1), SECOND))
    (search,) = carry_out_staged(of, tmp_path, searches=1)
    runs = Ledger(toy.study_environment(tmp_path).study(search.name)).runs().values()
    repeated = [run for run in runs if run.role == "replicate"]
    assert [run.seed for run in repeated] == [0, 1]
    assert all("test" not in dict(run.stages) and run.value is not None for run in repeated)
    assert plan_search(search, toy.study_environment(tmp_path)).left == 0
    (frozen,), _ = frozen_by_now(of, toy.study_environment(tmp_path))
    assert frozen.seeds == 2


def test_a_prune_keeps_what_the_groups_froze(ended: Path) -> None:
    found, environment = referenced_stages(ended), toy.study_environment(ended)
    assert found.keys == set(environment.store.summaries())
    for name, frozen in zip(staged().studies, frozen_by_now(staged(), environment)[0], strict=False):
        run = Ledger(environment.study(name)).runs()[f"trial-{frozen.number:04d}"]
        assert not found.spare & {key for _, key in run.stages}


def test_the_refinement_s_first_trial_is_the_frozen_point_and_trains_nothing_twice(ended: Path) -> None:
    runs = Ledger(toy.study_environment(ended).study("toy_staged.refinement")).runs()
    frozen, _ = frozen_by_now(staged(), toy.study_environment(ended))
    point = {**frozen[0].knobs, **frozen[1].knobs}
    assert runs["trial-0000"].knobs == point
    assert runs["reference-frozen-seed-0"].stages[:-1] == runs["trial-0000"].stages
    keys = [line["key"] for line in toy.executions(ended)]
    assert len(keys) == len(set(keys))


def test_the_plan_knows_what_is_frozen_and_counts_what_is_left(ended: Path, tmp_path: Path) -> None:
    done = plan_staged(staged(), toy.study_environment(ended), slots=1)
    assert [one.ended for one in done] == [3, 3, 3]
    assert all(one.plan is not None and one.plan.left == 0 for one in done)
    assert [one.frozen is not None for one in done] == [True, True, False]
    new = plan_staged(staged(), toy.study_environment(tmp_path), slots=1)
    assert [one.waits for one in new] == ["", "after group 1 is frozen", "after group 2 is frozen"]
    assert new[0].plan is not None
    assert new[0].plan.left == plan_search(search_of(staged(), 0, {}), toy.study_environment(tmp_path)).left == 4
    for _ in carry_out_staged(staged(), tmp_path, searches=1):
        pass
    begun = plan_staged(staged(), toy.study_environment(tmp_path), slots=1)
    assert [one.waits for one in begun] == ["", "", "after group 2 is frozen"]
    assert begun[1].search.resolved.fixed[A] == frozen_by_now(staged(), toy.study_environment(tmp_path))[0][0].knobs[A]
    grown = plan_staged(staged(groups=(replace(FIRST, trials=4), SECOND)), toy.study_environment(ended), slots=1)
    assert [one.waits for one in grown] == ["", "after group 1 is frozen", "after group 2 is frozen"]
    assert [one.ended for one in grown] == [3, 3, 3]


def test_a_group_that_stands_on_another_winner_is_frozen_no_more(ended: Path) -> None:
    other = staged(groups=(replace(FIRST, freeze=Reaching(metric="validation/dice", at_most=0.7)), SECOND))
    assert len(frozen_by_now(other, toy.study_environment(ended))[0]) == 1
    plans = plan_staged(other, toy.study_environment(ended), slots=1)
    assert [bool(one.refused) for one in plans] == [False, True, False]
    assert plans[1].refused.startswith(f"refused: its folder stands on other frozen values: {A} = ")
    assert plans[2].waits == "after group 2 is frozen"


def test_a_header_of_another_cohort_scale_or_kind_is_refused(ended: Path, tmp_path: Path) -> None:
    other = replace(toy.study_environment(ended), cohort="others")
    with pytest.raises(BadInput, match="was begun with another cohort; choose another --home or study name"):
        describe(staged(), other)
    larger = replace(staged(), groups=(FIRST, SECOND)).at("paper")
    with pytest.raises(BadInput, match="was begun with another scale; choose another --home or study name"):
        describe(larger, toy.study_environment(ended))
    search = search_of(staged(), 0, {})
    carry_out_search(replace(search, name="toy_staged"), toy.study_environment(tmp_path))
    with pytest.raises(BadInput, match="was begun with another kind of study"):
        describe(staged(), toy.study_environment(tmp_path))


def test_a_header_names_the_searches_of_a_staged_one_only(ended: Path) -> None:
    environment = toy.study_environment(ended)
    assert written(Ledger(environment.study("toy_staged")), StagedHeader).studies == staged().studies
    assert Ledger(environment.study("toy_staged.1-first")).header(StagedHeader) is None


def record(number: int, value: float, *, seed: int | None = None, state: str = "complete") -> RunRecord:
    role = "trial" if seed is None else "replicate"
    return RunRecord(
        run=f"{role}-{number}-{seed}", role=role, number=number, label="", seed=seed or 0, knobs={B: number / 10},
        stages=(("polish", f"{role}-{number}-{seed}"),), state=state, value=value if state == "complete" else None,
        rung=None, reason=None, cause=None, started=0.0, ended=1.0,
    )  # fmt: skip


class Stored:
    """Stands for the store: metrics by key."""

    def __init__(self, metrics: Mapping[str, float]) -> None:
        self.known = metrics

    def artifact(self, key: str) -> Any:
        return type("Artifact", (), {"metrics": {"other": self.known.get(key, 0.0)}})


def frozen_of(runs: list[RunRecord], rule: Any, others: Mapping[str, float] | None = None, **changes: Any) -> int:
    return point_of(runs, rule, others, **changes).number


def point_of(runs: list[RunRecord], rule: Any, others: Mapping[str, float] | None = None, **changes: Any) -> Frozen:
    group = replace(SECOND, space={B: uniform(0, 1)}, finalists=2, **changes)
    search = search_of(staged(groups=(FIRST, group)), 1, POINT)
    repeated = tuple(dict.fromkeys(run.number for run in runs if run.role == "replicate"))
    at = SearchStatus(trials=3, finalists=repeated, ended=True, runs={run.run: run for run in runs})  # type: ignore[arg-type]
    return freeze(search, rule, at, Stored(others or {}))  # type: ignore[arg-type]


TRIALS = [record(0, 0.5), record(1, 0.9), record(2, 0.7)]


def test_the_best_is_ranked_as_a_search_ranks() -> None:
    assert frozen_of(TRIALS, Best()) == 1
    assert frozen_of(TRIALS, Best(), objective={"validation/dice": "minimize"}) == 0
    over = [record(1, 0.9, seed=0), record(1, 0.2, seed=1), record(2, 0.7, seed=0), record(2, 0.7, seed=1)]
    assert frozen_of([*TRIALS, *over], Best()) == 2, "the mean over seeds counts"
    failed = [
        record(1, 0.9, seed=0),
        record(1, 0.9, seed=1),
        record(2, 0.95, seed=0),
        record(2, 0, seed=1, state="failed"),
    ]
    assert frozen_of([*TRIALS, *failed], Best()) == 1, "a seed that failed counts against it"
    assert frozen_of([*TRIALS, record(3, 0.99, state="cut"), record(4, 1.0, state="failed")], Best()) == 1


def test_a_freeze_knows_on_how_many_seeds_it_rests() -> None:
    alone = point_of(TRIALS, Best())
    assert (alone.value, alone.seeds, alone.failed) == (0.9, 1, 0)
    half = point_of([*TRIALS, record(1, 0.8, seed=0), record(1, 0, seed=1, state="failed")], Best())
    assert (half.value, half.seeds, half.failed) == (0.8, 1, 1)
    none = point_of([*TRIALS, *(record(1, 0, seed=seed, state="failed") for seed in (0, 1))], Best())
    assert (none.value, none.seeds, none.failed) == (0.9, 0, 2), "it stands on its trial alone"


def test_a_bound_on_another_metric_leaves_some_out() -> None:
    other = {"trial-0-None": 0.3, "trial-1-None": 0.05, "trial-2-None": 0.2}
    assert frozen_of(TRIALS, Reaching(metric="other", at_least=0.1), other) == 2
    assert frozen_of(TRIALS, Reaching(metric="other", at_most=0.1), other) == 1
    assert frozen_of(TRIALS, Reaching(metric="other", at_least=0.25), other) == 0
    with pytest.raises(StudyFailed, match=r"none of 3 trials has other ≥ 0.5; the nearest, trial 0, has 0.3: .* lower"):
        frozen_of(TRIALS, Reaching(metric="other", at_least=0.5), other)
    with pytest.raises(StudyFailed, match=r"the nearest, trial 1, has 0.05: .* raise the bound"):
        frozen_of(TRIALS, Reaching(metric="other", at_most=0.01), other)
    with pytest.raises(StudyFailed, match="asks for 'diversity'; the scored stage reports other: name one of them"):
        frozen_of(TRIALS, Reaching(metric="diversity", at_least=0.5), other)
    with pytest.raises(StudyFailed, match="a finite number in none of 3 trials"):
        frozen_of(TRIALS, Reaching(metric="other", at_least=0.5), dict.fromkeys(other, float("nan")))


def test_a_rule_that_refuses_is_in_the_header_and_trains_nothing_more(tmp_path: Path) -> None:
    strict = staged(groups=(replace(FIRST, freeze=Reaching(metric="validation/dice", at_least=2.0)), SECOND))
    with pytest.raises(StudyFailed, match=r"'toy_staged.1-first' cannot freeze the best with validation/dice ≥ 2"):
        list(carry_out_staged(strict, tmp_path))
    describe(strict, toy.study_environment(tmp_path))
    header = written(Ledger(toy.study_environment(tmp_path).study("toy_staged")), StagedHeader)
    assert "the nearest, trial" in header.refused
    (row, *others) = plan_staged(strict, toy.study_environment(tmp_path), slots=1)
    assert row.refused.startswith("cannot freeze the best with validation/dice ≥ 2: none of 3 trials has")
    assert [one.waits for one in others] == [f"after group {number} is frozen" for number in (1, 2)]
    assert not toy.study_environment(tmp_path).study("toy_staged.2-second").exists()


def test_how_far_a_search_is_needs_its_ledger_only(tmp_path: Path) -> None:
    environment = toy.study_environment(tmp_path)
    search = search_of(staged(), 0, {})
    at = search_status(SearchJobs(search, environment))
    assert (at.trials, at.ended, at.finalists) == (0, False, ())
    carry_out_search(search, environment)
    at = search_status(SearchJobs(search, environment))
    assert (at.trials, at.ended) == (3, True)
    assert not search_status(SearchJobs(replace(search, trials=4), environment)).ended
    assert not search_status(SearchJobs(replace(search, finalists=1), environment)).ended
