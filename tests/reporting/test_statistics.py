import numpy as np
import pytest

from medsearch.reporting.results import Replicate
from medsearch.reporting.statistics import Scores, Summary, case_values, patients_in_words, undefined


def run(seed: int, scores: list[float | None], *, state: str = "complete", first: int = 0) -> Replicate:
    cases = tuple({"subject": f"case-{first + i}", "dice": score, "assd": score} for i, score in enumerate(scores))
    known = [score for score in scores if score is not None]
    metrics = {"test/dice": float(np.mean(known))} if known and state == "complete" else {}
    return Replicate(seed=seed, state=state, metrics=metrics, cases=cases)


def scores(*runs: Replicate, metric: str = "test/dice", planned: int = 0) -> Scores:
    return Scores(metric=metric, replicates=runs, planned=planned)


def test_mean_and_sample_sd_of_worked_numbers():
    summary = scores(run(0, [0.5]), run(1, [0.7]), run(2, [0.6])).seeds
    assert summary.mean == pytest.approx(0.6)
    assert summary.sd == pytest.approx(0.1)  # sqrt((0.01 + 0.01 + 0) / 2)
    assert summary.n == 3


def test_one_seed_has_a_mean_and_no_sd():
    assert scores(run(0, [0.5])).seeds == Summary((0.5,))
    assert scores(run(0, [0.5])).seeds.sd is None
    assert Summary().mean is None


def test_a_failed_seed_is_counted_and_never_averaged():
    runs = [run(0, [0.6]), run(1, [], state="failed"), run(2, [], state="running")]
    summary = scores(*runs, planned=5).seeds
    assert (summary.mean, summary.n, summary.failed, summary.waiting) == (0.6, 1, 1, 3)


def test_a_failed_seed_that_left_scores_behind_is_still_not_averaged():
    left = Replicate(seed=1, state="failed", metrics={"test/dice": 0.0}, cases=({"subject": "a", "dice": 0.0},))
    assert scores(run(0, [0.6]), left).seeds.values == (0.6,)
    assert scores(left).cases.n == 0


def test_scores_that_are_not_finite_are_no_scores():
    broken = Replicate(seed=1, metrics={"test/dice": float("nan")})
    assert scores(run(0, [0.6]), broken).seeds.values == (0.6,)


def test_over_cases_averages_seeds_within_a_case_first():
    summary = scores(run(0, [0.2, 0.8]), run(1, [0.4, None])).cases
    assert summary.values == pytest.approx((0.3, 0.8))
    assert summary.sd == pytest.approx(0.5 / np.sqrt(2))


def test_undefined_distances_are_counted():
    assert undefined([run(0, [0.2, None]), run(1, [None, None], state="failed")], "assd") == (1, 2)


def test_values_of_cases_run_by_run_are_of_the_seeds_that_finished():
    runs = [run(0, [0.2, None]), run(3, [0.4], first=7), run(4, [0.9], state="failed"), Replicate(seed=5)]
    assert scores(*runs).by_seed == {0: {"case-0": 0.2, "case-1": None}, 3: {"case-7": 0.4}}
    assert scores(*runs, metric="test/hd95").by_seed == {0: {}, 3: {}}


def test_cases_of_one_patient_are_one_observation():
    visits = [("a-0", "a", 0.2), ("a-1", "a", 0.4), ("a-2", "a", None), ("b-0", "b", 0.9), ("c-0", "c", None)]
    cases = tuple({"subject": subject, "patient": patient, "dice": dice} for subject, patient, dice in visits)
    of = [Replicate(seed=0, cases=cases)]
    assert scores(*of).by_seed == {0: {"a": pytest.approx(0.3), "b": 0.9, "c": None}}
    assert case_values(of, "dice") == {0: {subject: dice for subject, _, dice in visits}}
    assert patients_in_words(of).startswith("Compared by patient: 5 test cases are of 3 patients")


def test_where_every_case_is_a_patient_s_only_one_nothing_is_said():
    of = [run(0, [0.1, None])]
    assert scores(*of).by_seed == case_values(of, "dice")
    assert patients_in_words(of) == ""
    assert patients_in_words([]) == ""
