"""A made-up staged search: two groups that are frozen, and a refinement that tested three configurations."""

from dataclasses import replace

from medsearch.reporting.results import (
    Finalist,
    GroupResults,
    ReferenceResults,
    RefinementResults,
    Replicate,
    SearchResults,
    StagedDesign,
    StagedResults,
    Trial,
)

from medsearch.study.record.headers import Axis, Frozen
from tests.reporting import made_up_search

CYC, SEG, WIDTH = "translation.weights.cyc", "segmentation.weights.seg", "segmentation.width"
POINT = {CYC: 8.0, SEG: 90.0, WIDTH: 1.5}
CASES = tuple(f"case-{number:02d}" for number in range(8))
SPACE = {CYC: Axis(low=1.0, high=100.0, log=True), SEG: Axis(low=10.0, high=1000.0, log=True)}


def replicate(seed: int, dice: float, *, value: float, spread: float = 0.0) -> Replicate:
    """A tested run; every other case lies `spread` above or below."""
    cases = tuple(
        {"subject": name, "dice": dice + (spread if place % 2 else -spread), "assd": 3.0}
        for place, name in enumerate(CASES)
    )
    return Replicate(seed=seed, value=value, metrics={"test/dice": dice, "test/assd": 3.0}, cases=cases)


def search(name: str, **changes) -> SearchResults:
    """One of its searches; two trials, of which the second is the better."""
    design = made_up_search.design(
        study=name, trials=2, finalists=1, seeds=(0, 1), published={}, nuisance=(), fixed={}, weights=()
    )
    trials = (
        Trial(number=0, knobs=POINT, state="complete", value=0.70),
        Trial(number=1, knobs={**POINT, SEG: 120.0}, state="complete", value=0.72),
    )
    return replace(SearchResults(design=design, provenance=made_up_search.provenance(), trials=trials), **changes)


def refined(gain: float, *, spread: float = 0.0, chosen: int = 1, **changes) -> SearchResults:
    """The refinement's search: its best tests `gain` above the frozen point, give or take `spread` by case."""
    best = tuple(replicate(seed, 0.6 + gain + 0.01 * seed, value=0.72, spread=spread) for seed in (0, 1))
    frozen = tuple(replicate(seed, 0.6 + 0.01 * seed, value=0.70) for seed in (0, 1))
    rows = {
        "finalists": (Finalist(number=chosen, knobs=POINT, replicates=best),),
        "references": (
            ReferenceResults(label="Plain", replicates=best),
            ReferenceResults(label="Frozen", replicates=frozen),
        ),
    }
    return search("staged.refinement", **{**rows, **changes})


def finished(of: SearchResults | None = None, **changes) -> StagedResults:
    """The whole study; `of` is its refinement's search."""
    first = GroupResults(
        name="translation",
        study="staged.1-translation",
        metric="validation/loss",
        minimised=True,
        scored_stage="translation",
        space={CYC: SPACE[CYC]},
        fixed={"translation.epochs": 3},
        trials=2,
        rule="the best with validation/diversity ≥ 0.1",
        frozen=Frozen(knobs={CYC: 8.0}, number=1, value=0.31, seeds=1, why="the best of 2 trials"),
        search=search("staged.1-translation"),
    )
    second = GroupResults(
        name="segmentation",
        study="staged.2-segmentation",
        metric="validation/dice",
        space={SEG: SPACE[SEG], WIDTH: Axis(domain="choice", options=(1.0, 1.5))},
        trials=2,
        rule="the best",
        frozen=Frozen(
            knobs={SEG: 90.0, WIDTH: 1.5}, number=0, value=0.7, seeds=2, why="the best of finalists over seeds"
        ),
        search=search("staged.2-segmentation"),
    )
    last = RefinementResults(
        study="staged.refinement",
        metric="validation/dice",
        trials=2,
        factor=2.0,
        knobs=(CYC, SEG, WIDTH),
        search=of or refined(0.05, spread=0.02),
    )
    design = StagedDesign(
        study="staged",
        question="Does it pay to tune <the translation> first?",
        method="MoDATTS",
        task="T1 → T2",
        selection="pseudo-target",
        seeds=(0, 1),
        weights=(CYC, SEG),
        fixed={"task.target_labels": 0.0},
        published={CYC: 10.0, SEG: 100.0},
        published_in="section 5.5.1",
    )
    made = StagedResults(design=design, provenance=made_up_search.provenance(), groups=(first, second), refinement=last)
    return replace(made, **changes)


def half_done() -> StagedResults:
    """Its second group is being searched."""
    whole = finished()
    running = search("staged.2-segmentation", trials=(Trial(number=0, knobs={SEG: 100.0}, state="running"),))
    second = replace(whole.groups[1], frozen=None, search=running)
    return replace(whole, groups=(whole.groups[0], second), refinement=replace(whole.refinement, search=None))


def begun() -> StagedResults:
    """Nothing of it has run."""
    whole = finished()
    groups = tuple(replace(group, frozen=None, search=None) for group in whole.groups)
    return replace(whole, groups=groups, refinement=replace(whole.refinement, search=None))
