"""A staged search of the toy, and how it is run in this process, without Ray."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override
from medsearch.study import TPE, Group, Refinement, StagedSearch, Variant, choice, loguniform, uniform
from medsearch.study.declare.search import Search
from medsearch.study.engine.identity import note, open_study
from medsearch.study.engine.jobs import SearchJobs, StudyEnvironment
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.staged_status import describe, staged_status
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.ray.drive import FULL, SearchDriver, carry_out

A, B, WIDE = "segmentation.weights.a", "segmentation.weights.b", "polish.wide"
FIRST = Group(
    name="first",
    space={A: loguniform(0.1, 1000)},
    trials={"tiny": 3, "paper": 30},
    fixed={"segmentation.epochs": 2},
    sampler=TPE(startup=2),
    scheduler=FULL,
    scored_stage="segmentation",
)
SECOND = Group(
    name="second",
    space={B: uniform(0, 1), WIDE: choice([False, True])},
    trials=3,
    finalists=2,
    sampler=TPE(startup=2),
    scheduler=FULL,
)


def staged(**changes: Any) -> StagedSearch:
    """Two groups and a refinement; `toy` in `changes` sets knobs of the method itself."""
    declared: dict[str, Any] = {
        "name": "toy_staged",
        "question": "Which weights make the toy best?",
        "method": toy.TOY.configured(base=override(toy.ToyRecipe(), changes.pop("toy", {}))),
        "task": CrossModalityTask(),
        "groups": (FIRST, SECOND),
        "selection": "oracle",
        "seeds": (0, 1),
        "published": {A: 1.0, B: 0.25},
        "published_in": "a paper",
        "weights": (A, B),
        "references": (Variant("Plain", {A: 0.2}),),
        "refinement": Refinement(trials=3),
    }
    return StagedSearch(**{**declared, **changes}).at("tiny")


def carry_out_staged(of: StagedSearch, home: Path, *, searches: int = 9) -> Iterator[Search]:
    """Run its searches one after another, `searches` of them at most; each as it has ended."""
    environment = toy.study_environment(home)
    for part in islice(staged_status(of, environment, lambda search: carry_out_search(search, environment)), searches):
        describe(of, environment)
        if part.refusal:
            raise part.refusal
        yield part.search


def carry_out_search(search: Search, environment: StudyEnvironment) -> None:
    """As `run_search`, in this process."""
    jobs, ledger = SearchJobs(search, environment), Ledger(environment.study(search.name))
    open_study(jobs, ledger)
    driver = SearchDriver(jobs, ledger=ledger, proposals=lambda: Proposals(search, sqlite(ledger.folder)))
    carry_out(driver)
    note(ledger, chosen=driver.finalists)
