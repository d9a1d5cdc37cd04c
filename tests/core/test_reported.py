from dataclasses import replace

from medsearch.core.reported import Reported, find, relabelled

VALUE = Reported(paper="A", where="Table 1", page=1, row="ours", column="T1 → T2", metric="dice", value=0.5)


def test_a_value_is_found_by_its_labels_and_metric() -> None:
    share = replace(VALUE, metric="share", value=0.9)
    assert find([share, VALUE], row="ours", column="T1 → T2", metric="dice") is VALUE
    assert find([share, VALUE], row="ours", column="T1 → T2", metric="assd") is None
    assert find([share, VALUE], row="theirs", column="T1 → T2", metric="dice") is None


def test_another_column_is_not_this_one() -> None:
    assert find([VALUE], row="ours", column="T2 → T1", metric="dice") is None


def test_a_column_that_names_a_metric_is_that_metric_of_any_task() -> None:
    values = [replace(VALUE, column="VS Dice"), replace(VALUE, column="VS ASSD", metric="assd", value=0.4)]
    found = find(values, row="ours", column="T1ce → hrT2", metric="assd")
    assert found is not None
    assert found.value == 0.4


def test_a_value_without_a_column_holds_in_all() -> None:
    value = replace(VALUE, column="")
    assert find([value], row="ours", column="20%", metric="dice") is value
    assert find([value, VALUE], row="ours", column="20%", metric="dice") is None


def test_two_metric_columns_leave_no_guess() -> None:
    values = [replace(VALUE, column="VS Dice"), replace(VALUE, column="Cochlea Dice")]
    assert find(values, row="ours", column="T1ce → hrT2", metric="dice") is None


def test_labels_of_a_study_replace_those_of_the_paper() -> None:
    (renamed,) = relabelled([VALUE], rows={"ours": "MoDATTS"}, columns={"another": "x"})
    assert renamed == replace(VALUE, row="MoDATTS")
