"""MLflow follows a study whose stages other nodes train, on disks that this node does not see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medsearch.core import remote as remote_module
from medsearch.stages import bucket as bucket_module
from medsearch.stages.bucket import bucket_at
from medsearch.stages.manifest import Manifest
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.record.ledger import Ledger, PlannedRun
from medsearch.tracking.reading import StudyReader
from tests.bucket import Buckets

PLANNED = PlannedRun(role="stage", seed=0, label="row", stages=(("segmentation", "k"),))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    monkeypatch.setattr(bucket_module, "FRESH_S", 0.0)
    monkeypatch.setattr(remote_module, "PAUSES", ())
    serving = Buckets()
    yield serving
    serving.stop()
    bucket_at.cache_clear()


def epoch(node: Store, number: int) -> None:
    with node.lock("k"):
        (node.folder("k") / "checkpoint").mkdir(exist_ok=True)
        node.record("k", Epoch(number, {"train/x": float(number)}), seconds=1.0, time=float(number))


def test_epochs_and_results_of_other_nodes_are_seen(own: Buckets, tmp_path: Path) -> None:
    uri, folder = own.new(), tmp_path / "driver" / "studies" / "s"
    Ledger(folder).started(PLANNED)
    reader = StudyReader(folder, tmp_path / "driver" / "stages", uri)
    node = Store(tmp_path / "node" / "stages", uri)
    reader.refresh()
    assert reader.study.journals == {"k": []}
    epoch(node, 1)
    assert reader.refresh() == {PLANNED.run}
    assert [line["epoch"] for line in reader.study.journals["k"]] == [1]
    epoch(node, 2)
    own.stop()  # a store that does not answer is no reason to stop
    assert reader.refresh() == set()
    own.start()
    reader.refresh()
    assert [line["epoch"] for line in reader.study.journals["k"]] == [1, 2]
    with node.lock("k"):
        (node.aside("k") / "pictures").mkdir()
        (node.folder("k") / ".aside" / "pictures" / "one.png").write_bytes(b"picture")
        node.commit("k", Manifest(metrics={"validation/dice": 0.5}, seconds=2.0))
    reader.refresh()
    assert reader.study.finished["k"].metrics == {"validation/dice": 0.5}
    assert [file.path.read_bytes() for file in reader.study.finished["k"].pictures] == [b"picture"]
