"""The shipped studies, as their files declare them."""

import importlib.util
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "studies"


def shipped(name: str) -> Any:
    """The study of that name."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STUDY
