"""The saved views opened in a browser, on a real server: groups, bars, curves, axes and pictures are really drawn."""

import re
import time
from collections.abc import Iterator

import pytest

from medsearch.study.record.headers import Axis
from medsearch.tracking import SyncReport, sync
from medsearch.tracking.backend import locate, quiet_mlflow
from medsearch.tracking.ui import links
from tests.study.headers import search_header
from tests.tracking.browser import CHROMIUM, page
from tests.tracking.light_server import LightServer
from tests.tracking.scene import Scene, small_search
from tests.tracking.swept_scene import COLUMNS, REFERENCE, ROWS, SweptScene

pytestmark = [pytest.mark.soak, pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")]

PATIENCE_S = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightServer]:
    with quiet_mlflow():
        made = LightServer(tmp_path_factory.mktemp("pages"))
        made.start()
        deadline = time.monotonic() + PATIENCE_S
        while not made.ready():
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.2)
        yield made
        made.kill()


@pytest.fixture(scope="module")
def ablation(server: LightServer) -> SyncReport:
    made = SweptScene(Scene(server.folder, "table"))
    made.begin()
    made.run()
    return sync(made.scene.folder, made.scene.stages, server.uri)


@pytest.fixture(scope="module")
def search(server: LightServer) -> SyncReport:
    scene = Scene(server.folder, "lambda")
    small_search(scene)
    scene.describe(search_header(name="lambda", space={"segmentation.weights.rec": Axis()}))
    return sync(scene.folder, scene.stages, server.uri)


def test_rows_are_groups_with_means(server: LightServer, ablation: SyncReport) -> None:
    shown = page(f"{server.uri}/{ablation.views['Ablation by variant']}", "0.705")
    groups = [f"{row} · {column}" for column in COLUMNS for row in (*ROWS, REFERENCE)]
    places = [shown.find(group) for group in groups]
    assert -1 not in places
    assert places == sorted(places), "not in the table's order"
    assert "(average)" in shown
    assert "0.705" in shown, "the mean of the two seeds"
    assert "seed 0: test" not in shown, "groups begin folded"


def test_bars_are_drawn_for_rows(server: LightServer, ablation: SyncReport) -> None:
    shown = page(f"{server.uri}/{ablation.views['Bars']}", 'class="point"', times=24)
    assert shown.count('class="trace bars"') >= 3, "a chart for each metric"
    assert shown.count('class="point"') >= 24, "a bar for each row"
    assert "test/dice" in shown
    assert "Means over seeds" in shown


def test_curves_are_drawn_by_stage(server: LightServer, ablation: SyncReport) -> None:
    shown = page(f"{server.uri}/{ablation.views['Curves by stage']}", 'class="trace scatter', times=4)
    assert len(re.findall(r'class="trace scatter', shown)) >= 4
    assert "translation/validation/dice" in shown


def test_pictures_are_shown_run_beside_run(server: LightServer, ablation: SyncReport) -> None:
    shown = page(f"{server.uri}/{ablation.views['Pictures']}", "compressed.webp", times=16)
    assert len(re.findall(r"<img[^>]*test~predictions[^>]*compressed\.webp", shown)) == 8, "rows x columns"
    assert "test/residuals" in shown


def test_a_search_shows_its_axes(server: LightServer, search: SyncReport) -> None:
    shown = page(f"{server.uri}/{search.views['Search']}", "parcoords")
    assert "parcoords" in shown
    assert "segmentation.weights.rec" in shown


def test_the_experiment_opens_with_links_to_its_views(server: LightServer, ablation: SyncReport) -> None:
    shown = page(f"{server.uri}/#/experiments/{ablation.views['Bars'].split('/')[2]}/runs", "Curves by stage")
    found = re.findall(r'<a [^>]*href="(#[^"]*viewStateShareKey[^"]*)"[^>]*>([^<]+)</a>', shown)
    assert {name: address.replace("&amp;", "&") for address, name in found} == ablation.views


def test_links_lead_to_the_views(server: LightServer, ablation: SyncReport) -> None:
    found = list(links(locate(None, home=server.folder), server.uri))
    assert {line for line in found if line.startswith("table, ")} == {f"table, {line}" for line in ablation.links()}
