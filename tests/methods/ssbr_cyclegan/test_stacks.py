import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.methods.ssbr_cyclegan import losses
from medsearch.methods.ssbr_cyclegan.recipe import RegressorWeights
from medsearch.methods.ssbr_cyclegan.regression import Sampling, StackBatch, require_slices, stack, stacks

SAMPLINGS: tuple[Sampling, ...] = ("equal-steps", "random")


@given(size=st.integers(2, 12), more=st.integers(0, 90), sampling=st.sampled_from(SAMPLINGS), seed=st.integers(0, 99))
def test_a_stack_rises_from_the_first_slice_to_the_last(size: int, more: int, sampling: Sampling, seed: int) -> None:
    numbers = stack(size + more, size, sampling=sampling, rng=np.random.default_rng(seed))
    assert len(numbers) == size
    assert (numbers[0], numbers[-1]) == (0, size + more - 1)
    assert (np.diff(numbers) > 0).all()
    if sampling == "equal-steps":
        assert len(set(np.diff(numbers[1:-1]).tolist())) <= 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_every_slice_between_is_drawn_at_some_time(sampling: Sampling) -> None:
    rng = np.random.default_rng(0)
    drawn = {number for _ in range(500) for number in stack(20, 5, sampling=sampling, rng=rng).tolist()}
    assert drawn == set(range(20))


def test_volumes_come_once_while_there_are_enough_and_equal_generators_draw_alike() -> None:
    def drawn(volumes: int) -> list[int]:
        rng = np.random.default_rng(3)
        return [which for which, _ in stacks([9, 12, 30], volumes=volumes, size=4, sampling="random", rng=rng)]

    assert len(set(drawn(2))) == 2
    assert sorted(drawn(7)).count(0) in (2, 3)
    assert drawn(7) == drawn(7)


def test_parts_of_a_batch_add_up_to_the_sums_of_the_whole() -> None:
    rng = torch.Generator().manual_seed(0)
    s, x = torch.randn(5, 4, generator=rng), torch.zeros(5, 4, 1, 8, 8)
    batch = StackBatch(x, torch.rand(5, 4, 8, 8, generator=rng) > 0.4, 5)
    whole = losses.total(s, batch.bm, RegressorWeights())
    parts = [(slice(0, 2), 2 / 5), (slice(2, 5), 3 / 5)]
    for name, expected in whole.items():
        found = sum(
            share * batch[part].emphasis * losses.total(s[part], batch[part].bm, RegressorWeights())[name]
            for part, share in parts
        )
        torch.testing.assert_close(found, expected)


def test_a_region_that_is_too_short_is_refused_by_its_case() -> None:
    require_slices({"a": 8}, 8)
    with pytest.raises(BadInput, match=r"region of PANCREAS_0007 has 7 slices, .* regressor\.slices"):
        require_slices({"a": 8, "PANCREAS_0007": 7}, 8)
    with pytest.raises(BadInput, match=r"regressor\.slices = 1"):
        require_slices({}, 1)
