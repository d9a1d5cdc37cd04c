"""What a plan needs of every finished stage, read from one file instead of thousands.

`<root>/.index.jsonl` holds manifests without what grows with the cohort. It can be removed at any time: whoever reads
it adds what it lacks and drops stages that are gone.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsearch.core.records import read_lines, write_bytes
from medsearch.core.remote import each
from medsearch.stages.bucket import Bucket
from medsearch.stages.outputs import MANIFEST

INDEX = ".index.jsonl"
LEFT_OUT = ("notes", "files")


def summaries(root: Path, bucket: Bucket | None) -> dict[str, dict[str, Any]]:
    """By key, the manifest of every finished stage without its notes and files."""
    known = {line["key"]: line["manifest"] for line in read_lines(root / INDEX)}
    here = {entry.name for entry in os.scandir(root) if entry.is_dir()} if root.exists() else set()
    there = bucket.keys() if bucket is not None else frozenset()
    kept = {key: manifest for key, manifest in known.items() if key in here or key in there}
    new = {key: _summary(root / key / MANIFEST) for key in here - set(kept)}
    missing = sorted(key for key in there if key not in kept and not new.get(key))
    if bucket is not None:
        new |= dict(zip(missing, each(lambda key: _shortened(bucket.manifest(key)), missing), strict=True))
    found = {**kept, **{key: manifest for key, manifest in new.items() if manifest}}
    if found.keys() != known.keys():
        _write(root, found)
    return dict(sorted(found.items()))


def _summary(path: Path) -> dict[str, Any]:
    """Nothing for a stage that is not finished; one whose manifest cannot be read is named when it is asked for."""
    return _shortened(path.read_bytes() if path.exists() else None)


def _shortened(content: bytes | None) -> dict[str, Any]:
    try:
        manifest = json.loads(content or b"{}")
    except ValueError:
        return {}
    return {name: value for name, value in manifest.items() if name not in LEFT_OUT}


def _write(root: Path, found: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [json.dumps({"key": key, "manifest": found[key]}, separators=(",", ":")) for key in sorted(found)]
    try:
        write_bytes(root / INDEX, "".join(f"{line}\n" for line in lines).encode())
    except PermissionError:  # someone else's home: the next look costs as much as this one
        return
