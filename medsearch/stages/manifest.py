"""The manifest of a finished stage: what it says, and whether it is this stage's and as it was written.

It holds the stage's key, the bytes and digest of every output and of the journal, and a seal over itself. Manifests
from before it had these are taken as they are: nobody can tell any more whether they were changed, and to seal them
now would claim that somebody had. `medsearch verify` counts them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsearch.core.contents import Content, fault, recorded
from medsearch.core.errors import Damaged
from medsearch.core.paths import unsafe
from medsearch.core.records import decoded, lacks, read_record, unsealed

REMEDY = "run its study again: the stage is set aside and trained anew"


def with_contents(manifest: Mapping[str, Any], key: str, contents: Mapping[str, Content]) -> dict[str, Any]:
    """The manifest with `key`, and with the bytes and the digest of every output as `files` and `digests`."""
    return {
        **manifest,
        "key": key,
        "files": {name: content.size for name, content in contents.items()},
        "digests": {name: content.digest for name, content in contents.items()},
    }


def contents_in(manifest: Mapping[str, Any]) -> dict[str, Content]:
    """By name relative to the stage's folder, what every output and the journal hold; empty where it does not say."""
    return recorded(manifest.get("files", {}), manifest.get("digests", {}))


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Whether a sound manifest is of those that say what was written; older ones cannot be verified."""
    return "key" in manifest


def read_manifest(path: Path, key: str) -> dict[str, Any]:
    """The manifest of stage `key` in a file.

    Raises:
        Damaged: it was cut or changed, or is that of another stage.
        OSError: there is no such file, or it cannot be read.

    """
    manifest: dict[str, Any] = read_record(path, remedy=REMEDY, fault=lambda of: _fault(of, key))
    return manifest


def decoded_manifest(content: bytes, key: str, where: str) -> dict[str, Any]:
    """The manifest of stage `key` as it was read from `where`.

    Raises:
        Damaged: it was cut or changed, or is that of another stage.

    """
    manifest = unsealed(decoded(content, where, remedy=REMEDY), where, remedy=REMEDY)
    if problem := _fault(manifest, key):
        raise Damaged(where, problem, REMEDY)
    return manifest


def _fault(manifest: Mapping[str, Any], key: str) -> str:
    if manifest.get("key", key) != key:
        return f"is the manifest of stage {manifest['key']!r}"
    if problem := lacks(manifest, {"metrics": dict}):
        return problem
    optional: dict[str, type | tuple[type, ...]] = {
        "upstream": dict, "notes": dict, "domains": dict, "seconds": (int, float), "attempt": str,
    }  # fmt: skip
    if problem := lacks(manifest, {name: kinds for name, kinds in optional.items() if name in manifest}):
        return problem
    if not all(type(value) in (int, float) for value in manifest["metrics"].values()):
        return "has a metric that is no number"
    names = [*manifest.get("upstream", {}).values(), *([manifest["attempt"]] if "attempt" in manifest else [])]
    for name in names:
        if unsafe(name) or "/" in name:
            return f"names the stage or attempt {name!r}"
    return fault(manifest.get("files", {}), manifest.get("digests", {}))
