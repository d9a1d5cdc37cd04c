"""Saved views: their tags have the shape that MLflow's pages read, and nobody's own view is overwritten."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from medsearch.study.record.headers import Axis
from medsearch.study.record.ledger import PlannedRun
from medsearch.tracking import views as drafting
from medsearch.tracking.reading import StudyFiles
from medsearch.tracking.saved_views import LIMIT, TAG, View, is_ours, opened
from medsearch.tracking.sender import Sender
from medsearch.tracking.views import views_of
from tests.study.headers import search_header
from tests.tracking.pretended import PretendedServer
from tests.tracking.scene import Scene, nowhere, small_search
from tests.tracking.swept_scene import COLUMNS, SweptScene

REC = "segmentation.weights.rec"
KINDS = {"BAR": {"metricKey"}, "LINE": {"metricKey", "selectedMetricKeys", "xAxisKey"}, "IMAGE": {"imageKeys", "step"}}
KINDS |= {"PARALLEL": {"selectedParams", "selectedMetrics", "showAllRuns"}}


def study_of(scene: Scene) -> StudyFiles:
    reader = scene.reader()
    reader.refresh()
    return reader.study


@pytest.fixture
def ablation(tmp_path: Path) -> SweptScene:
    made = SweptScene(Scene(tmp_path, "table"))
    made.begin()
    made.run()
    return made


def decoded(value: str) -> dict[str, Any]:
    """The state in a tag's value, as the pages unpack it."""
    envelope = json.loads(value)
    assert isinstance(envelope["name"], str)
    assert isinstance(envelope["createdAt"], int)
    assert isinstance(envelope["updatedAt"], int)
    packed = envelope["state"]
    assert packed.startswith("deflate;")
    return dict(json.loads(zlib.decompress(base64.b64decode(packed.removeprefix("deflate;")))))


def states(scene: Scene) -> dict[str, dict[str, Any]]:
    return {view.name: decoded(view.value) for view in views_of(study_of(scene))}


def shown(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [chart for chart in state["compareRunCharts"] if not chart["deleted"]]


def test_every_state_has_what_the_pages_read(ablation: SweptScene, tmp_path: Path) -> None:
    search = Scene(tmp_path / "other")
    small_search(search)
    for state in [*states(ablation.scene).values(), *states(search).values()]:
        assert {"searchFilter", "orderByKey", "orderByAsc", "startTime", "lifecycleFilter"} <= state.keys()
        assert {"selectedColumns", "columnOrder", "columnWidths", "groupBy", "runsHiddenMode"} <= state.keys()
        assert "attributes.start_time" not in state["orderByKey"], (
            "the pages would show parents instead of what is found"
        )
        sections = {section["uuid"] for section in state["compareRunSections"]}
        uuids = [chart["uuid"] for chart in state["compareRunCharts"]]
        assert len(set(uuids)) == len(uuids)
        for chart in shown(state):
            assert KINDS[chart["type"]] <= chart.keys()
            assert chart["metricSectionId"] in sections
            assert chart["runsCountToCompare"] >= 30


def test_the_views_of_an_ablation(ablation: SweptScene) -> None:
    found = states(ablation.scene)
    assert list(found) == ["Ablation by variant", "Curves by stage", "Bars", "Pictures"]
    table = found["Ablation by variant"]
    assert table["groupBy"] == {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "row"}]}
    assert f"tag.row.w/o ST · {COLUMNS[0]}" in table["groupsExpanded"]
    assert len(table["groupsExpanded"]) == 8
    assert "attributes.status = 'FINISHED' AND tags.`node` = 'test'" in table["searchFilter"]
    assert table["selectedColumns"][:2] == ["metrics.`test/dice`", "metrics.`test/assd`"]
    curves = found["Curves by stage"]
    assert [section["name"] for section in curves["compareRunSections"]] == [
        "translation",
        "segmentation",
        "self_training",
    ]
    assert {chart["type"] for chart in shown(curves)} == {"LINE"}
    assert shown(curves)[0]["selectedMetricKeys"] == ["translation/validation/dice"]
    assert [chart["metricKey"] for chart in shown(found["Bars"])] == ["test/dice", "test/assd", "seconds"]
    (pictures,) = shown(found["Pictures"])
    assert pictures["imageKeys"] == ["test/predictions", "test/residuals"]
    assert "tags.`seed` = '0'" in found["Pictures"]["searchFilter"]


def test_the_views_of_a_search(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    small_search(scene)
    scene.describe(search_header(name="demo", space={REC: Axis()}, nuisance={"segmentation.lr": Axis()}))
    found = states(scene)
    assert list(found) == ["Search", "Pictures"]
    charts = shown(found["Search"])
    assert charts[0]["type"] == "PARALLEL"
    assert (charts[0]["selectedParams"], charts[0]["selectedMetrics"]) == (
        [REC, "segmentation.lr"],
        ["value"],
    )
    assert [chart["type"] for chart in charts[1:3]] == ["BAR", "LINE"]
    assert found["Search"]["orderByKey"] == "metrics.`value`"
    (pictures,) = shown(found["Pictures"])
    assert pictures["imageKeys"] == ["segmentation/masks/case1", "test/over", "translation/t1-to-t2"]


def test_measured_on_several_domains_is_one_chart(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    small_search(scene)
    study = study_of(scene)
    study.measured["segmentation"] = {("source", "train/dice"): None, ("both", "train/dice"): None}
    state = next(dict(view.state) for view in views_of(study) if view.name == "Search")
    keys = [chart["selectedMetricKeys"] for chart in shown(state) if chart["type"] == "LINE"]
    assert ["segmentation/both/train/dice", "segmentation/source/train/dice"] in keys


def test_views_are_written_once_and_a_users_own_stays(ablation: SweptScene) -> None:
    server, scene = PretendedServer(), ablation.scene
    report = Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert set(report.views) == {"Ablation by variant", "Curves by stage", "Bars", "Pictures"}
    assert report.views["Bars"].startswith("#/experiments/7/runs?viewStateShareKey=medsearch-")
    assert report.links()[0].startswith("Ablation by variant: http://127.0.0.1:9/#/experiments/7/runs?")
    written, done = dict(server.experiment), server.operations
    description = written.pop("mlflow.note.content")
    assert description.startswith(
        f"[Ablation by variant]({report.views['Ablation by variant']}) · [Curves by stage](#/"
    )
    assert description.endswith("\n\nWhat does each part bring?")
    assert set(map(is_ours, written.values())) == {True}
    server.experiment["mlflow.note.content"] = written["mlflow.note.content"] = "a user's own words"
    Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert (server.experiment, server.operations) == (written, done)
    bars = next(key for key in written if key.endswith("bars"))
    users = json.dumps({key: value for key, value in json.loads(written[bars]).items() if key != "medsearch"})
    server.experiment[bars] = users
    ours = next(key for key in written if key.endswith("curves"))
    server.experiment[ours] = next(view.value for view in views_of(study_of(scene)) if view.name == "Bars")
    Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert server.experiment == written | {bars: users}


def test_a_server_that_takes_no_tags_of_experiments_gets_the_runs(ablation: SweptScene) -> None:
    class Plain(PretendedServer):
        def mark(self, key: str, value: str) -> bool:
            return False

    server = Plain()
    report = Sender(ablation.scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert not report.behind
    assert (report.views, report.links()) == ({}, [])


def test_a_study_with_a_thousand_metrics_keeps_to_the_limit(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    small_search(scene)
    study = study_of(scene)
    study.measured |= {f"stage{n}": {("source", f"train/loss{n}{m}"): None for m in range(50)} for n in range(40)}
    for view in views_of(study):
        assert len(view.value) <= LIMIT
        assert decoded(view.value)["compareRunSections"] is not None


def test_ids_tell_studies_of_one_name_apart(ablation: SweptScene, tmp_path: Path) -> None:
    other = SweptScene(Scene(tmp_path / "other", "table"))
    other.scene.clock += 7.0
    other.begin()
    other.run(upto=1)
    ids = [{view.tag for view in views_of(study_of(made.scene))} for made in (ablation, other)]
    assert not ids[0] & ids[1]
    assert all(tag.startswith(TAG) for tag in ids[0] | ids[1])


def test_nothing_to_view_before_anything_began(tmp_path: Path) -> None:
    assert drafting.views_of(study_of(Scene(tmp_path))) == ()


@pytest.mark.parametrize("value", ["", "[]", "{}", '{"state": 3}', '{"state": "x", "medsearch": "y"}'])
def test_what_others_wrote_is_not_ours(value: str) -> None:
    assert not is_ours(value)
    assert opened(f"{TAG}id", value) is None
    view = View("id", "n", 1, {"compareRunCharts": []}, charted=False)
    assert is_ours(view.value)
    assert opened(view.tag, view.value) == view


def front_search(scene: Scene) -> None:
    """A search with two objectives, of which two trials have ended."""
    objectives, width = {"validation/ssim": "maximize", "training/hours": "minimize"}, {"cyclegan.width": Axis()}
    scene.describe(search_header(name="demo", objectives=objectives, space=width))
    for number, values in enumerate(([0.7, 4.0], [0.6, 1.0])):
        knobs, stages = {"cyclegan.width": 8 * number}, (("cyclegan", f"k{number}"),)
        scene.start(PlannedRun(role="trial", number=number, seed=0, knobs=knobs, stages=stages))
        scene.epoch(f"k{number}", 1, {"validation/dice_like": 0.1, "validation/ssim": values[0], "train/adv": 1.0})
        scene.end(f"trial-{number:04d}", value=values[0], values=values)


def test_of_a_front_both_objectives_are_logged_and_drawn(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    front_search(scene)
    assert not Sender(scene.reader(), nowhere(), connect=lambda _: server).finish().behind
    run = server.shown()["demo/trial-0001"]
    found = {point.key: point.value for point in run["points"]}
    assert (found["objective/validation/ssim"], found["objective/training/hours"]) == (0.6, 1.0)
    assert run["value"] == {0.6}
    state = states(scene)["Search"]
    (lines,) = [chart for chart in shown(state) if chart["type"] == "PARALLEL"]
    assert lines["selectedMetrics"] == ["objective/validation/ssim", "objective/training/hours"]
    assert [chart["metricKey"] for chart in shown(state) if chart["type"] == "BAR"] == lines["selectedMetrics"]
    (first, *_) = [chart for chart in shown(state) if chart["type"] == "LINE"]
    assert first["metricKey"].endswith("validation/ssim"), "what ranks comes before all other curves"
