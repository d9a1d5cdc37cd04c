"""A verdict compares like with like: a pooled Dice with the pooled one, a mean over cases with the mean over cases."""

import csv
import dataclasses
import io
from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.reported import Reported
from medsearch.metrics.overlap import MicroDice
from medsearch.reporting.ablation.cells import title_of
from medsearch.reporting.ablation.charts import bars
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.narrative import caption
from medsearch.reporting.results import Replicate
from tests.reporting.ablation.ablation_results import column, results
from tests.reporting.written import files, page

POOLED, MEAN = "test/dice_micro", "test/dice"
PAPER = Reported(
    paper="P", where="Table 1", page=1, row="ours", column="task", metric="dice", value=0.5, selection="oracle",
    cohort="brats2020", unit="diseased halves",
)  # fmt: skip


def spheres(seed: int, *, cases: int = 37, off: float = 4.0, grown: float = 1.0) -> Replicate:
    """Tumours as spheres of BraTS-like volumes (median 80 ml), each found as large but `off` mm aside, in one seed."""
    draw = np.random.default_rng([7, cases])
    radii = (3 * 1e3 * np.exp(draw.normal(np.log(80), 0.75, cases)) / (4 * pi)) ** (1 / 3)
    micro, rows = MicroDice(), []
    for place, radius in enumerate(radii * grown):
        aside = min(off * (1 + 0.01 * seed), 2 * radius)
        both, sizes = pi * (4 * radius + aside) * (2 * radius - aside) ** 2 / 12, 2 * 4 / 3 * pi * radius**3
        micro.count(both, sizes)
        rows.append({"subject": f"case-{place}", "dice": 2 * both / sizes})
    metrics = {MEAN: float(np.mean([row["dice"] for row in rows])), POOLED: micro.value}
    return Replicate(seed=seed, metrics=metrics, cases=tuple(rows), unit="diseased halves")


def seeds(**changes: float) -> tuple[Replicate, ...]:
    return tuple(spheres(seed, **changes) for seed in (0, 1, 2))


def mean_of(replicates: tuple[Replicate, ...], metric: str) -> float:
    return float(np.mean([run.metrics[metric] for run in replicates]))


def of(*reported: Reported, rows: dict[str, tuple[Replicate, ...]] | None = None, **design) -> Measures:
    return Measures(results(rows or {"ours": seeds()}, reported=reported, **design))


def printed(value: float, statistic: str, **changes) -> Reported:
    return dataclasses.replace(PAPER, value=value, statistic=statistic, **changes)


@settings(max_examples=25, deadline=None)
@given(off=st.floats(3.0, 6.0), cases=st.integers(20, 60))
def test_the_verdict_follows_the_statistic_that_is_named(off: float, cases: int) -> None:
    """On spheres the two differ by what would turn a verdict; what agrees by one is lower or higher by the other."""
    measured = seeds(off=off, cases=cases)
    by_case, pooled = mean_of(measured, MEAN), mean_of(measured, POOLED)
    assert 0.005 < pooled - by_case < 0.06
    margin = (pooled - by_case) / 2
    for value, statistic, kind in (
        (pooled, "pooled", "agrees"),
        (pooled, "mean over cases", "lower"),
        (by_case, "pooled", "higher"),
        (by_case, "mean over cases", "agrees"),
    ):
        found = of(printed(value, statistic), rows={"ours": measured}, margin=margin)
        ((key, verdict),) = found.verdicts.items()
        assert (key[2], verdict.kind) == (POOLED if statistic == "pooled" else MEAN, kind)
        assert ("pooled" in verdict.reason) == (statistic == "pooled")


@pytest.mark.parametrize("off", [4.0, 5.0, 6.0])
def test_at_the_dice_of_the_papers_the_two_differ_by_as_much_as_half_a_margin(off: float) -> None:
    measured = seeds(off=off)
    assert 0.82 < mean_of(measured, MEAN) < 0.89
    assert 0.015 < mean_of(measured, POOLED) - mean_of(measured, MEAN) < 0.042


def test_a_pooled_dice_has_a_value_per_seed_and_none_per_case() -> None:
    measures = of(printed(0.9, "pooled", spread=0.01, spread_of="seeds", n=3))
    cell = measures.get("ours", "task", POOLED)
    assert cell is not None
    assert (cell.seeds.n, cell.cases.n, cell.cases.sd) == (3, 0, None)
    assert "over 3 seeds here and 3 in the paper" in measures.verdicts[cell.key].reason
    assert cell.key not in measures.comparisons


def test_the_table_shows_both_and_the_reported_value_beside_its_own() -> None:
    measures = of(printed(0.9, "pooled", spread=0.01, spread_of="seeds", n=3))
    assert [title_of(block, measures) for block in measures.blocks] == ["task, Dice", "task, Dice, voxels pooled"]
    (head, _, line), *_ = (
        part.splitlines() for part in files(measures.results)["table.md"].split("\n\n") if part.startswith("|")
    )
    cells = [part.strip() for part in line.strip("|").split("|")]
    assert [part.strip() for part in head.strip("|").split("|")][1:] == [
        "task, Dice: Measured", *(f"task, Dice, voxels pooled: {part}" for part in ("Measured", "Reported", "Verdict")),
    ]  # fmt: skip
    assert cells[1].startswith(f"{mean_of(seeds(), MEAN):.3f}")
    assert cells[2].startswith(f"{mean_of(seeds(), POOLED):.3f}")
    assert cells[3] == "0.900 ± 0.010 (3 seeds)"


def test_the_csv_has_a_line_for_each_statistic() -> None:
    measures = of(printed(0.9, "pooled", contradiction="Table 2 prints 0.8"))
    texts = files(measures.results)
    by_case, pooled = csv.DictReader(io.StringIO(texts["table.csv"]))
    assert (by_case["metric"], by_case["statistic"], by_case["reported"]) == (MEAN, "mean over cases", "")
    assert (pooled["metric"], pooled["statistic"], pooled["reported"]) == (POOLED, "pooled", "0.9")
    assert (pooled["reported_statistic"], pooled["contradiction"]) == ("pooled", "Table 2 prints 0.8")
    assert pooled["sd_cases"] == pooled["undefined_cases"] == ""
    assert {line["metric"] for line in csv.DictReader(io.StringIO(texts["cases.csv"]))} == {MEAN}


def test_without_a_pooled_value_in_the_paper_there_is_no_pooled_column() -> None:
    assert [metric for _, metric in of(printed(0.9, "mean over cases")).blocks] == [MEAN]
    assert [metric for _, metric in of().blocks] == [MEAN]


def test_each_column_has_the_statistic_that_the_paper_prints_of_it() -> None:
    """As Table 5.5: pooled on BraTS, means over cases on CrossMoDA."""
    brats, crossmoda = column("BraTS"), column("CrossMoDA")
    values = printed(0.9, "pooled", column="BraTS"), printed(0.9, "mean over cases", column="CrossMoDA")
    measures = of(*values, columns=(brats, crossmoda))
    assert [(one.label, metric) for one, metric in measures.blocks] == [
        ("BraTS", MEAN), ("BraTS", POOLED), ("CrossMoDA", MEAN),
    ]  # fmt: skip
    assert {key[1:] for key in measures.verdicts} == {("BraTS", POOLED), ("CrossMoDA", MEAN)}
    told = "\n".join(caption(measures))
    assert (
        "BraTS: the paper's values, and the shares and changes made of them, are pooled over all scored units" in told
    )
    assert "stand beside “Dice, voxels pooled”" in told
    assert "CrossMoDA: the paper's values, and the shares and changes made of them, are means over test cases" in told


def test_the_caption_says_what_was_assumed_and_where_the_paper_contradicts_itself(tmp_path) -> None:
    value = printed(0.9, "pooled", assumed="section 1 does not say it", contradiction="Table 2 prints 0.8")
    measures = of(value, dataclasses.replace(value, row="theirs", contradiction="Table 3 prints 0.7"))
    told = caption(measures)
    assert "Assumed of the paper: section 1 does not say it." in told
    assert "The paper contradicts itself on “ours”: Table 2 prints 0.8." in told
    assert "The paper contradicts itself on “theirs”: Table 3 prints 0.7." in told
    assert any(line.startswith("Dice, voxels pooled: mean ± sample SD over seeds of one Dice of all") for line in told)
    assert any("(diseased halves). It is a run's and no case's, so it has no SD over cases" in line for line in told)
    shown = page(measures.results, tmp_path)
    for words in ("section 1 does not say it", "Table 2 prints 0.8", "Dice, voxels pooled"):
        assert words in shown


def test_where_the_statistic_is_assumed_and_decides_it_is_said() -> None:
    pooled = mean_of(seeds(), POOLED)
    said, assumed = printed(pooled, "pooled"), printed(pooled, "pooled", assumed="as the code prints it")
    (of_said,) = of(said, margin=0.01).verdicts.values()
    (of_assumed,) = of(assumed, margin=0.01).verdicts.values()
    assert of_said.kind == of_assumed.kind == "agrees"
    assert not of_said.notes
    (note,) = of_assumed.notes
    assert note == "that the paper's value is pooled is assumed; the mean over cases would be “lower”"


def test_what_did_not_measure_the_pooled_one_is_not_comparable() -> None:
    rows = {"ours": tuple(dataclasses.replace(run, metrics={MEAN: run.metrics[MEAN]}) for run in seeds())}
    (found,) = of(printed(0.9, "pooled"), rows=rows).verdicts.values()
    assert (found.kind, found.reason) == (
        "not comparable", "another statistic: mean over cases here, pooled in the paper",
    )  # fmt: skip


def test_a_pooled_value_of_a_metric_that_nobody_pools_is_not_comparable() -> None:
    rows = {"ours": tuple(dataclasses.replace(run, metrics={"test/assd": 2.0}) for run in seeds())}
    measures = of(printed(0.9, "pooled", metric="assd"), rows=rows, metrics=("test/assd",))
    ((key, found),) = measures.verdicts.items()
    assert (key[2], found.reason) == ("test/assd", "another statistic: mean over cases here, pooled in the paper")


def test_other_scored_units_are_not_comparable() -> None:
    (found,) = of(printed(0.9, "pooled", unit="diseased slices")).verdicts.values()
    assert found.reason == "scored on other ground: diseased halves here, diseased slices in the paper"


def test_shares_and_changes_are_of_the_statistic_of_the_papers_own() -> None:
    """A row of larger tumours loses less by the pooled Dice than by the mean over cases."""
    rows = {"whole": seeds(off=3.0), "less": seeds(off=6.0)}
    ratio = {metric: mean_of(rows["less"], metric) / mean_of(rows["whole"], metric) for metric in (MEAN, POOLED)}
    assert ratio[POOLED] - ratio[MEAN] > 0.01
    share = printed(0.9, "pooled", row="less", metric="share")
    change = printed(100 * (ratio[POOLED] - 1), "pooled", row="less", metric="change")
    measures = of(share, change, rows=rows, supervised="whole", against={"less": "whole"})
    for metric in (MEAN, POOLED):
        cell = measures.get("less", "task", metric)
        assert cell is not None
        found = measures.share(cell)
        assert found is not None
        assert found.estimate == pytest.approx(ratio[metric])
        assert (measures.reported_share(cell) is share) == (metric == POOLED)
        moved = measures.changes[cell.key]
        assert moved.seeds.mean == pytest.approx(100 * (ratio[metric] - 1), abs=0.2)
        assert (moved.reported is change) == (metric == POOLED)
    ((key, verdict),) = measures.verdicts.items()
    assert (key, verdict.kind) == (("less", "task", f"{POOLED}_change"), "agrees")


def test_a_mean_share_over_columns_is_of_the_papers_statistic() -> None:
    rows = {"whole": seeds(off=3.0), "less": seeds(off=6.0)}
    value = printed(0.9, "pooled", row="less", metric="share", column="mean of 2 pairs")
    measures = of(value, rows=rows, supervised="whole", columns=(column("A"), column("B")))
    (mean,) = measures.mean_shares
    assert mean.columns == 2
    assert mean.mean == pytest.approx(mean_of(rows["less"], POOLED) / mean_of(rows["whole"], POOLED))


def test_a_figure_is_of_one_statistic() -> None:
    values = printed(0.9, "pooled", column="BraTS"), printed(0.8, "mean over cases", column="CrossMoDA")
    measures = of(*values, columns=(column("BraTS"), column("CrossMoDA")))
    by_case, pooled = bars(measures, MEAN), bars(measures, POOLED)
    assert by_case is not None
    assert pooled is not None
    assert (by_case.y, pooled.y) == ("Test Dice", "Test Dice, voxels pooled")
    assert (by_case.groups, pooled.groups) == (("BraTS", "CrossMoDA"), ("BraTS",))
    assert [(one.column, one.reported) for one in by_case.marks] == [("BraTS", None), ("CrossMoDA", 0.8)]
    assert [(one.column, one.reported) for one in pooled.marks] == [("BraTS", 0.9)]


def test_what_a_test_stage_scored_is_collected(results) -> None:
    assert {run.unit for run in results.replicates} == {"", "diseased halves"}
    assert all(run.unit for run in results.replicates if run.state == "complete")
