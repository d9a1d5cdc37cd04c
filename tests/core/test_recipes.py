from dataclasses import field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.core.recipes import LATER, WHEREABOUTS, fingerprint, knobs, override, plain, recipe


@recipe
class Weights:
    adv: float = 1.0
    cyc: float = 10.0


@recipe
class Method:
    weights: Weights = field(default_factory=Weights)
    epochs: int = 3
    kind: Literal["a", "b"] = "a"
    crop: tuple[int, ...] = (1, 2)
    folder: str = field(default="", metadata=WHEREABOUTS)


def test_knobs_are_leaves_by_dotted_path_in_the_order_of_declaration():
    assert list(knobs(Method())) == ["weights.adv", "weights.cyc", "epochs", "kind", "crop", "folder"]
    assert knobs(Method())["weights.cyc"] == 10.0


def test_an_override_sets_what_it_names_and_nothing_else():
    changed = override(Method(), {"weights.cyc": 5, "crop": [3, 4]})
    assert knobs(changed) == knobs(Method()) | {"weights.cyc": 5.0, "crop": (3, 4)}
    assert isinstance(changed.weights.cyc, float)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("weight.cyc", 1.0, "did you mean 'weights.cyc'"),
        ("weights.cycle", 1.0, "did you mean 'weights.cyc'"),
        ("weights", 1.0, "no knob 'weights'"),
        ("epochs.x", 1, "no knob 'epochs.x'"),
        ("epochs", 1.5, "takes an integer"),
        ("epochs", "3", "takes an integer"),
        ("kind", "c", "takes one of ['a', 'b']"),
    ],
)
def test_a_wrong_override_says_what_is_right(path, value, said):
    with pytest.raises(BadInput, match="knob") as caught:
        override(Method(), {path: value})
    assert said in str(caught.value)


@given(
    st.builds(Method, epochs=st.integers(), crop=st.tuples(st.integers(), st.integers())),
    st.builds(Method, epochs=st.integers(), crop=st.tuples(st.integers(), st.integers())),
)
def test_a_fingerprint_changes_exactly_when_a_knob_does(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


def test_where_something_lies_is_recorded_but_no_part_of_a_fingerprint():
    moved = override(Method(), {"folder": "elsewhere"})
    assert fingerprint(moved) == fingerprint(Method())
    assert plain(moved)["folder"] == "elsewhere"


@recipe
class Grown(Method):
    noise: float = field(default=0.5, metadata=LATER)


def test_a_later_field_at_its_default_leaves_the_keys_of_before():
    assert fingerprint(Grown()) == fingerprint(Method())
    assert fingerprint(override(Grown(), {"noise": 0.6})) != fingerprint(Method())
    assert plain(Grown())["noise"] == 0.5


def test_a_fingerprint_is_the_same_everywhere():
    assert fingerprint({"b": (1, 2), "a": {3, 1}}) == fingerprint({"a": [1, 3], "b": [1, 2]}) == "03739a14ec364150"


def test_what_has_no_stable_form_is_refused():
    with pytest.raises(TypeError, match="no stable JSON form"):
        plain({"a": object()})
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(float("nan"))
