"""What is known of a metric by its name."""

import pytest

from medsearch.reporting.metrics import METRICS, directions, full_heading, full_words, metric_of


@pytest.mark.parametrize(
    ("metric", "heading", "digits", "better"),
    [
        ("test/dice", "Dice", 3, "more"),
        ("test/mse", "MSE", 4, "less"),
        ("test/psnr", "PSNR (dB)", 2, "more"),
        ("test/ssim", "SSIM", 3, "more"),
        ("test/mae", "MAE (HU)", 1, "less"),
        ("test/hd95", "HD95 (mm)", 2, "less"),
        ("test/training_hours", "Training time (h)", 3, "less"),
        ("training/hours", "Training time (h)", 3, "less"),
    ],
)
def test_a_metric_is_known_by_its_name(metric: str, heading: str, digits: int, better: str) -> None:
    known = metric_of(metric)
    assert (known.heading, known.digits, known.better) == (heading, digits, better)
    assert known.margin is not None
    assert known.margin > 0


def test_of_another_nothing_is_known_but_its_name() -> None:
    known = metric_of("validation/mode_diversity")
    assert (known.heading, known.unit, known.better, known.margin) == ("mode diversity", "", "", None)


def test_names_with_their_split() -> None:
    found = [full_heading(metric) for metric in ("validation/ssim", "test/training_hours", "training/hours", "dice")]
    assert found == ["Validation SSIM", "Training time (h)", "Training time (h)", "Dice"]
    found = [full_words(metric) for metric in ("validation/ssim", "test/training_hours", "validation/cost")]
    assert found == ["validation SSIM", "training time (h)", "validation cost"]


def test_a_margin_is_less_than_what_the_papers_rows_lie_apart() -> None:
    """Paper 000, Table 1: PBS against all of the method, synthesising ceCT."""
    apart = {"mse": 0.1005 - 0.0637, "psnr": 18.14 - 16.14, "ssim": 0.681 - 0.576, "training_hours": 7.917 - 3.033}
    assert all((METRICS[name].margin or 0.0) < gap / 3 for name, gap in apart.items())


def test_a_caption_says_which_way_is_better_and_whose_the_time_is() -> None:
    assert list(directions(["test/dice", "test/ssim"])) == []
    less, time = directions(["test/mse", "test/ssim", "test/training_hours", "training/hours"])
    assert less == "Less is better in MSE and training time (h)."
    assert "one value per seed" in time
