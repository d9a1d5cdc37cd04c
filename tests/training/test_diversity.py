import pytest
import torch

from medsearch.training.diversity import diversity


def residuals(*maps: list[float]) -> torch.Tensor:
    """One image of three pixels under several codes."""
    return torch.tensor(maps, dtype=torch.float32).view(len(maps), 1, 1, 1, 3)


def test_diversity_is_0_where_codes_do_not_matter_and_1_where_tumours_never_meet() -> None:
    assert diversity(residuals([1, 2, 0], [1, 2, 0], [1, 2, 0])).tolist() == [0.0]
    assert diversity(residuals([1, 0, 0], [0, 2, 0], [0, 0, 3])).tolist() == [1.0]
    assert diversity(residuals([1, 0, 0], [1, 1, 0])).tolist() == [pytest.approx(1 / 3)]
    assert diversity(residuals([1, 0, 0], [-1, 0, 0])).tolist() == [1.0]


def test_no_tumour_at_all_is_no_diversity() -> None:
    """Faint residuals that differ are still nothing."""
    assert diversity(residuals([1e-5, 0, 0], [0, 1e-5, 0])).tolist() == [0.0]
