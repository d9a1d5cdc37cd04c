"""`medsearch reported`: what it finds, how it writes it, and that it needs no heavy library."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

from medsearch.cli import main
from medsearch.cli.reported import FIELDS, Entry, _table, entries
from medsearch.core.reported import Reported
from medsearch.core.spreadsheets import read_csv
from medsearch.methods.modatts.reported import REPORTED

VALUE = """
from medsearch.core.reported import Reported
REPORTED = {"Table 1": (Reported(paper="%s", where="Table 1", page=3, row="r", column="c", metric="dice", value=0.5),)}
"""


def written(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    main(["reported", *options])
    return capsys.readouterr().out


def test_json_holds_every_value_with_all_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(written(capsys, "--format", "json"))
    assert [tuple(entry) for entry in found] == [FIELDS] * len(found)
    ours = [entry for entry in found if entry["method"] == "modatts"]
    assert [(entry["table"], entry["row"], entry["value"]) for entry in ours] == [
        (table, value.row, value.value) for table, values in REPORTED.items() for value in values
    ]
    (cell,) = [e for e in ours if (e["table"], e["row"], e["column"], e["metric"]) ==
               ("Table 5.5", "w/o A → P", "CrossMoDA : T1ce → hrT2", "dice")]  # fmt: skip
    assert (cell["value"], cell["spread"], cell["spread_of"], cell["n"], cell["page"]) == (
        0.666,
        0.222,
        "cases",
        64,
        78,
    )


def test_csv_says_what_json_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, "--format", "csv")
    found = json.loads(written(capsys, "--format", "json"))
    said = [{name: "" if value is None else str(value) for name, value in entry.items()} for entry in found]
    assert read_csv(text) == said
    disarmed = {line["row"] for line in csv.DictReader(StringIO(text)) if line["row"].startswith("'")}
    assert disarmed == {"'+L_ACL", "'+ input addition", "'+ binary mask"}


def test_the_table_shows_spread_page_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys).splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(": Table 5.5"))
    row = next(line for line in lines[start:] if "w/o dual-use" in line)
    assert row.split() == [
        "w/o",
        "dual-use",
        "Res./Seg.",
        "BraTS",
        ":",
        "T1",
        "→",
        "T2",
        "dice",
        "0.739",
        "±",
        "0.008",
        "3",
        "seeds",
        "pooled,",
        "diseased",
        "halves",
        "p.",
        "78",
        "[1][2][5]",
    ]
    notes = [next(line for line in lines[start:] if line.startswith(f"  [{number}]")) for number in (1, 2, 5)]
    assert notes[0].startswith("  [1] selection rule inferred")
    assert notes[1].startswith(
        "  [2] statistic: section 5.5.1 averages the test Dice of three runs and does not say of"
    )
    assert notes[2].startswith("  [5] the paper contradicts itself: section 5.5.6 prints −0.31 (BraTS) and −0.20")


def test_a_relative_change_is_shown_in_percent(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "--paper", "mgenseg").splitlines()
    (row,) = (line for line in lines if "No image-level supervision" in line)
    assert row.split()[3:] == [
        "Target",
        "modality",
        "change",
        "-8.22",
        "±",
        "2.71",
        "%",
        "pooled,",
        "diseased",
        "slices",
        "p.",
        "49",
        "[1][2]",
    ]


def test_a_change_without_a_spread_has_its_percent_all_the_same() -> None:
    value = Reported(paper="A", where="T", page=1, row="r", column="c", metric="change", value=-8.2)
    assert "  -8.20 %  " in table_of(value)
    assert "  98.0%  " in table_of(replace(value, metric="share", value=0.98))


def test_a_value_in_another_unit_is_shown_as_printed() -> None:
    value = Reported(
        paper="A", where="T", page=1, row="r", column="c", metric="mse", value=0.1005, spread=0.0289,
        printed="10,05 (2,89) × 10⁻²",
    )  # fmt: skip
    assert "  mse  10,05 (2,89) × 10⁻²  " in table_of(value)
    assert "0.1" not in table_of(value)


def table_of(value: Reported) -> str:
    out = StringIO()
    _table([Entry("m", "T", value)], out)
    return out.getvalue()


def test_a_paper_is_chosen_by_a_part_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Table 5.5" in written(capsys, "--paper", "modatts")
    with pytest.raises(SystemExit) as end:
        main(["reported", "--paper", "another"])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "no paper 'another'; there are: " in error
    assert "MoDATTS" in error
    assert len(error.strip().splitlines()) == 1


def test_a_new_method_is_found_without_a_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method, text in (("a", None), ("b", VALUE % "B"), ("c", VALUE % "C")):
        package = tmp_path / "some_methods" / method
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        if text:
            (package / "reported.py").write_text(text)
    (tmp_path / "some_methods" / "__init__.py").touch()
    (tmp_path / "some_methods" / "reported.py").write_text("raise RuntimeError('no method')")
    monkeypatch.syspath_prepend(tmp_path)
    found = list(entries(import_module("some_methods")))
    assert [(entry.method, entry.value.paper) for entry in found] == [("b", "B"), ("c", "C")]


def test_it_imports_nothing_heavy() -> None:
    script = """
import sys
from medsearch.cli import main
main(["reported"])
heavy = {"torch", "monai", "ray", "mlflow", "optuna", "pandas", "scipy", "statsmodels", "SimpleITK", "matplotlib"}
sys.exit(", ".join(sorted(heavy & set(sys.modules))) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
