"""Weights and resumable states as safetensors with JSON in the header: nothing is ever unpickled.

A resumable state is one file, so it is either the old one or the new one after a crash. It holds every module and
optimiser; random streams are re-derived from the run's seed at each epoch, so they need no saving.
"""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.paths import set_aside
from medsearch.core.records import sync_directory, warn_once

M = TypeVar("M", bound=nn.Module)

RECORD = "medsearch"
"""The entry of a file's header: what was saved with the tensors, and the checksum of both."""

SUFFIX = ".safetensors"
REMEDY = "move its folder aside and run again"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any] | None = None) -> None:
    """Write `tensors` atomically, with `state` as JSON in the header, and the CRC-32 of all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    plain = json.loads(json.dumps(state or {}))  # as it comes back
    record = {"state": plain, "crc32": _crc(own, plain)}
    save_file(own, aside, metadata={RECORD: json.dumps(record)})  # one entry: several would come in any order
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    sync_directory(path.parent)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote.

    Raises:
        Damaged: the file is not whole, or was changed.

    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
        unchecked = metadata.keys() <= {"state"}  # from before there was a checksum
        record = {"state": json.loads(metadata.get("state", "{}"))} if unchecked else json.loads(metadata[RECORD])
        state, crc = record["state"], None if unchecked else record["crc32"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        problem = f"is no whole safetensors file ({' '.join(str(error).split())})"
        raise Damaged(path, problem, REMEDY) from error
    if not isinstance(state, dict):
        raise Damaged(path, "is no whole safetensors file (its header holds no state)", REMEDY)
    if not unchecked and crc != _crc(tensors, state):
        raise Damaged(path, "was changed since it was written", REMEDY)
    return tensors, state


def damage_of(path: Path) -> Damaged | None:
    """What is wrong with a file that `save_tensors` wrote; None if nothing is, or the file is of another kind."""
    if path.suffix != SUFFIX:
        return None
    try:
        load_tensors(path)
    except Damaged as error:
        return error
    return None


def _crc(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> str:
    """Of the state, and of every tensor's name, type, shape and bytes.

    It is cheap beside writing them, and enough for what no one changes on purpose.
    """
    total = zlib.crc32(json.dumps(state, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        head = json.dumps([name, str(tensor.dtype), list(tensor.shape)])
        content = tensor.reshape(-1).view(torch.uint8).numpy()
        total = zlib.crc32(content.data, zlib.crc32(head.encode(), total))
    return f"{total:08x}"


def save_modules(path: Path, modules: Mapping[str, nn.Module]) -> None:
    """Write the weights and buffers of `modules` as `<module>/<parameter>`."""
    save_tensors(path, module_tensors(modules))


def load_modules(path: Path, modules: Mapping[str, nn.Module]) -> None:
    """Load what `save_modules` wrote; every tensor of `modules` must be in the file.

    Raises:
        BadInput: names or shapes differ.

    """
    tensors, _ = load_tensors(path)
    _fill(modules, tensors, path)


def load_trained(module: M, path: Path, name: str, device: str) -> M:
    """`module` on a device in eval mode, with what `save_modules` wrote of it as `name`.

    Raises:
        BadInput: names or shapes differ.

    """
    load_modules(path, {name: module})
    return module.to(device).eval()


def module_tensors(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Every weight and buffer of `modules` by `<module>/<parameter>`."""
    return {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


def _fill(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, module in modules.items():
        prefix = f"{name}/"
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            msg = f"{path} does not fit {name}: {str(error).splitlines()[-1].strip()}; the recipe must have changed"
            raise BadInput(msg) from error


class Checkpoint:
    """The resumable state of a run: modules, optimisers, and a few plain values."""

    def __init__(
        self, folder: Path, modules: Mapping[str, nn.Module], optimisers: Mapping[str, torch.optim.Optimizer]
    ) -> None:
        self.path = folder / "state.safetensors"
        self._modules = modules
        self._optimisers = optimisers

    def save(self, state: Mapping[str, Any], extra: Mapping[str, Tensor] | None = None) -> None:
        """Write everything; `extra` tensors come back from `load`."""
        tensors = {f"module/{name}": value for name, value in module_tensors(self._modules).items()}
        for name, optimiser in self._optimisers.items():
            for index, slots in optimiser.state_dict()["state"].items():
                for slot, value in slots.items():
                    tensors[f"optimiser/{name}/{index}/{slot}"] = torch.as_tensor(value)
        tensors |= {f"extra/{name}": value for name, value in (extra or {}).items()}
        save_tensors(self.path, tensors, state)

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Fill modules and optimisers; return the plain state and the extra tensors.

        None if nothing is there, or what is there is damaged: it is set aside, and the training begins anew.
        """
        if not self.path.exists():
            return None
        try:
            tensors, state = load_tensors(self.path)
        except Damaged as error:
            there = set_aside(self.path)
            warn_once(f"{error.what} {error.problem}; it is {there.name} now, and the stage is trained from its start")
            return None
        _fill(self._modules, _below(tensors, "module/"), self.path)
        for name, optimiser in self._optimisers.items():
            slots: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, f"optimiser/{name}/").items():
                index, slot = key.split("/")
                slots.setdefault(int(index), {})[slot] = value
            optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
        return state, _below(tensors, "extra/")


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
