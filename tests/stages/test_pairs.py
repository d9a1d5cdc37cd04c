"""What is made of the given image of a pair, held against the wanted one."""

import numpy as np
import pytest

from medsearch.cohorts.views import Abdomen, SynthesisView
from medsearch.metrics.images import mse, psnr_of_slices, psnr_of_volume, ssim_uniform
from medsearch.stages.pairs import PairScores, made_pairs
from tests.micro_bodies import TASK, prepared_bodies

PART = frozenset({"paired.test.images"})


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> SynthesisView:
    return SynthesisView(prepared_bodies(tmp_path_factory.mktemp("bodies")), TASK, PART)


def as_given(of: Abdomen) -> np.ndarray:
    return of.images()


def test_every_pair_is_scored_by_what_was_made_of_it(view: SynthesisView) -> None:
    scores = PairScores()
    for pair in made_pairs(as_given, view, "test"):
        np.testing.assert_array_equal(pair.made, pair.given.images())
        scores.add(pair)
    assert [row["subject"] for row in scores.rows] == list(view.pairs("test"))
    for row in scores.rows:
        given, wanted = (of.images() for of in view.pair("test", str(row["subject"])))
        assert row["mse"] == pytest.approx(mse(given, wanted))
        assert row["psnr"] == pytest.approx(psnr_of_slices(given, wanted))
        assert row["psnr_volume"] == pytest.approx(psnr_of_volume(given, wanted))
        assert row["ssim"] == pytest.approx(ssim_uniform(given, wanted))
        assert row["mae"] == pytest.approx(1000 * np.abs(given - wanted).mean(), rel=1e-4)
        assert row["slices"] == len(given)
    assert scores.metrics("test")["test/mse"] == pytest.approx(np.mean([row["mse"] for row in scores.rows]))
    assert set(scores.notes["forms"]) == {"mse", "psnr", "psnr_volume", "ssim", "mae", "slices"}


def test_what_is_given_is_scored_as_if_nothing_were_made_of_it(view: SynthesisView) -> None:
    nothing, something = PairScores(), PairScores()
    for pair in made_pairs(as_given, view, "test"):
        nothing.add(pair)
    for pair in made_pairs(lambda of: of.images() * 0.5, view, "test"):
        something.add(pair)
    unchanged = {name.removeprefix("test/"): value for name, value in nothing.metrics("test").items()}
    assert unchanged == nothing.notes["given"] == something.notes["given"]
    assert something.metrics("test")["test/mse"] > unchanged["mse"]


def test_nothing_is_said_of_a_psnr_without_bound(view: SynthesisView) -> None:
    scores = PairScores()
    for pair in made_pairs(lambda of: view.pair("test", of.subject)[1].images(), view, "test"):
        scores.add(pair)
    assert scores.metrics("test") == {"test/mse": 0.0, "test/ssim": pytest.approx(1.0), "test/mae": 0.0}
    assert {row["psnr"] for row in scores.rows} == {None}
