"""Folders that are made once: whoever asks first writes, the others wait, and a kill leaves no half."""

import shutil
from collections.abc import Callable
from pathlib import Path

from medsearch.core.locks import locked
from medsearch.core.records import sync_directory


def made_once(directory: Path, record: str, write: Callable[[Path], None]) -> None:
    """See to it that `directory` is there with its `record`, the file that `write` writes last.

    `write` fills a folder aside, which then takes its name.
    """
    folder = directory.parent
    if (directory / record).exists():
        return
    with locked(folder / f".{directory.name}.lock"):
        if (directory / record).exists():
            return
        aside = folder / f".{directory.name}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write(aside)
        shutil.rmtree(directory, ignore_errors=True)  # without its record it is worth nothing
        aside.rename(directory)
        sync_directory(folder)
