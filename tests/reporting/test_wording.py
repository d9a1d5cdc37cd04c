import pytest

from medsearch.reporting.wording import duration, html, knob_names, listed, number, oracle_chose, selection_rule, tex


def test_names_are_as_short_as_they_can_be_told_apart():
    names = knob_names(
        ["translation.weights.seg", "segmentation.weights.seg", "segmentation.weights.rec", "task.source"]
    )
    assert [name.text for name in names.values()] == ["λ_translation seg", "λ_segmentation seg", "λ_rec", "source"]


def test_equal_paths_have_one_name():
    assert len(knob_names(["a.b", "a.b"])) == 1
    assert knob_names(["weights"])["weights"].text == "weights"


def test_a_weight_in_every_notation():
    name = knob_names(["segmentation.weights.rec"])["segmentation.weights.rec"]
    assert name.html == "λ<sub>rec</sub>"
    assert name.tex == r"$\lambda_{\mathrm{rec}}$"
    assert name.mathtext == r"$\lambda_\mathrm{rec}$"


@pytest.mark.parametrize(
    ("value", "text"),
    [(100.0, "100"), (0.0312, "0.0312"), (57.594, "57.6"), (1e-4, "0.0001"), (1e-5, "1e-5"), (3e8, "3e8"),
     (12345.6, "12346"), (True, "True"), ("batch", "batch"), (None, "–"), (float("nan"), "nan")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.4, "0.4 s"),
        (41, "41 s"),
        (59.97, "60 s"),
        (372, "6 min 12 s"),
        (11100, "3 h 05 min"),
        (3 * 86400, "3 d 0 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_lists():
    assert [listed([]), listed("a"), listed("ab"), listed("abc")] == ["", "a", "a and b", "a, b and c"]


def test_latex_knows_our_symbols_and_escapes_the_rest():
    assert tex(r"50% of λ_rec & x_1 \ [a]") == r"50\% of $\lambda_{\mathrm{rec}}$ \& x\_1 \textbackslash{} {[}a{]}"


def test_html_is_escaped_before_it_is_ours():
    assert html("λ_rec <b>") == "λ<sub>rec</sub> &lt;b&gt;"
    assert html("79–99% of") == "<span class='whole'>79–99%</span> of"


def test_an_oracle_sees_labels_or_pairs():
    assert selection_rule("oracle", "labels").startswith("target labels (oracle)")
    assert selection_rule("oracle", "pairs") == "pairs (oracle): an upper bound, not unsupervised synthesis"
    assert selection_rule("none", "pairs") == selection_rule("none", "labels")
    assert oracle_chose("the weights", "labels") == "target labels chose the weights: no unsupervised adaptation."
    assert "label" not in oracle_chose("the configuration", "pairs")
