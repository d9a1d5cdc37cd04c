"""Stores on one URI, each on a node of its own, and what their stages leave."""

from pathlib import Path

from medsearch.core.remote import Remote
from medsearch.stages.bucket import bucket_at
from medsearch.stages.manifest import Manifest
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store

WEIGHTS, VOLUME, PICTURE, TILE, FACTS = (
    "weights.bin",
    "deep/volume.npy",
    "pictures/one.png",
    "tiles/a.npz",
    "facts.json",
)


class Nodes:
    """Stores on one URI; what one process would know of it is forgotten from one to the next."""

    def __init__(self, tmp_path: Path, uri: str) -> None:
        self.tmp_path, self.uri = tmp_path, uri
        self.files = Remote(uri)

    def __getitem__(self, name: str) -> Store:
        bucket_at.cache_clear()
        return Store(self.tmp_path / name / "stages", self.uri)


def outputs(store: Store, key: str, text: str = "weights") -> None:
    aside = store.aside(key)
    for name in (WEIGHTS, VOLUME, PICTURE, TILE, FACTS):
        (aside / name).parent.mkdir(exist_ok=True)
        (aside / name).write_text(f"{name} {text}")


def finish(store: Store, key: str, text: str = "weights") -> None:
    with store.lock(key):
        store.record(key, Epoch(1, {"x": 0.5}), seconds=1.0, time=5.0)
        outputs(store, key, text)
        store.commit(key, Manifest(metrics={"validation/dice": 0.5}, node=text))


def here(store: Store, key: str) -> set[str]:
    folder = store.folder(key)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith(".") and name != "lock"}
