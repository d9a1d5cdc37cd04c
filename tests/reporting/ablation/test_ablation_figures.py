import dataclasses
import io
import itertools

import plotly.graph_objects as go
import pytest
from medsearch.reporting.collect import collect_ablation
from medsearch.reporting.results import Replicate
from PIL import Image

from medsearch.core.reported import Reported
from medsearch.reporting.ablation import charts
from medsearch.reporting.ablation.document import document
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.document import ChartFigure
from medsearch.reporting.render import plotly_charts, print_charts
from medsearch.reporting.report import figures
from medsearch.study.record.headers import Figure, Row
from tests.reporting import made_up_ablation as made_up
from tests.reporting.ablation.ablation_results import column, results, run
from tests.reporting.made_up_ablation import BRATS, CROSSMODA, NO_ST, NO_TAMT, PROPOSED, SPARSE, SUPERVISED

DICE = "test/dice"
LOST = Replicate(seed=1, state="failed", reason="loss = nan", cause="diverged")


@pytest.fixture(scope="session")
def grouped(results):
    return charts.bars(Measures(results), DICE)


def test_a_group_for_each_column_and_a_bar_for_each_row_that_is_asked(grouped):
    assert grouped.groups == (BRATS, CROSSMODA)
    assert grouped.rows == (NO_TAMT, NO_ST, PROPOSED, SPARSE, SUPERVISED)
    places = [grouped.place(mark) for mark in grouped.marks]
    assert len(set(places)) == len(places) == 9
    assert all(
        abs(place - grouped.groups.index(mark.column)) < 0.5 for place, mark in zip(places, grouped.marks, strict=True)
    )


def test_bars_of_a_group_do_not_overlap(grouped):
    places = sorted(grouped.place(mark) for mark in grouped.marks)
    assert min(b - a for a, b in itertools.pairwise(places)) >= grouped.width - 1e-9


def test_reported_values_are_hollow_and_stand_on_their_bars(grouped):
    figure = plotly_charts.bar_figure(grouped)
    (hollow,) = (trace for trace in figure["data"] if trace["name"] == "reported")
    assert hollow["marker"]["symbol"] == "diamond-open"
    by_place = {round(grouped.place(mark), 6): mark.reported for mark in grouped.marks}
    assert {round(x, 6): y for x, y in zip(hollow["x"], hollow["y"], strict=True)} == {
        place: value for place, value in by_place.items() if value is not None
    }


def test_a_bar_that_lacks_seeds_is_pale_and_says_so(grouped):
    (trace,) = (trace for trace in plotly_charts.bar_figure(grouped)["data"] if trace["name"] == NO_TAMT)
    assert trace["marker"]["opacity"] == [0.4, 1.0]
    assert "2 of 3, seed 1 diverged" in trace["hovertext"][0]


def test_a_cell_without_any_value_is_a_cross():
    made = results({"a": (run(0, 0.5),), "b": (dataclasses.replace(LOST, seed=0),)})
    of = charts.bars(Measures(made), DICE)
    assert [mark.row for mark in of.crosses] == ["b"]
    (cross,) = (trace for trace in plotly_charts.bar_figure(of)["data"] if trace["name"] == "no value")
    assert (cross["x"], cross["y"]) == ([of.place(of.crosses[0])], [0])


@pytest.mark.parametrize(("columns", "angle"), [(3, 0), (12, 35)])
def test_the_names_of_many_groups_slant(columns, angle):
    made = results({"a": (run(0, 0.5),)}, columns=tuple(column(f"T{i} → T{i + 1}") for i in range(columns)))
    (axes,) = print_charts.bar_figure(charts.bars(Measures(made), DICE)).axes
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {angle}


def test_nothing_to_draw_is_no_figure():
    waiting = Measures(results({"a": (Replicate(seed=0, state="waiting"),)}))
    assert charts.bars(waiting, DICE) is None
    assert document(waiting.results, made_up.Path()).figures == {}


def lines(**design):
    """Two lines over three fractions; one point lacks a seed, one has none."""
    rows = {
        "self 1%": (run(0, 0.5), LOST), "self 10%": (run(0, 0.6), run(1, 0.62)),
        "self 100%": (run(0, 0.8), run(1, 0.8)), "semi 100%": (run(0, 0.79), run(1, 0.78)),
        "semi 1%": (dataclasses.replace(LOST, seed=0), LOST),
        "best": (run(0, 0.85), run(1, 0.85)),
    }  # fmt: skip
    paper = Reported(paper="P", where="T", page=1, row="self 100%", column="task", metric="dice", value=0.863)
    figure = Figure(kind="curves", x="task.source_labels")
    made = results(rows, columns=(column(task={"source_labels": 0.01}),), figure=figure, reported=(paper,), **design)
    knobs = {"self 10%": {"task.source_labels": 0.1}, "self 100%": {"task.source_labels": 1.0}}
    knobs["semi 100%"] = knobs["self 100%"]
    return dataclasses.replace(
        made,
        rows=tuple(
            Row(
                label=row.label,
                columns=row.columns,
                knobs=knobs.get(row.label, {}),
                line="" if row.label == "best" else row.label.split()[0],
            )
            for row in made.rows
        ),
    )


def test_curves_run_over_the_knob_of_rows_and_of_the_task():
    of = charts.curves(Measures(lines()), DICE)
    (plot,) = of.plots
    assert [(curve.line, [x for x, _ in curve.points]) for curve in plot.curves] == [
        ("self", [0.01, 0.1, 1.0]), ("semi", [0.01, 1.0]),
    ]  # fmt: skip
    assert of.ticks == ((0.01, "1%"), (0.1, "10%"), (1.0, "100%"))
    assert of.levels == ("best",)


def test_points_that_lack_seeds_or_have_none_are_told_apart():
    of = charts.curves(Measures(lines()), DICE)
    traces = {trace["name"]: trace for trace in plotly_charts.curve_figure(of, of.plots[0])["data"]}
    assert traces["self"]["marker"]["opacity"] == [0.4, 1.0, 1.0]
    assert traces["self"]["text"] == ["1 of 2", "", ""]
    assert traces["semi, no value"]["x"] == [0.01]
    assert traces["semi, no value"]["y"][0] < 0.5
    assert (traces["self, reported"]["x"], traces["self, reported"]["y"]) == ([1.0], [0.863])
    assert traces["best"]["y"] == [pytest.approx(0.85)] * 2


def test_a_level_that_lacks_seeds_says_so():
    made = lines()
    cut = [dataclasses.replace(c, replicates=(c.replicates[0], LOST)) if c.row == "best" else c for c in made.cells]
    of = charts.curves(Measures(dataclasses.replace(made, cells=tuple(cut))), DICE)
    assert "best (1 of 2)" in {trace["name"] for trace in plotly_charts.curve_figure(of, of.plots[0])["data"]}
    (axes,) = print_charts.curve_figure(of).axes
    assert "best (1 of 2)" in axes.get_legend_handles_labels()[1]


@pytest.fixture
def pictured(home):
    folder, store = home
    kinds = ("translations", "residuals", "self_training", "attention")
    content = made_up.header(figure=Figure(kind="panels", kinds=kinds), metrics=("test/dice",))
    (folder / "study.json").unlink()
    made_up.Ledger(folder).write_header(content)
    whats = {"translations": ("source", "translated"), "predictions": ("image", "truth", "prediction")}
    made_up.add_tiles(folder, store, kinds=whats)
    (folder / "report").mkdir()
    return folder / "report", collect_ablation(folder, store)


def test_panels_are_drawn_of_kinds_that_have_tiles(pictured):
    folder, made = pictured
    found = {of.kind: of for of in charts.panels(made, folder)}
    assert set(found) == {"translations", "self_training"}
    assert found["translations"].whats == ("source", "translated")


def test_before_is_the_row_without_self_training_and_after_its_reference(pictured):
    folder, made = pictured
    (of,) = (of for of in charts.panels(made, folder) if of.kind == "self_training")
    assert of.whats == ("image", "truth", "before", "after")
    tiles = of.lines[0].tiles
    assert (tiles["before"].row, tiles["after"].row) == (NO_ST, PROPOSED)
    assert (tiles["before"].what, tiles["after"].what) == ("prediction", "prediction")
    assert tiles["before"].subject == tiles["after"].subject == tiles["image"].subject


def test_rows_that_show_the_same_images_come_once(pictured):
    folder, made = pictured
    (of,) = (of for of in charts.panels(made, folder) if of.kind == "translations")
    assert len(of.lines) == 2  # the two made-up subjects look the same under every row and column


def test_an_image_may_stand_across_for_every_row(pictured):
    folder, made = pictured
    whats = {"given": "source", "made": "translated"}
    shown = [
        dataclasses.replace(tile, what=name) for name, what in whats.items() for tile in made.tiles if tile.what == what
    ]
    figure = dataclasses.replace(made.design.figure, across="made", kinds=("translations",))
    design = dataclasses.replace(made.design, figure=figure)
    (of,) = charts.panels(dataclasses.replace(made, tiles=tuple(shown), design=design), folder)
    labels = [row.label for row in made.rows if row.kind == "variant" and any(tile.row == row.label for tile in shown)]
    assert of.whats == ("given", *labels)
    assert len(labels) > 1
    for line in of.lines:
        assert {label: line.tiles[label].row for label in labels} == {label: label for label in labels}
        assert len({tile.subject for tile in line.tiles.values()}) == 1


def test_lines_that_are_left_out_are_said(pictured):
    folder, made = pictured
    (of,) = (of for of in charts.panels(made, folder) if of.kind == "translations")
    assert "3 more lines are left out" in charts.caption_of(dataclasses.replace(of, left_out=3))
    assert "left out" not in charts.caption_of(of)


def test_a_tile_that_is_gone_leaves_its_place_empty(pictured):
    folder, made = pictured
    (of,) = (of for of in charts.panels(made, folder) if of.kind == "translations")
    (folder / of.lines[0].tiles["source"].path).unlink()
    assert "–" in [text.get_text() for text in print_charts.panel_figure(of).axes[0].texts]


@pytest.mark.parametrize("made", ["bars", "curves"])
def test_files_are_pictures_and_the_same_again(made, results, tmp_path):
    shown = document(results if made == "bars" else lines(), tmp_path)
    first, second = (figures(shown) for _ in range(2))
    assert first == second
    names = {"bars": ["bars", "bars_assd"], "curves": ["curves"]}[made]
    assert list(shown.figures) == names
    for name in names:
        image = Image.open(io.BytesIO(first[f"figures/{name}.png"]))
        assert image.size[0] > 900
        assert first[f"figures/{name}.svg"].startswith(b"<?xml")
    blocks = [block for section in shown.sections for block in section.blocks if isinstance(block, ChartFigure)]
    assert len(blocks) == sum(len(getattr(chart, "plots", [chart])) for chart in shown.figures.values())
    for block in blocks:
        go.Figure(plotly_charts.figure(block.chart, block.place))  # plotly refuses what it does not know


def test_panels_are_files_too(pictured):
    folder, made = pictured
    shown = document(made, folder)
    assert set(shown.figures) == {"bars", "translations", "self_training"}
    assert {name for name in figures(shown) if "translations" in name} == {
        "figures/translations.png", "figures/translations.svg",
    }  # fmt: skip
    panels = shown.figures["translations"]
    assert not any(
        isinstance(b, ChartFigure) and b.chart is panels for section in shown.sections for b in section.blocks
    )
    with pytest.raises(TypeError, match="which plotly does not draw"):
        plotly_charts.figure(panels)
