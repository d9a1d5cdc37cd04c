"""Domains hold exactly what they suggest, and refuse what no sampler could use."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from medsearch.core.errors import BadInput
from medsearch.study.declare.spaces import Domain, choice, integers, loguniform, uniform

bounds = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
domains = st.one_of(
    bounds.map(lambda pair: uniform(*pair)),
    st.tuples(st.floats(1e-6, 1), st.floats(2, 1e6)).map(lambda pair: loguniform(*pair)),
    st.tuples(st.integers(-50, 0), st.integers(1, 50)).map(lambda pair: integers(*pair)),
    st.lists(st.sampled_from([True, 0.5, 3, "wide", (8, 16), (4,)]), min_size=1, max_size=6, unique=True).map(choice),
)


@settings(max_examples=60, deadline=None)
@given(domains, st.integers(0, 2**16))
def test_what_a_domain_suggests_it_holds(domain: Domain, seed: int) -> None:
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    value = domain.suggest(study.ask(), "knob")
    assert domain.holds(value)
    assert all(domain.holds(edge) for edge in domain.edges())
    assert not domain.holds("something else")


def test_a_tuple_comes_back_from_the_storage_as_it_went_in() -> None:
    domain = choice([(8, 16), (16, 32), "auto"])
    assert domain.encoded([8, 16]) == "[8, 16]"
    assert domain.holds([16, 32])
    assert choice([0, 1]).holds(1)
    assert not choice([0, 1]).holds(True)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: uniform(1, 1), "empty"),
        (lambda: uniform(0, float("inf")), "endless"),
        (lambda: loguniform(0, 1), "above 0"),
        (lambda: integers(1.5, 2), "integer bounds"),  # type: ignore[arg-type]
        (lambda: choice([]), "at least one"),
        (lambda: choice([1, 1]), "each once"),
    ],
)
def test_impossible_domains_are_refused(make: Any, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        make()
