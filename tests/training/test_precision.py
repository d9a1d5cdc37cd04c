import pytest
import torch
from torch import nn

from medsearch.core.errors import BadInput
from medsearch.training.optimisers import adam, amsgrad
from medsearch.training.precision import autocast, prepare_torch, uses_bf16
from medsearch.training.recipes import OptimiserRecipe
from medsearch.training.runtime import Runtime


@pytest.mark.parametrize(("precision", "used"), [("auto", False), ("fp32", False), ("bf16", True)])
def test_a_cpu_takes_bf16_only_when_told_to(precision: str, used: bool) -> None:
    runtime = Runtime(precision=precision)
    assert uses_bf16(runtime) is used
    with autocast(runtime):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == (torch.bfloat16 if used else torch.float32)


def test_threads_and_determinism_are_the_runtimes() -> None:
    before = torch.get_num_threads()
    try:
        for threads, deterministic in ((2, True), (1, False)):
            prepare_torch(Runtime(threads=threads, deterministic=deterministic))
            assert torch.get_num_threads() == threads
            assert torch.are_deterministic_algorithms_enabled() is deterministic
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")
def test_a_gpu_that_torch_does_not_find_is_named_with_a_remedy() -> None:
    with pytest.raises(BadInput, match=r"was given a GPU on .*, but torch .* finds none .* --gpus-per-trial 0"):
        prepare_torch(Runtime(device="cuda"))


def test_both_forms_differ_in_amsgrad_alone() -> None:
    settings = OptimiserRecipe(lr=0.1)
    plain, with_it = adam([nn.Linear(1, 1)], settings, amsgrad=False), amsgrad([nn.Linear(1, 1)], settings)
    differing = {name for name, value in plain.defaults.items() if value != with_it.defaults[name]}
    assert differing == {"amsgrad"}


def test_amsgrad_is_adam_with_coupled_decay_on_what_can_be_trained() -> None:
    model = nn.Linear(1, 1)
    model.bias.requires_grad_(False)
    nn.init.constant_(model.weight, 2.0)
    optimiser = amsgrad([model], OptimiserRecipe(lr=0.1, betas=(0.5, 0.999), weight_decay=0.25))
    assert [len(group["params"]) for group in optimiser.param_groups] == [1]
    for gradient in (3.0, -1.0):
        model.weight.grad = torch.full((1, 1), gradient)
        optimiser.step()
    # by hand: coupled gradients g = 3 + 0.25·2 = 3.5, then -1 + 0.25·w1 with w1 = 2 - 0.1
    w1 = 2 - 0.1
    g = -1 + 0.25 * w1
    m = (0.5 * (0.5 * 3.5) + 0.5 * g) / (1 - 0.5**2)
    v = [0.001 * 3.5**2, 0.999 * 0.001 * 3.5**2 + 0.001 * g**2]
    w2 = w1 - 0.1 * m / ((max(v) / (1 - 0.999**2)) ** 0.5 + 1e-8)
    assert model.weight.item() == pytest.approx(w2, rel=1e-5)
