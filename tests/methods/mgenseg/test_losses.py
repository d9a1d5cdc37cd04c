import pytest
import torch

from medsearch.methods.mgenseg import losses


def test_segmentation_is_dice_of_the_image_and_of_its_translation() -> None:
    y = torch.tensor([[1.0, 0.0]])
    right, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert losses.segmentation(y, right).item() == pytest.approx(-1)
    assert losses.segmentation(y, right, wrong).item() == pytest.approx(-1 - 1 / 3)
    assert losses.segmentation(y).item() == 0
