import base64
import dataclasses
import json
import re

import pytest
from plotly.offline import get_plotlyjs

from medsearch.reporting.results import Picture, ReferenceResults, SearchResults
from medsearch.reporting.search.charts import drawable
from tests.reporting import made_up_search
from tests.reporting.outline import Outline
from tests.reporting.search.test_report_tables import HOSTILE, hostile, small
from tests.reporting.written import page

EMPTY = SearchResults(design=made_up_search.design(), provenance=made_up_search.provenance())


def outline(results: SearchResults, folder) -> Outline:
    """The page without plotly's own code, which is not ours to judge."""
    return Outline(page(results, folder).replace(get_plotlyjs(), ""))


@pytest.mark.parametrize(
    "results", [made_up_search.finished(), made_up_search.half_done(), EMPTY, hostile()],
    ids=["finished", "half done", "empty", "hostile"],
)  # fmt: skip
def test_the_page_is_whole_and_asks_no_network(results, tmp_path):
    text = page(results, tmp_path)
    ours = text.replace(get_plotlyjs(), "")
    found = Outline(ours)
    assert found.faults == []
    assert found.open == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(", ours.replace("</", "").replace("// ", ""), re.IGNORECASE)
    for address in found.attributes("src") + found.attributes("href"):
        assert address.startswith(("data:", "#"))
    (policy,) = (a["content"] for name, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert text.count(get_plotlyjs()) == bool(drawable(results))


def test_links_lead_somewhere(tmp_path):
    found = outline(made_up_search.finished(), tmp_path)
    anchors = {address[1:] for address in found.attributes("href") if address.startswith("#")}
    assert anchors == {"result", "weights", "search", "curves", "runs", "provenance"}
    assert anchors <= set(found.attributes("id"))
    assert len(found.attributes("id")) == len(set(found.attributes("id")))


def test_the_table_comes_first_with_the_answer_and_everything_else_after(tmp_path):
    text = outline(small(), tmp_path).text
    order = [
        "Which loss weights", "reaches a test Dice of 0.550 ± 0.071", "Phantom cohort", "Best (measured)", "Finalist 2",
        "No adaptation", "Target supervised", "Weights found", "How the search went", "Every run", "Data fingerprint",
    ]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "n=1 of 2 1 failed" in text.replace("2n=", "2 n=").replace("21 failed", "2 1 failed")


def test_a_failed_seed_is_a_visible_mark_and_says_why(tmp_path):
    found = outline(small(), tmp_path)
    assert sum(a.get("class") == "failed" for name, a in found.elements if name == "path") == 1
    assert "Failed: No adaptation, seed 1: out of memory." in found.text
    assert sum(a.get("r") == "4.5" for name, a in found.elements if name == "circle") == 7


def test_nothing_from_outside_becomes_an_element(tmp_path):
    found = outline(hostile(), tmp_path)
    scripts = [a for name, a in found.elements if name == "script"]
    assert all(set(a) <= {"type", "id"} for a in scripts)
    assert len(scripts) == 2 + len(drawable(hostile()))
    assert not any("alert" in script for script in found.scripts if "alert(1)</" in script)
    assert HOSTILE.split("\n")[0] in found.text


def test_chart_data_is_json_that_cannot_end_its_script(tmp_path):
    results = hostile()
    text = page(results, tmp_path)
    blocks = re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text, re.DOTALL)
    assert [name for name, _ in blocks] == [chart.name for chart in drawable(results)]
    for _, block in blocks:
        assert "<" not in block
        assert set(json.loads(block)) == {"data", "layout"}


def test_pictures_are_carried_inside(tmp_path):
    shown = made_up_search.draw_pictures(tmp_path / "pictures")
    relative = dataclasses.replace(shown[0], path="pictures/" + shown[0].path.rsplit("/", 1)[1])
    found = outline(small(pictures=(relative, *shown[1:])), tmp_path)
    sources = [a for name, a in found.elements if name == "img"]
    assert len(sources) == len(shown)
    content = base64.b64decode(sources[0]["src"].removeprefix("data:image/png;base64,"))
    assert content == (tmp_path / relative.path).read_bytes()
    assert (sources[0]["width"], sources[0]["height"]) == ("864", "288")
    assert found.text.index("Translations") < found.text.index("Residuals") < found.text.index("Predicted over true")


def test_pictures_are_also_found_from_the_working_directory(tmp_path, monkeypatch):
    made_up_search.draw_pictures(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    picture = Picture(title="Residuals", path=f"home/1-{made_up_search.TEST_CASES[0]}.png")
    assert any(name == "img" for name, _ in outline(small(pictures=(picture,)), tmp_path / "report").elements)


@pytest.mark.parametrize(("name", "told"), [("gone.png", "is not there"), ("notes.txt", "is no png, jpg or svg")])
def test_a_picture_that_cannot_be_shown_is_said_so(name, told, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    text = outline(small(pictures=(Picture(title="Residuals", path=name),)), tmp_path).text
    assert f"Residuals: the picture {name} {told}." in text


def test_the_page_carries_its_own_files(tmp_path):
    found = outline(small(), tmp_path)
    files = {a["download"]: a["href"] for _, a in found.elements if "download" in a}
    assert set(files) == {"table.csv", "knobs.csv", "table.md", "table.tex", "results.json"}
    assert base64.b64decode(files["table.csv"].split(",", 1)[1]).startswith(b"row,kind,trial")


def test_a_half_done_search_says_so(tmp_path):
    text = outline(made_up_search.half_done(), tmp_path).text
    for part in ("not finished", "5 of 12", "Best validation Dice so far", "not yet", "No answer yet"):
        assert part in text
    assert "None" not in text
    assert not re.search(r"\bnan\b", text)


def test_an_empty_search_has_a_page(tmp_path):
    text = outline(EMPTY, tmp_path).text
    assert "0 of 12" in text
    assert "None" not in text.replace("None recorded", "")


def test_missing_importances_say_why(tmp_path):
    made = dataclasses.replace(made_up_search.half_done(), no_importances="fewer than 5 trials are complete")
    assert "Importances fewer than 5 trials are complete" in outline(made, tmp_path).text


def test_a_reference_without_a_score_is_named_in_the_warnings(tmp_path):
    failed = dataclasses.replace(small().references[1].replicates[0], state="failed")
    references = (small().references[0], ReferenceResults(label="Target supervised", replicates=(failed, failed)))
    text = outline(small(references=references), tmp_path).text
    assert "No share of target supervised: 'Target supervised' has no finished run" in text


def test_early_stopping_is_judged_on_the_page(tmp_path):
    text = outline(made_up_search.finished(), tmp_path).text
    assert "Trial 6 was cut at epoch 6" in text
    assert "Epochs at which curves cross (rank correlation below 0.7): 6." in text
    assert "ASHA (grace 6, reduction 2)" in text
    none = made_up_search.design(scheduler=dataclasses.replace(made_up_search.design().scheduler, name="none"))
    without = dataclasses.replace(made_up_search.finished(), design=none)
    assert "No scheduler was used" in outline(without, tmp_path).text
