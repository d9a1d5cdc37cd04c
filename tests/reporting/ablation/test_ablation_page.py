import base64
import re
import shutil
import subprocess

import pytest
from plotly.offline import get_plotlyjs

from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.results import Replicate
from tests.reporting.ablation.ablation_results import results as small_results
from tests.reporting.ablation.ablation_results import run
from tests.reporting.ablation.test_ablation_files import HOSTILE, hostile
from tests.reporting.outline import Outline
from tests.reporting.written import page


def written(measures: Measures, folder) -> str:
    return page(measures.results, folder)


@pytest.fixture(scope="session")
def text(results, tmp_path_factory):
    return written(Measures(results), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def found(text):
    return Outline(text.replace(get_plotlyjs(), ""))


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("of", ["made up", "hostile", "waiting"])
def test_the_page_is_whole_and_asks_no_network(of, text, tmp_path):
    waiting = Measures(small_results({"a": (Replicate(seed=0, state="waiting"),)}))
    made = {"made up": lambda: text, "hostile": lambda: written(hostile(), tmp_path)}
    ours = made.get(of, lambda: written(waiting, tmp_path))().replace(get_plotlyjs(), "")
    outline = Outline(ours)
    assert outline.faults == []
    assert outline.open == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(", ours.replace("</", "").replace("// ", ""), re.IGNORECASE)
    for address in outline.attributes("src") + outline.attributes("href"):
        assert address.startswith(("data:", "#"))
    (policy,) = (a["content"] for _, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "None" not in outline.text.replace("None of", "")


def test_links_lead_somewhere(found):
    anchors = {address[1:] for address in found.attributes("href") if address.startswith("#")}
    assert anchors == {"result", "figures", "evidence", "runs", "provenance"}
    assert anchors <= set(found.attributes("id"))
    assert len(found.attributes("id")) == len(set(found.attributes("id")))


def test_the_page_tells(found):
    parts = (
        "2 of 3seed 1 diverged", "1 of 3 so farseed 0 out of memory", "not asked", "Failed: w/o TAMT w/o ST",
        "lower: 0.036 below the reported 0.817", "1 of 3 planned seeds have no value", "Table 5.5, p. 78",
        "from Proposed (Self-sup.)", "0.033 (12 cases)", "reported 98%", "27 replicates", "stage-seconds saved",
        "asked for 114 times",
    )  # fmt: skip
    assert [part for part in parts if part not in found.text] == []


def test_every_verdict_is_a_badge_with_its_reason(results, found):
    verdicts = Measures(results).verdicts.values()
    badges = [a for name, a in found.elements if name == "span" and "badge" in a.get("class", "") and "title" in a]
    assert {a["title"] for a in badges} == {verdict.reason for verdict in verdicts}
    assert len(badges) == 2 * len(verdicts)  # in the table, and beside what it stands on


def test_every_finished_seed_is_a_dot_and_every_failed_one_a_cross(results, found):
    runs = [(run, 2) for run in results.replicates]  # two metrics
    dots = sum(times for run, times in runs if run.state == "complete")
    assert sum(name == "circle" for name, _ in found.elements) == dots
    assert sum(a.get("class") == "failed" for name, a in found.elements if name == "path") == 4
    assert sum(a.get("class") == "reported" for name, a in found.elements if name == "path") == 7


def test_every_stage_run_is_listed_with_its_state(results, found):
    assert [one.key for one in results.runs if one.key[:12] not in found.text] == []
    assert "loss 'adv' = nan at epoch 3: training diverged" in found.text


def test_the_page_carries_its_tables(found, texts):
    carried = {a["download"]: a["href"] for _, a in found.elements if "download" in a}
    assert set(carried) == {"table.csv", "table.md", "table.tex"}
    content = base64.b64decode(carried["table.csv"].split(",", 1)[1]).decode()
    assert content == texts["table.csv"]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_nothing_from_outside_becomes_an_element(tmp_path):
    outline = Outline(written(hostile(), tmp_path).replace(get_plotlyjs(), ""))
    assert all(set(a) <= {"type", "id"} for name, a in outline.elements if name == "script")
    assert not any("alert(1)</" in script for script in outline.scripts)
    assert HOSTILE.split("\n")[0] in outline.text


def test_a_value_outside_every_scale_is_drawn_inside_its_strip(tmp_path):
    of = Measures(small_results({"a": (run(0, 0.0), run(1, 0.0))}))
    outline = Outline(written(of, tmp_path).replace(get_plotlyjs(), ""))
    assert all(0 <= float(a["cx"]) <= 170 for name, a in outline.elements if name == "circle")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
def test_chromium_draws_every_chart_without_a_complaint(text, tmp_path):
    (tmp_path / "index.html").write_text(text)
    command = [
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr", "--virtual-time-budget=8000", "--dump-dom", f"file://{tmp_path / 'index.html'}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    dom = Outline(done.stdout.replace(get_plotlyjs(), ""))
    plots = [a for name, a in dom.elements if name == "div" and "js-plotly-plot" in a.get("class", "")]
    assert len(plots) == 2
