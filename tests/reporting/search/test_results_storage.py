import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medsearch.reporting.results import Picture, SearchResults, Trial

from medsearch.core.errors import BadInput
from medsearch.core.records import write_json
from medsearch.reporting.search.document import record
from medsearch.reporting.storage import from_json, read_results, to_json
from medsearch.study.record.headers import Axis
from tests.reporting import made_up_search


@pytest.mark.parametrize("made", [made_up_search.finished(), made_up_search.half_done()], ids=["finished", "half done"])
def test_what_is_written_is_read_again(made, tmp_path):
    made = dataclasses.replace(made, pictures=(Picture(title="Residuals", path="a.png"),))
    write_json(tmp_path / "results.json", to_json(made))
    assert read_results(SearchResults, tmp_path / "results.json") == made


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(
    knobs=st.dictionaries(st.text(), st.one_of(finite, st.text(), st.booleans(), st.integers(-9, 9))),
    curve=st.lists(st.tuples(st.integers(0, 99), finite), max_size=4),
    options=st.lists(st.one_of(st.integers(-9, 9), st.text()), max_size=3),
)
def test_any_trial_survives_the_file(knobs, curve, options):
    trial = Trial(number=1, knobs=knobs, state="running", curve=tuple(curve))
    space = {"knob": Axis(domain="choice", options=tuple(options))}
    made = dataclasses.replace(made_up_search.half_done(), trials=(trial,), design=made_up_search.design(space=space))
    assert from_json(SearchResults, json.loads(json.dumps(to_json(made)))) == made


def test_numbers_that_json_lacks_become_null():
    trial = Trial(number=1, knobs={"a": float("inf")}, state="failed", curve=((1, 0.5), (2, float("nan"))))
    text = record(dataclasses.replace(made_up_search.half_done(), trials=(trial,)))
    (read,) = from_json(SearchResults, json.loads(text, parse_constant=pytest.fail)).trials
    assert read.knobs == {"a": None}
    assert read.points == ((1, 0.5),)


def test_results_json_also_holds_what_was_made_of_them():
    derived = json.loads(record(made_up_search.finished()))["derived"]
    assert derived["answer"].startswith("With λ_adv")
    assert {row["title"]: row["dice"]["failed"] for row in derived["rows"]}["Target supervised"] == 1
    assert {cut["answer"] for cut in derived["cuts"]} <= {"could", "could not", "unknown"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"format": 99, "results": {}}, "format 99, expected 1"),
        ({}, "format None"),
        ({"format": 1}, "results"),
        ({"format": 1, "results": {"design": {"colour": 1}}}, "colour"),
    ],
)
def test_other_files_are_refused_with_a_remedy(content, told):
    with pytest.raises(BadInput, match="rebuild it with `medsearch report`") as error:
        from_json(SearchResults, content, source="runs/results.json")
    assert told in str(error.value)
    assert str(error.value).startswith("runs/results.json")
