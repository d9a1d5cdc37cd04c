"""The manifest of a finished stage: what it says, and whether it is this stage's and as it was written.

It holds the stage's key, the bytes and digest of every output and of the journal, and a seal over itself. Manifests
from before it had these are taken as they are: nobody can tell any more whether they were changed, and to seal them
now would claim that somebody had. `medsearch verify` counts them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medsearch.core.contents import Content, fault, recorded
from medsearch.core.errors import Damaged
from medsearch.core.paths import unsafe_part
from medsearch.core.records import SEAL, decoded, lacks, read_json, unsealed
from medsearch.stages.outputs import MANIFEST

REMEDY = "run its study again: the stage is set aside and trained anew"
"""Of a manifest: without a sound one, a stage is not finished."""

OUTPUT_REMEDY = "`medsearch verify --set-aside`, then run its study again: the stage is trained anew"
"""Of an output, which a study looks at only where a later stage takes it."""


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
    """Whether a manifest that was read is of those with a seal; older ones cannot be verified."""
    return "key" in manifest  # where it has a key but no seal, it is not read at all


def read_manifest(path: Path, key: str, *, sent: bool = False) -> dict[str, Any]:
    """The manifest of stage `key` in a file. sent: of outputs that lie at a URI, or are on their way there.

    Raises:
        Damaged: it was cut or changed, or is that of another stage.
        OSError: there is no such file, or it cannot be read.

    """
    return _checked(read_json(path, remedy=REMEDY), path, key, sent=sent)


def stored_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the finished stage in `folder`.

    Raises:
        Damaged: the stage is not finished, or its manifest is damaged.

    """
    try:
        return read_manifest(folder / MANIFEST, folder.name)
    except OSError as error:
        where = f"stage {folder.name} in {folder.parent}"
        raise Damaged(where, f"has no readable manifest ({error})", REMEDY) from error


def decoded_manifest(content: bytes, key: str, where: str) -> dict[str, Any]:
    """The manifest of stage `key` as it was read from `where`, at a URI.

    Raises:
        Damaged: it was cut or changed, or is that of another stage.

    """
    return _checked(decoded(content, where, remedy=REMEDY), where, key, sent=True)


def _checked(of: Any, what: object, key: str, *, sent: bool) -> dict[str, Any]:
    manifest = unsealed(of, what, remedy=REMEDY)
    lost = SEAL not in of and not _SINCE_SEALS.isdisjoint(manifest)
    problem = "has lost its seal, so nobody can tell whether it was changed" if lost else _fault(manifest, key)
    if problem := problem or (lacks(manifest, {"attempt": str}) if sent else ""):
        raise Damaged(what, problem, REMEDY)
    return manifest


_SINCE_SEALS = frozenset({"key", "digests"})
"""Fields that no manifest from before there were seals has."""

_Fields = Mapping[str, type | tuple[type, ...]]
_NONE = type(None)
_OPTIONAL: _Fields = {
    "stage": str, "node": str, "upstream": dict, "notes": dict, "domains": dict, "attempt": str,
    "seconds": (int, float), "finished": (int, float), "epochs": int, "lost_epochs": int, "modules": dict,
    "epoch_seconds": (int, float, _NONE), "step_seconds": (int, float, _NONE), "memory": dict, "again": dict,
    "replaces": dict, "code": (dict, str, _NONE),
}  # fmt: skip
"""Fields that other parts of the program read, where a manifest has them."""

_CODE: _Fields = {
    "commit": (str, _NONE), "dirty": (bool, _NONE), "digest": (str, _NONE), "package": str, "upstream": dict,
    "earlier": list,
}  # fmt: skip
_AGAIN: _Fields = {name: _OPTIONAL[name] for name in ("seconds", "finished", "code")} | {"metrics": dict}
_MEMORY: _Fields = {
    "device": str, "capacity": (int, float, _NONE), "peak": (int, float, _NONE), "micro_batch": (int, _NONE),
}  # fmt: skip


def _fault(manifest: Mapping[str, Any], key: str) -> str:
    """What is wrong with a manifest beside its seal, in words; empty if nothing is."""
    if manifest.get("key", key) != key:
        return f"is the manifest of stage {manifest['key']!r}"
    if problem := lacks(manifest, {"metrics": dict}) or _wrong(manifest, _OPTIONAL):
        return problem
    again, memory = manifest.get("again", {}), manifest.get("memory", {})
    if problem := lacks(memory, _MEMORY) if memory else "":
        return f"{problem} in its memory"
    for of, fields in ((again, _AGAIN), *_codes(manifest), *_codes(again)):
        if problem := _wrong(of, fields):
            return problem
    if problem := _wrong(manifest.get("replaces", {}), {"finished": (int, float), "code": str}):
        return problem
    if not all(type(value) in (int, float) for value in manifest["metrics"].values()):
        return "has a metric that is no number"
    names = [*manifest.get("upstream", {}).values(), *([manifest["attempt"]] if "attempt" in manifest else [])]
    for name in names:
        if unsafe_part(name):
            return f"names the stage or attempt {name!r}"
    return _contents_fault(manifest)


def _wrong(of: Any, fields: _Fields) -> str:
    """As `lacks`, for fields that may be left out, of what must be an object."""
    if not isinstance(of, dict):
        return f"has {of!r} in place of an object"
    return lacks(of, {name: kinds for name, kinds in fields.items() if name in of})


def _codes(of: Mapping[str, Any]) -> Iterator[tuple[Any, _Fields]]:
    """What a manifest says of the code, and of earlier code, each with the fields that it should have."""
    code = of.get("code")
    if isinstance(code, dict):
        yield code, _CODE
        earlier = code.get("earlier", [])
        yield from ((one, _CODE) for one in (earlier if isinstance(earlier, list) else []))


def _contents_fault(manifest: Mapping[str, Any]) -> str:
    files, digests = manifest.get("files", {}), manifest.get("digests", {})
    if problem := fault(files, digests):
        return problem
    if "key" in manifest and (without := [name for name in files if not digests.get(name)]):
        return f"has no digest of {without[0]!r}"
    return ""
