import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.methods.ssbr_cyclegan.selection import (
    ByPosition,
    ByScore,
    Cached,
    Pairing,
    Patient,
    Scores,
    nearest,
    patients,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def patient(name: str, slices: int) -> Patient:
    """Slice n is n everywhere."""
    stack = np.broadcast_to(np.arange(slices, dtype=np.float32)[:, None, None], (slices, 4, 4))
    return Patient(name, stack, (1.0, 1.0, 1.0))


def by_score(**known: Scores) -> ByScore:
    return ByScore(lambda of: known[of.name])


@given(among=st.integers(2, 90), of=st.integers(1, 90), seed=st.integers(0, 20), jitter=st.booleans())
def test_pbs_lays_ends_on_ends_and_moves_the_interior_alone(among: int, of: int, seed: int, jitter: bool) -> None:
    numbers = np.arange(among)
    found = ByPosition(jitter).matched(numbers, among, of=of, rng=rng(seed))
    still = ByPosition(jitter=False).matched(numbers, among, of=of, rng=rng(seed))
    assert still.tolist() == [round(i / (among - 1) * (of - 1)) for i in range(among)]
    assert (still[0], still[-1]) == (0, of - 1)
    assert found.min() >= 0
    assert found.max() < of
    interior = (still >= 5) & (still <= of - 6)
    assert (found == still)[~interior].all()
    assert (still == found).all() if not jitter else set((found - still).tolist()) <= set(range(-5, 5))


def test_pbs_draws_all_moves_alike_and_never_5_upwards() -> None:
    numbers = np.full(20_000, 50)
    moves = ByPosition().matched(numbers, 101, of=101, rng=rng()) - 50
    values, counts = np.unique(moves, return_counts=True)
    assert values.tolist() == list(range(-5, 5))
    assert counts.min() > 1800


def test_pbs_takes_no_slice_twice_while_there_are_enough() -> None:
    a, b = patient("a", 10), patient("b", 40)
    assert len(set(ByPosition()(a, b, 10, rng=rng()).a.tolist())) == 10
    assert len(ByPosition()(a, b, 25, rng=rng())) == 25
    one = ByPosition()(patient("one", 1), b, 3, rng=rng())
    assert (one.a.tolist(), one.b.tolist()) == ([0, 0, 0], [0, 0, 0])


def test_the_slice_with_the_nearest_score_is_taken() -> None:
    scores = np.array([-1, -0.4, 0.1, 0.2, 1], np.float32)
    assert nearest(scores, np.array([-2.0, -0.71, -0.69, 0.14, 0.16, 0.7])).tolist() == [0, 0, 1, 2, 3, 4]


def test_scores_are_drawn_evenly_where_both_patients_have_some() -> None:
    """A has scores from -1 to 0.5, B from -0.5 to 1: r is uniform on [-0.5, 0.5]."""
    s_a, s_b = np.linspace(-1, 0.5, 151, dtype=np.float32), np.linspace(-0.5, 1, 76, dtype=np.float32)
    pairs = by_score(a=s_a, b=s_b)(patient("a", 151), patient("b", 76), 20_000, rng=rng())
    found_a, found_b = s_a[pairs.a], s_b[pairs.b]
    assert found_a.min() == pytest.approx(-0.5, abs=1e-6)
    assert found_b.max() == pytest.approx(0.5, abs=1e-6)
    assert np.abs(found_a - found_b).max() <= 0.005 + 0.01 + 1e-6  # half a step of each
    counts, _ = np.histogram(found_a, bins=10, range=(-0.505, 0.505))
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_scores_that_do_not_overlap_are_paired_by_position(caplog: pytest.LogCaptureFixture) -> None:
    a, b = patient("a", 12), patient("b", 30)
    select = by_score(a=np.linspace(-1, 0, 12, dtype=np.float32), b=np.linspace(0.1, 1, 30, dtype=np.float32))
    with caplog.at_level(logging.INFO):
        found = select(a, b, 8, rng=rng(4))
    expected = ByPosition()(a, b, 8, rng=rng(4))
    assert (found.a.tolist(), found.b.tolist()) == (expected.a.tolist(), expected.b.tolist())
    assert "scores of a and b do not overlap" in caplog.text


def test_a_cached_patient_is_scored_once() -> None:
    scored: list[str] = []

    def score(of: Patient) -> Scores:
        scored.append(of.name)
        return np.linspace(-1, 1, len(of), dtype=np.float32)

    a, b, cached = patient("a", 10), patient("b", 12), Cached(score)
    found = [
        [select(a, b, 8, rng=rng(seed)).b.tolist() for seed in range(3)] for select in map(ByScore, (score, cached))
    ]
    assert found[0] == found[1]
    assert scored == ["a", "b"] * 3 + ["a", "b"]


@pytest.mark.parametrize("select", [ByPosition(), ByPosition(jitter=False), ByScore(lambda of: of.slices[:, 0, 0])])
def test_every_strategy_repeats_itself_and_cuts_what_it_paired(select: Pairing) -> None:
    a, b = patient("a", 20), patient("b", 33)
    one, other = select(a, b, 8, rng=rng(1)), select(a, b, 8, rng=rng(1))
    assert (one.a.tolist(), one.b.tolist()) == (other.a.tolist(), other.b.tolist())
    assert one.a.tolist() != select(a, b, 8, rng=rng(2)).a.tolist()
    x_a, x_b = one.cut(a, b)
    assert x_a.shape == x_b.shape == (8, 4, 4)
    assert x_a[:, 0, 0].tolist() == one.a.tolist()
    assert x_b[:, 0, 0].tolist() == one.b.tolist()


@given(of_a=st.integers(1, 12), of_b=st.integers(1, 12))
def test_an_epoch_is_as_long_as_the_larger_domain(of_a: int, of_b: int) -> None:
    drawn = list(patients(of_a, of_b, rng()))
    assert len(drawn) == max(of_a, of_b)
    firsts = [a for a, _ in drawn]
    assert set(firsts) == set(range(of_a))
    assert max(map(firsts.count, firsts)) - min(map(firsts.count, firsts)) <= 1
    assert all(0 <= b < of_b for _, b in drawn)
