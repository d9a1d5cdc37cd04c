from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from medsearch.core.errors import BadInput, Damaged
from medsearch.training.checkpoints import Checkpoint, load_modules, load_tensors, save_modules, save_tensors
from medsearch.training.optimisers import amsgrad
from medsearch.training.recipes import OptimiserRecipe


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def trained(model: nn.Module, optimiser: torch.optim.Optimizer, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    for _ in range(steps):
        optimiser.zero_grad()
        model(torch.randn(8, 3)).square().mean().backward()
        optimiser.step()


def test_training_goes_on_bit_for_bit_after_a_round_trip(tmp_path: Path) -> None:
    model = network(0)
    optimiser = amsgrad([model], OptimiserRecipe())
    trained(model, optimiser, 3, 1)
    Checkpoint(tmp_path, {"m": model}, {"g": optimiser}).save({"epoch": 3, "note": "ä"}, {"best": torch.arange(3)})
    other = network(7)
    again = amsgrad([other], OptimiserRecipe())
    state, extra = Checkpoint(tmp_path, {"m": other}, {"g": again}).load()
    assert state == {"epoch": 3, "note": "ä"}
    assert torch.equal(extra["best"], torch.arange(3))
    for one, two in ((model, optimiser), (other, again)):
        trained(one, two, 3, 2)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert all("max_exp_avg_sq" in slots for slots in again.state_dict()["state"].values())


def test_no_checkpoint_is_no_state(tmp_path: Path) -> None:
    model = network(0)
    assert Checkpoint(tmp_path, {"m": model}, {}).load() is None


def test_an_optimiser_that_has_not_stepped_comes_back_empty(tmp_path: Path) -> None:
    model = network(0)
    Checkpoint(tmp_path, {"m": model}, {"g": amsgrad([model], OptimiserRecipe())}).save({})
    optimiser = amsgrad([model], OptimiserRecipe())
    Checkpoint(tmp_path, {"m": model}, {"g": optimiser}).load()
    assert not optimiser.state_dict()["state"]


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"\0" * 64])
def test_a_file_that_is_not_whole_is_refused_by_name(tmp_path: Path, damage) -> None:
    path = tmp_path / "weights.safetensors"
    save_tensors(path, {"a": torch.randn(100)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Damaged, match=r"weights\.safetensors is no whole safetensors file"):
        load_tensors(path)


@given(st.integers(0, 99), st.integers(0, 7))
def test_a_flipped_bit_of_a_tensor_is_noticed(tmp_path_factory: pytest.TempPathFactory, byte: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("flipped") / "weights.safetensors"
    tensors = {
        "a": torch.randn(20),
        "b": torch.arange(20).to(torch.uint8),
        "c": torch.tensor(True),
        "d": torch.zeros(0),
    }
    save_tensors(path, tensors, {"epoch": 3})
    assert load_tensors(path)[1] == {"epoch": 3}
    content = bytearray(path.read_bytes())
    content[-1 - byte] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"weights\.safetensors was changed since it was written"):
        load_tensors(path)


@given(st.data(), st.integers(0, 7))
def test_a_flipped_bit_of_the_header_is_noticed_or_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, bit: int
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "state.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.arange(3)}
    save_tensors(path, tensors, {"epoch": 12, "best": [0.5, None]})
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << bit
    path.write_bytes(content)
    try:
        found, state = load_tensors(path)
    except Damaged:
        return
    assert state == {"epoch": 12, "best": [0.5, None]}
    assert found.keys() == tensors.keys()
    assert all(found[name].dtype == of.dtype and torch.equal(found[name], of) for name, of in tensors.items())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'epoch\\": 12', b'epoch\\": 92'),
        (b'"medsearch"', b'"medsearci"'),
        (b'crc32\\"', b'crc33\\"'),
        (b'"shape":[2,3]', b'"shape":[3,2]'),
        (b'"I32"', b'"U32"'),
    ],
)
def test_an_edited_header_is_refused_by_name(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "state.safetensors"
    save_tensors(path, {"a": torch.ones(2, 3), "b": torch.ones(2, dtype=torch.int32)}, {"epoch": 12})
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(Damaged, match=r"state\.safetensors "):
        load_tensors(path)


@pytest.mark.parametrize("metadata", [None, {"state": '{"epoch": 3}'}])
def test_a_file_from_before_there_were_checksums_is_taken(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors", metadata=metadata)
    tensors, state = load_tensors(tmp_path / "w.safetensors")
    assert torch.equal(tensors["a"], torch.ones(2))
    assert state == ({"epoch": 3} if metadata else {})


def test_a_state_comes_back_as_json_has_it(tmp_path: Path) -> None:
    save_tensors(tmp_path / "s", {}, {"b": (1, 2), "a": {10: float("inf"), 9: "ä"}})
    assert load_tensors(tmp_path / "s")[1] == {"b": [1, 2], "a": {"10": float("inf"), "9": "ä"}}


def test_from_a_damaged_checkpoint_a_training_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = Checkpoint(tmp_path, {"m": network(0)}, {})
    checkpoint.save({"epoch": 3})
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-10])
    assert checkpoint.load() is None
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("state.safetensors.damaged-")
    assert f"it is {aside.name} now, and the stage is trained from its start" in caplog.text
    checkpoint.save({"epoch": 1})
    assert checkpoint.load() == ({"epoch": 1}, {})


def test_weights_of_another_recipe_are_refused_by_name(tmp_path: Path) -> None:
    save_modules(tmp_path / "w.safetensors", {"net": nn.Linear(3, 4)})
    with pytest.raises(BadInput, match=r"w\.safetensors does not fit net: size mismatch"):
        load_modules(tmp_path / "w.safetensors", {"net": nn.Linear(3, 5)})
    with pytest.raises(BadInput, match="does not fit other"):
        load_modules(tmp_path / "w.safetensors", {"other": nn.Linear(3, 4)})


def test_one_file_may_hold_more_modules_than_are_asked_for(tmp_path: Path) -> None:
    kept, left = nn.Linear(2, 2), nn.Linear(2, 2)
    save_modules(tmp_path / "w.safetensors", {"kept": kept, "left": left})
    fresh = nn.Linear(2, 2)
    load_modules(tmp_path / "w.safetensors", {"kept": fresh})
    assert torch.equal(fresh.weight, kept.weight)


def test_nothing_but_the_file_is_left_behind(tmp_path: Path) -> None:
    for _ in range(2):
        save_tensors(tmp_path / "w.safetensors", {"a": torch.ones(2).expand(3, 2).T})
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    assert torch.equal(load_tensors(tmp_path / "w.safetensors")[0]["a"], torch.ones(2, 3))
