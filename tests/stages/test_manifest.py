"""What of a manifest is checked where it is read: seal, outputs, and every field that is used."""

import json
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.codec import encoded
from medsearch.core.contents import Content
from medsearch.core.errors import Damaged
from medsearch.core.records import sealed
from medsearch.stages.manifest import Manifest, TrainingCode, decoded_manifest, read_manifest
from medsearch.stages.memory import Usage

MANIFEST: dict[str, Any] = {
        "stage": "s", "metrics": {"dice": 0.5}, "upstream": {"model": "m"}, "finished": 5.0, "seconds": 1.0,
        "epochs": 2, "epoch_seconds": 0.5, "step_seconds": None, "attempt": "a",
        "code": {
            "commit": "c", "dirty": False, "digest": "d", "upstream": {"model": None},
            "earlier": [{"digest": "e", "commit": None}],
        },
        "again": {"metrics": {"dice": 0.6}, "code": {"commit": None, "digest": "f"}},
        "memory": {"device": "cpu", "capacity": 9, "peak": 3, "micro_batch": None, "halvings": []},
        "replaces": {"finished": 1.0, "code": "unknown code"},
    "key": "k", "files": {"weights.bin": 3}, "digests": {"weights.bin": "x" * 32},
}  # fmt: skip


def read(tmp_path: Path, manifest: object, *, sent: bool = False) -> Manifest:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return read_manifest(tmp_path / "manifest.json", "k", sent=sent)


def changed(path: str, value: object) -> dict[str, Any]:
    """The manifest with another value at a path of names and positions."""
    manifest = json.loads(json.dumps(MANIFEST))
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    inner = manifest
    for part in way:
        inner = inner[part]
    inner[last] = value
    return manifest


def from_before_seals(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manifest.items() if name not in ("key", "digests")}


def test_a_sound_manifest_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, sealed(MANIFEST), sent=True)
    again = encoded(found)
    assert {name: again[name] for name in MANIFEST} == {
        **MANIFEST,
        "again": {**MANIFEST["again"], "seconds": None, "finished": None, "code": again["again"]["code"]},
    }
    assert again["again"]["code"] == {"commit": None, "dirty": None, "digest": "f", "upstream": {}}
    assert read(tmp_path, sealed(again), sent=True) == found
    assert found.contents == {"weights.bin": Content(3, "x" * 32)}
    assert found.lineage
    assert found.training_code.commits == ("c",)
    assert Usage.recorded(found) is not None


def test_one_from_before_there_were_seals_is_taken_as_it_is(tmp_path: Path) -> None:
    assert not read(tmp_path, from_before_seals(MANIFEST)).key
    old = read(tmp_path, {"metrics": {}, "code": "c" * 40})
    assert old == Manifest(metrics={}, code="c" * 40)
    assert (old.training_code, old.lineage) == (TrainingCode(), None)


@pytest.mark.parametrize("lost", [(), ("key",), ("digests",)])
def test_a_seal_that_is_dropped_is_noticed(tmp_path: Path, lost: tuple[str, ...]) -> None:
    manifest = {name: value for name, value in changed("metrics.dice", 0.99).items() if name not in lost}
    with pytest.raises(Damaged, match=r"manifest\.json has lost its seal"):
        read(tmp_path, manifest)


@pytest.mark.parametrize("digests", [{}, {"weights.bin": ""}])
def test_a_sealed_one_has_a_digest_of_every_output(tmp_path: Path, digests: dict[str, str]) -> None:
    with pytest.raises(Damaged, match=r"manifest\.json has no digest of 'weights\.bin'"):
        read(tmp_path, sealed(changed("digests", digests)))


def test_one_of_a_uri_says_where_its_outputs_lie(tmp_path: Path) -> None:
    manifest = sealed({name: value for name, value in MANIFEST.items() if name != "attempt"})
    assert not read(tmp_path, manifest).attempt
    with pytest.raises(Damaged, match=r"manifest\.json has no field 'attempt'"):
        read(tmp_path, manifest, sent=True)
    with pytest.raises(Damaged, match=r"s3://b/k\.json has no field 'attempt'"):
        decoded_manifest(json.dumps(manifest).encode(), "k", "s3://b/k.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("code", 5), ("code.commit", 5), ("code.earlier", 3), ("code.earlier.0", 3), ("code.earlier.0.commit", []),
        ("code.digest", {}), ("code.upstream", []), ("code.dirty", "no"), ("again", 3), ("again.code", 3),
        ("again.code.digest", 3), ("again.code.earlier", [None]), ("again.metrics", 3), ("memory", []),
        ("memory", {"device": "cpu"}), ("memory.peak", "3"), ("finished", "today"), ("finished", True),
        ("replaces", "k"), ("replaces.finished", None), ("epochs", 2.5), ("stage", None), ("step_seconds", "1"),
        ("upstream", ["m"]), ("upstream.model", "../m"), ("upstream.model", 7), ("attempt", "a/b"), ("attempt", 7),
        ("metrics.dice", None), ("modules", []), ("files", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seal", [sealed, from_before_seals], ids=["sealed", "from before seals"])
def test_a_field_of_another_kind_is_damage(tmp_path: Path, path: str, value: object, seal: Any) -> None:
    with pytest.raises(Damaged, match=r"manifest\.json (has|names|lists) (?!lost its seal)"):
        read(tmp_path, seal(changed(path, value)))
