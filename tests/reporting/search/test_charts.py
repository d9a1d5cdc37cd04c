import dataclasses

import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medsearch.reporting.results import SearchResults, Trial

from medsearch.reporting.charts import STYLES
from medsearch.reporting.render.plotly_charts import figure
from medsearch.reporting.render.print_charts import files
from medsearch.reporting.search.charts import drawable, history, importances, learning_curves, parallel, roles
from medsearch.study.record.headers import Axis
from tests.reporting import made_up_search
from tests.reporting.made_up_search import ADV, CODES, LAT, REC, WIDTH

FINISHED = made_up_search.finished()
EMPTY = SearchResults(design=made_up_search.design(), provenance=made_up_search.provenance())


def test_every_trial_has_the_role_of_its_state_and_finalists_theirs():
    found = roles(FINISHED)
    best, other = (finalist.number for finalist in FINISHED.finalists)
    assert (found[best], found[other], found[4], found[6]) == ("best", "finalist", "failed", "cut")
    assert len(found) == 12


def test_history_shows_failures_below_every_value_and_the_best_so_far_never_falls():
    chart = history(FINISHED)
    by_role = {series.role: series.points for series in chart.series}
    told = [y for role in ("complete", "cut", "best", "finalist") for _, y in by_role[role]]
    assert all(y < min(told) for _, y in by_role["failed"])
    steps = [y for _, y in by_role["frontier"]]
    assert steps == sorted(steps)
    assert steps[-1] == max(trial.value for trial in FINISHED.in_state("complete"))
    assert sum(len(points) for role, points in by_role.items() if role != "frontier") == 12


def test_learning_curves_show_every_curve_and_mark_the_rungs():
    chart = learning_curves(FINISHED)
    assert len(chart.series) == sum(bool(trial.curve) for trial in FINISHED.trials)
    assert [x for x, _ in chart.marks] == [6, 12]
    assert chart.series[-1].role == "best"  # drawn last, on top


def test_a_curve_of_one_point_is_seen():
    trial = Trial(number=0, knobs={}, state="complete", value=0.5, curve=((1, 0.5),))
    (trace,) = figure(learning_curves(dataclasses.replace(EMPTY, trials=(trial,))))["data"]
    assert trace["mode"] == "lines+markers"
    assert trace["marker"]["size"] == [11]


def test_importances_fall_and_know_the_nuisance():
    bars = importances(FINISHED).bars
    assert [name.text for name, _, _ in bars] == ["λ_rec", "λ_adv", "width", "λ_lat", "semantic codes"]
    assert [nuisance for *_, nuisance in bars] == [False] * 4 + [True]


def test_parallel_coordinates_of_worked_values():
    knobs = {ADV: 5.0, REC: 500.0, LAT: 0.5, WIDTH: 8, CODES: 8}
    trials = (
        Trial(number=0, knobs=knobs, state="complete", value=0.4),
        Trial(number=1, knobs=knobs, state="complete", value=0.6),
        Trial(number=2, knobs=knobs, state="failed"),
    )
    chart = parallel(dataclasses.replace(EMPTY, trials=trials))
    low, high, failed = sorted(chart.series, key=lambda series: (series.role == "failed", series.points[-1]))
    # ADV runs over two decades from 0.5 to 50, so 5 is its middle.
    assert [y for _, y in low.points] == pytest.approx([0.5, 1, 0, 1 / 6, 3 / 4, 0])
    assert high.points[-1] == (5, 1)
    assert len(failed.points) == 5  # a failed trial has no value to end at
    assert chart.scales[0].ticks == (
        (0.0, "0.5"),
        (pytest.approx(0.1505, abs=1e-4), "1"),
        (pytest.approx(0.6505, abs=1e-4), "10"),
        (1.0, "50"),
    )
    assert [text for _, text in chart.scales[-1].ticks] == ["0.400", "0.600"]


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=8),
    log=st.booleans(),
    low=st.floats(1e-6, 1.0),
    high=st.floats(2.0, 1e6),
)
def test_heights_stay_on_their_axis_and_keep_the_order(values, log, low, high):
    trials = tuple(
        Trial(number=n, knobs={"k": value}, state="complete", value=0.1 * n) for n, value in enumerate(values)
    )
    design = made_up_search.design(space={"k": Axis(low=low, high=high, log=log)})
    chart = parallel(dataclasses.replace(EMPTY, trials=trials, design=design))
    heights = {series.notes[0].split(",")[0]: series.points[0][1] for series in chart.series}
    ordered = [heights[f"Trial {n}"] for n, _ in sorted(enumerate(values), key=lambda item: item[1])]
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in ordered)
    assert ordered == pytest.approx(sorted(ordered))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height, _ in chart.scales[0].ticks)


def test_knobs_of_any_kind_have_an_axis():
    trials = tuple(
        Trial(number=n, knobs={"norm": value, "flat": 3}, state="complete", value=0.5)
        for n, value in enumerate(["batch", None, "instance"])
    )
    chart = parallel(dataclasses.replace(EMPTY, trials=trials, design=made_up_search.design(space={})))
    assert [text for _, text in chart.scales[0].ticks] == ["batch", "–", "instance"]
    assert {series.points[1][1] for series in chart.series} == {0.5}


def test_empty_results_fill_no_chart():
    assert drawable(EMPTY) == ()
    assert [chart.name for chart in drawable(made_up_search.half_done())] == [
        "history", "parallel_coordinates", "learning_curves",
    ]  # fmt: skip


@pytest.mark.parametrize("chart", drawable(FINISHED), ids=lambda chart: chart.name)
def test_figures_are_valid_plotly_and_print_is_images(chart):
    drawn = figure(chart)
    assert len(go.Figure(drawn).data) == max(1, len(chart.series))
    names = [trace["name"] for trace in drawn["data"] if trace.get("showlegend")]
    assert len(names) == len(set(names))
    printed = files(chart.name, chart)
    assert printed[f"{chart.name}.png"].startswith(b"\x89PNG")
    assert b"<svg" in printed[f"{chart.name}.svg"]
    assert printed == files(chart.name, chart), "the same results must give the same bytes"


def test_no_role_is_told_by_its_hue_alone():
    looks = [(style.dash, style.marker, style.width) for role, style in STYLES.items() if role != "frontier"]
    assert len(set(looks)) == len(looks)


def test_text_from_outside_cannot_break_a_figure():
    bad = "<b onclick=x> $\\frac{ $ % _"
    trials = tuple(
        Trial(
            number=n,
            knobs={bad: f"{bad}{n}", f"a.weights.{bad}": 1.0 + n},
            state="complete",
            value=0.1 * n,
            curve=((1, 0.1),),
        )
        for n in range(3)
    )
    made = dataclasses.replace(
        EMPTY, trials=trials, importances={bad: 0.7, f"a.weights.{bad}": 0.3}, design=made_up_search.design(space={})
    )
    for chart in drawable(made):
        assert "<b onclick" not in str(figure(chart))
        assert files(chart.name, chart)
