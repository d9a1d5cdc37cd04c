"""The knob `translation.imagenet`, from a recipe to both encoders; `load_imagenet` has tests of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.core.recipes import override
from medsearch.methods.modatts import MODATTS
from medsearch.methods.modatts.networks import imagenet
from medsearch.methods.modatts.networks.config import TransUNetConfig
from medsearch.methods.modatts.networks.transunet import TransUNetEncoder
from medsearch.methods.modatts.recipe import TranslationRecipe
from medsearch.methods.modatts.translation import start_encoders
from medsearch.methods.modatts.translator import Translator


def test_a_file_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    method = MODATTS.at("tiny")
    recipe = override(method.recipe, {"translation.imagenet": str(tmp_path / "R50+ViT-B_16.npz")})
    with pytest.raises(BadInput, match=r"translation\.imagenet.*R50\+ViT-B_16\.npz"):
        method.pipeline(recipe, selection="source")
    (tmp_path / "R50+ViT-B_16.npz").touch()
    assert method.pipeline(recipe, selection="source").nodes


def test_both_encoders_start_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "R50+ViT-B_16.npz"
    stored = TransUNetEncoder(TransUNetConfig.at("tiny"))
    np.savez(file, **{str(n): weight.detach().numpy() for n, (_, weight, _) in enumerate(imagenet._all(stored))})

    def by_number(encoder: TransUNetEncoder) -> list[imagenet.Wanted]:
        """In the layout of the file above: that of the encoder itself."""
        return [(str(n), weight, lambda array: array) for n, (_, weight, _) in enumerate(everything(encoder))]

    everything = imagenet._all
    monkeypatch.setattr(imagenet, "_all", by_number)
    recipe = TranslationRecipe(network=TransUNetConfig.at("tiny"), imagenet=str(file))
    translator = Translator(recipe)
    assert start_encoders(translator, recipe.imagenet) == str(file)
    for encoder in (translator.encode_s, translator.encode_t):
        for name, weight in stored.state_dict().items():
            torch.testing.assert_close(encoder.state_dict()[name], weight)
