import json

import pytest
from medsearch.reporting.collect import IMPORTANCES, collect_search

from medsearch.core.errors import BadInput
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.record.headers import About, Axis, Reference, Scheduler, Skipped
from medsearch.study.record.ledger import Ledger, PlannedRun
from tests.study.headers import search_header

SEG = "segmentation.weights.seg"
HEADER = search_header(
    name="search",
    question="Which?",
    method="MoDATTS",
    selection="pseudo-target",
    subjects=40,
    about=About(
        cohort="brats2020-phantom",
        phantom=True,
        skipped=(Skipped(subject="a", problem="b"),),
        git_commit="4be1d02",
        versions={"torch": "2.13"},
        machine="x86_64",
    ),
    space={SEG: Axis(low=1.0, high=100.0, log=True)},
    nuisance={"segmentation.width": Axis(domain="choice", options=(8, 16))},
    fixed={"task.source_labels": 1.0},
    published={SEG: 100.0},
    published_in="section 5.5.1",
    weights=(SEG,),
    sampler="tpe",
    scheduler=Scheduler(name="asha", because="hopeless ones", grace=2, reduction=2),
    trials=4,
    seeds=(0, 1),
    references=(Reference(label="Target supervised"),),
    chosen=(1,),
)
PREFIX, TEST = (("translation", "t0"),), "test"


@pytest.fixture
def home(tmp_path):
    """Two finished trials, one cut, one failed; the best one repeated, a reference that failed under one seed."""
    ledger, store = Ledger(tmp_path / "studies" / "search"), Store(tmp_path / "stages")
    ledger.write_header(HEADER)
    store.record("t0", Epoch(1, {}), seconds=100.0, time=0.0)
    run(ledger, PlannedRun(role="prefix", seed=0, stages=PREFIX), state="complete")
    for number, (value, state) in enumerate(((0.5, "complete"), (0.7, "complete"), (0.3, "cut"), (None, "failed"))):
        key = f"s{number}"
        for epoch in (1, 2):
            store.record(key, Epoch(epoch, {"validation/dice": 0.1 * epoch, "loss": 1.0}), seconds=5.0, time=0.0)
        planned = PlannedRun(role="trial", seed=0, number=number, knobs={SEG: 10.0}, stages=(*PREFIX, segmented(key)))
        cut = {"rung": 2} if state == "cut" else {}
        run(
            ledger,
            planned,
            state=state,
            values=() if value is None else (value,),
            reason="loss = nan" if state == "failed" else None,
            **cut,
        )
    for seed in (0, 1):
        finish_test(store, f"r{seed}", 0.6 + 0.1 * seed)
        stages = (*PREFIX, segmented("s1"), (TEST, f"r{seed}"))
        run(ledger, PlannedRun(role="replicate", seed=seed, number=1, stages=stages), state="complete", values=(0.7,))
    finish_test(store, "u0", 0.8)
    reference = PlannedRun(role="reference", seed=0, label="Target supervised", stages=((TEST, "u0"),))
    run(ledger, reference, state="complete")
    lost = PlannedRun(role="reference", seed=1, label="Target supervised", stages=((TEST, "u1"),))
    run(ledger, lost, state="failed", reason="out of memory")
    return ledger.folder, store


def segmented(key):
    return "segmentation", key


def run(ledger, planned, **end):
    ledger.finished(ledger.started(planned), **end)


def finish_test(store, key, dice):
    pictures = store.aside(key) / "pictures"
    pictures.mkdir()
    (pictures / "residuals.png").write_bytes(b"")
    (pictures / "translations.png").write_bytes(b"")
    cases = [{"subject": "a", "dice": dice}]
    metrics = {"test/dice": dice, "validation/dice": 0.9}
    store.commit(key, {"metrics": metrics, "notes": {"cases": cases}, "seconds": 3.0})


@pytest.fixture
def results(home):
    return collect_search(*home)


def test_the_question_is_the_headers(results):
    design = results.design
    assert (design.study, design.task, design.selection) == ("search", "t1 → t2", "pseudo-target")
    assert (design.trials, design.finalists, design.seeds) == (4, 1, (0, 1))
    assert (design.space[SEG].low, design.space[SEG].high, design.space[SEG].log) == (1.0, 100.0, True)
    assert design.space["segmentation.width"].options == (8, 16)
    assert design.nuisance == ("segmentation.width",)
    assert (design.scheduler.name, design.scheduler.grace) == ("asha", 2)
    assert (design.published[SEG].value, design.published[SEG].where) == (100.0, "section 5.5.1")
    assert design.shared_stages == ("translation",)


def test_provenance_is_the_headers(results):
    origin = results.provenance
    assert (origin.cohort, origin.phantom, origin.subjects) == ("brats2020-phantom", True, 40)
    assert [(case.subject, case.problem) for case in origin.skipped] == [("a", "b")]
    assert origin.versions == {"torch": "2.13"}


def test_trials_have_their_state_value_and_curve(results):
    assert [(t.number, t.state, t.value) for t in results.trials] == [
        (0, "complete", 0.5), (1, "complete", 0.7), (2, "cut", 0.3), (3, "failed", None),
    ]  # fmt: skip
    assert results.trials[0].curve == ((1, 0.1), (2, 0.2))
    assert results.trials[2].rung == 2
    assert results.trials[3].reason == "loss = nan"


def test_time_is_counted_once_and_to_whom_it_came_first(results):
    assert [trial.seconds for trial in results.trials] == [10.0] * 4  # the prefix's 100 s are its own run's
    assert [one.seconds for one in results.finalists[0].replicates] == [0.0, 0.0]  # of s1, which trial 1 trained


def test_finalists_are_those_of_the_header_with_their_tests(results):
    (finalist,) = results.finalists
    assert (finalist.number, finalist.knobs) == (1, {SEG: 10.0})
    assert [one.metrics for one in finalist.replicates] == [{"test/dice": 0.6}, {"test/dice": 0.7}]
    assert finalist.replicates[0].cases == ({"subject": "a", "dice": 0.6},)


def test_a_failed_reference_says_why(results):
    done, lost = results.reference("Target supervised").replicates
    assert (done.state, done.metrics) == ("complete", {"test/dice": 0.8})
    assert (lost.state, lost.reason, lost.metrics) == ("failed", "out of memory", {})


def test_pictures_are_of_the_best_and_of_references_in_the_pages_order(results, home):
    assert [(picture.title, picture.note) for picture in results.pictures] == [
        ("Translations", "best configuration, seed 0"), ("Translations", "Target supervised, seed 0"),
        ("Residuals", "best configuration, seed 0"), ("Residuals", "Target supervised, seed 0"),
    ]  # fmt: skip
    (home[0] / "report").mkdir()
    assert all((home[0] / "report" / picture.path).is_file() for picture in results.pictures)


def test_importances_come_with_the_end_of_the_search(home):
    assert collect_search(*home).no_importances == "the search has not ended"
    (home[0] / IMPORTANCES).write_text(json.dumps({"shares": {SEG: 1.0}, "why": ""}))
    assert collect_search(*home).importances == {SEG: 1.0}


def test_a_test_that_is_not_stored_yet_has_no_scores(home):
    folder, store = home
    (store.folder("r0") / "manifest.json").unlink()
    assert collect_search(folder, store).finalists[0].replicates[0].metrics == {}


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no study in"):
        collect_search(tmp_path, Store(tmp_path / "stages"))
