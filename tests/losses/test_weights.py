import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.tasks import CrossModalityTask, split
from medsearch.core.errors import BadInput
from medsearch.losses.weights import annotated_share, normalised, scheduled


def test_the_papers_weights_normalised() -> None:
    assert normalised({"adv": 1.0, "seg": 1.0, "cyc": 10.0}) == pytest.approx(
        {"adv": 1 / 12, "seg": 1 / 12, "cyc": 10 / 12}
    )
    found = normalised({"adv": 5.0, "rec": 50.0, "lat": 5.0, "seg": 100.0})
    assert found == pytest.approx({"adv": 0.03125, "rec": 0.3125, "lat": 0.03125, "seg": 0.625})


@given(st.lists(st.floats(0.01, 1e3), min_size=2, max_size=5), st.floats(0.01, 100))
def test_only_ratios_act(values: list[float], factor: float) -> None:
    weights = {str(index): value for index, value in enumerate(values)}
    found = normalised(weights)
    assert sum(found.values()) == pytest.approx(1)
    assert normalised({name: factor * value for name, value in weights.items()}) == pytest.approx(found)


def test_a_weight_of_zero_switches_a_term_off() -> None:
    assert normalised({"seg": 0.0, "cyc": 4.0}) == {"seg": 0.0, "cyc": 1.0}


@pytest.mark.parametrize("weights", [{"a": 0.0, "b": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan"), "b": 1.0}])
def test_weights_that_cannot_be_normalised_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="train nothing"):
        normalised(weights)


@pytest.mark.parametrize(("annotated", "seg"), [(1.0, 100), (0.7, 50), (0.4, 25), (0.1, 1), (0.01, 0.1)])
def test_the_papers_schedule(annotated: float, seg: float) -> None:
    assert scheduled(100.0, annotated) == pytest.approx(seg)
    assert scheduled(20.0, annotated) == pytest.approx(seg / 5)


@pytest.mark.parametrize("volumes", [112, 165, 210])
@pytest.mark.parametrize(("asked", "seg"), [(1.0, 100), (0.7, 50), (0.4, 25), (0.1, 1), (0.01, 0.1)])
def test_a_fraction_that_was_rounded_up_to_whole_volumes_keeps_the_papers_weight(
    asked: float, seg: float, volumes: int
) -> None:
    subjects = tuple(f"case-{number}" for number in range(volumes + 5))
    parts = {name: "source" if place < volumes else "target" for place, name in enumerate(subjects)}
    drawn = split(CrossModalityTask(source_labels=asked), Roster(subjects, parts))  # type: ignore[arg-type]
    found = annotated_share(len(drawn.labelled_source), len(drawn.train_source))
    assert scheduled(100.0, found) == pytest.approx(seg)


def test_of_few_volumes_one_counts_as_what_it_is() -> None:
    assert annotated_share(1, 16) == 1 / 16
    assert annotated_share(2, 148) == 0.01
    assert annotated_share(5, 148) == 5 / 148


def test_between_and_beyond_the_papers_points() -> None:
    assert scheduled(100.0, (0.7 * 0.4) ** 0.5) == pytest.approx((50 * 25) ** 0.5)
    assert scheduled(100.0, 0.0) == scheduled(100.0, 0.001) == pytest.approx(0.1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_labels_never_weigh_less(one: float, other: float) -> None:
    assert scheduled(1.0, min(one, other)) <= scheduled(1.0, max(one, other)) * (1 + 1e-12)
