from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from medsearch.core.errors import BadInput
from medsearch.core.files import digest
from medsearch.methods.ssbr_cyclegan.recipe import RegressorConfig
from medsearch.methods.ssbr_cyclegan.regression import Regressor, scores, start_from_imagenet
from medsearch.training.runtime import Runtime

MICRO = RegressorConfig(width=2, units=(1, 2, 1, 1))


def begun(config: RegressorConfig = MICRO, seed: int = 0) -> Regressor:
    torch.manual_seed(seed)
    return Regressor(config).eval()


def published(of: Regressor, **others: Tensor) -> dict[str, Tensor]:
    """As torchvision would have stored an ImageNet network: three channels in, a thousand classes out."""
    own = {name: tensor.clone() for name, tensor in of.network.state_dict().items() if not name.startswith("fc.")}
    parts = torch.randn(3, 1, 1).abs()
    own["conv1.weight"] = own["conv1.weight"] * (parts / parts.sum())
    return {**own, "fc.weight": torch.zeros(1000, 16), "fc.bias": torch.zeros(1000), **others}


def by_torchvisions_recipe(x: Tensor, of: dict[str, Tensor], units: tuple[int, ...]) -> Tensor:
    """ResNet of basic blocks, from the paper's figure and torchvision's names."""

    def conv(x: Tensor, name: str, **how: int) -> Tensor:
        return F.conv2d(x, of[f"{name}.weight"], **how)

    def norm(x: Tensor, name: str) -> Tensor:
        parts = (of[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts)

    x = F.max_pool2d(F.relu(norm(conv(x, "conv1", stride=2, padding=3), "bn1")), 3, stride=2, padding=1)
    for stage, count in enumerate(units, 1):
        for unit in range(count):
            at, stride = f"layer{stage}.{unit}", 2 if stage > 1 and unit == 0 else 1
            y = F.relu(norm(conv(x, f"{at}.conv1", stride=stride, padding=1), f"{at}.bn1"))
            y = norm(conv(y, f"{at}.conv2", padding=1), f"{at}.bn2")
            if f"{at}.downsample.0.weight" in of:
                x = norm(conv(x, f"{at}.downsample.0", stride=stride), f"{at}.downsample.1")
            x = F.relu(x + y)
    return F.linear(x.mean((2, 3)), of["fc.weight"], of["fc.bias"])


def test_the_paper_s_size_is_resnet_34s() -> None:
    with torch.device("meta"):
        network = Regressor(RegressorConfig())
        assert sum(weight.numel() for weight in network.parameters()) == 21_278_913
        assert len(network.network.state_dict()) == 218
        assert network(torch.zeros(2, 1, 128, 128)).shape == (2,)


def test_it_is_torchvisions_form() -> None:
    regressor, x = begun(), torch.randn(3, 1, 40, 36)
    expected = by_torchvisions_recipe(x, regressor.network.state_dict(), MICRO.units).squeeze(1)
    torch.testing.assert_close(regressor(x), expected)


@pytest.mark.parametrize("scale", ["small", "tiny"])
def test_smaller_scales_take_smaller_slices(scale: str) -> None:
    regressor = begun(RegressorConfig.at(scale))
    assert regressor.stacks(torch.zeros(2, 3, 1, 64, 64)).shape == (2, 3)
    assert sum(weight.numel() for weight in regressor.parameters()) < 3_000_000


def test_a_stack_is_scored_as_its_slices_are() -> None:
    regressor, x = begun(), torch.randn(2, 3, 1, 32, 32)
    torch.testing.assert_close(regressor.stacks(x)[1, 2], regressor(x[1, 2:])[0])


def test_a_patient_is_scored_in_parts() -> None:
    regressor, slices = begun(), np.random.default_rng(0).standard_normal((70, 32, 32), dtype=np.float32)
    found = scores(regressor, slices, Runtime())
    assert found.shape == (70,)
    np.testing.assert_allclose(scores(regressor, slices, Runtime(micro_batch=9)), found, atol=1e-5)
    np.testing.assert_allclose(found, regressor(torch.from_numpy(slices)[:, None]).detach(), atol=1e-5)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_it_starts_from_imagenet_on_the_sum_of_three_channels(tmp_path: Path, suffix: str) -> None:
    from safetensors.torch import save_file

    given, regressor, file = begun(), begun(seed=1), tmp_path / f"resnet34.{suffix}"
    given.network.bn1.running_mean += 1
    (torch.save if suffix == "pth" else save_file)(published(given), file)
    output = regressor.network.fc.weight.clone()
    assert start_from_imagenet(regressor, str(file)) == digest(str(file), knob="", wanted="")
    torch.testing.assert_close(regressor.network.conv1.weight, given.network.conv1.weight)
    torch.testing.assert_close(regressor.network.bn1.running_mean, given.network.bn1.running_mean)
    assert torch.equal(regressor.network.fc.weight, output)
    assert start_from_imagenet(regressor, "") == "random"


def test_a_wrong_file_changes_nothing_and_is_refused_in_one_line(tmp_path: Path) -> None:
    regressor, file = begun(seed=1), tmp_path / "resnet34.pth"
    before = {name: tensor.clone() for name, tensor in regressor.state_dict().items()}
    whole = published(begun())
    for content, complaint in (
        (
            {name: tensor for name, tensor in whole.items() if name != "layer4.0.bn2.bias"},
            "no tensor 'layer4.0.bn2.bias'",
        ),
        ({**whole, "layer1.1.conv1.weight": torch.zeros(2, 2, 3, 3)}, "'layer1.1.conv1.weight' has no place"),
        ({**whole, "layer1.0.conv1.weight": torch.zeros(2, 2, 1, 1)}, "does not fit the network's"),
        ({**whole, "conv1.weight": torch.zeros(2)}, "does not fit the network's"),
        ({}, "no tensor 'conv1.weight'; the file should be an ImageNet ResNet-34"),
    ):
        torch.save(content, file)
        with pytest.raises(BadInput, match=complaint) as refused:
            start_from_imagenet(regressor, str(file))
        assert len(str(refused.value).splitlines()) == 1
    for missing in (tmp_path / "nowhere.pth", tmp_path):
        with pytest.raises(BadInput, match="not a readable checkpoint"):
            start_from_imagenet(regressor, str(missing))
    assert all(torch.equal(before[name], tensor) for name, tensor in regressor.state_dict().items())


def test_a_config_that_fits_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match=r"knob 'units' .* of 1 or more"):
        Regressor(RegressorConfig(units=(1, 0, 1, 1)))
