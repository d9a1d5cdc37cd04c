"""Fronts of trials under several objectives, and the order in which their trials stand for them."""

from hypothesis import given
from hypothesis import strategies as some

from medsearch.study.engine.ranking import dominates, fronts, ranking, scored, spread_out
from tests.study.synthesis import weight_search

LINE = {0: (0.0, 1.0), 1: (0.1, 0.95), 2: (0.5, 0.5), 3: (0.9, 0.05), 4: (1.0, 0.0)}
BELOW = {5: (0.4, 0.4), 6: (0.05, 0.9), 7: (0.3, 0.3)}

values = some.floats(-2, 2).map(lambda value: round(value, 1))
clouds = some.lists(some.tuples(values, values), min_size=1, max_size=12).map(lambda of: dict(enumerate(of)))


def test_fronts_are_peeled_one_after_another() -> None:
    assert fronts({**LINE, **BELOW}) == ((0, 1, 2, 3, 4), (5, 6), (7,))
    assert fronts({}) == ()
    assert fronts({0: (1.0, 1.0), 1: (1.0, 1.0)}) == ((0, 1),), "equals do not beat each other"


@given(clouds)
def test_nothing_beats_the_first_front_and_something_beats_each_later_one(
    scores: dict[int, tuple[float, float]],
) -> None:
    found = fronts(scores)
    assert sorted(number for front in found for number in front) == sorted(scores)
    for environment, front in enumerate(found):
        rest = [other for later in found[environment:] for other in later]
        assert not any(dominates(scores[other], scores[number]) for number in front for other in rest)
        if environment:
            assert all(any(dominates(scores[o], scores[n]) for o in found[environment - 1]) for n in front)


def test_any_number_of_the_first_is_spread_along_the_front() -> None:
    assert spread_out(LINE, LINE)[:3] == (4, 0, 2), "the best in the first objective, the other end, the middle"
    assert spread_out((3,), LINE) == (3,)
    twins = {0: (1.0, 0.0), 1: (1.0, 0.0), 2: (0.0, 1.0)}
    assert spread_out(twins, twins) == (0, 2, 1), "a twin comes last"


def test_widths_do_not_depend_on_units() -> None:
    in_minutes = {number: (first, 60 * second) for number, (first, second) in LINE.items()}
    assert spread_out(in_minutes, in_minutes) == spread_out(LINE, LINE)


def test_trials_rank_front_by_front_and_each_configuration_once() -> None:
    what = weight_search()
    found = {number: (first, 1.0 - second) for number, (first, second) in {**LINE, **BELOW}.items()}
    knobs = {number: {"cyclegan.width": number} for number in found}
    assert ranking(what, found, knobs)[:3] == (4, 0, 2)
    assert set(ranking(what, found, knobs)[5:7]) == {5, 6}
    again = {**knobs, 3: knobs[4]}
    assert 3 not in ranking(what, found, again)
    assert ranking(what, found, knobs, last=(4, 2))[0] == 3
    assert ranking(what, found, knobs, last=(4, 2))[-2:] == (4, 2)


def test_directions_make_scores() -> None:
    assert scored((0.8, 2.0), ("maximize", "minimize")) == (0.8, -2.0)
