"""What every report rests on, whatever the kind of its study: replicates, provenance, pictures.

A score that is not finite (a diverged run) is None. Metrics of the test stage are named `test/dice`; per-case values
stand under the same name without `test/`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from medsearch.core.reported import Unit
from medsearch.study.record.headers import Column, OneTaskHeader, Skipped

RunState = Literal["complete", "cut", "failed", "running", "waiting"]
Truth = Literal["labels", "pairs"]
"""What the cohort's cases are scored by, and an oracle sees: outlines, or the image that should have been made."""
TITLES = {
    "translations": "Translations",
    "residuals": "Residuals",
    "predictions": "Predicted over true masks",
    "self_training": "Before and after self-training",
    "attention": "Attention of the most confident heads",
    "attention_translation": "Attention of the most confident heads, translation",
    "attention_segmentation": "Attention of the most confident heads, segmentation",
}
"""Titles of the pictures that stages store, by file name, in the order of a page; others follow under their own."""


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One run of a row, tested: the same knobs under one seed."""

    seed: int
    state: RunState = "complete"
    value: float | None = None  # by the selection rule, on validation cases
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # "test/dice", "test/dice_micro", "test/assd" mm
    cases: tuple[Mapping[str, Any], ...] = ()  # one per test case: "subject", "dice", "assd" (mm; None if undefined)
    seconds: float | None = None
    reason: str | None = None  # failed replicates: one line
    cause: str | None = None  # the failure's kind: "diverged", "out of memory", ...
    stages: tuple[tuple[str, str], ...] = ()  # (node, key), upstream first
    unit: Unit = ""  # what is scored of a test case, as its test stage says; empty for images
    unscored: int = 0  # test cases that have no mask
    values: tuple[float, ...] = ()  # of all objectives, `value` first; empty where there is one
    forms: Mapping[str, str] = field(default_factory=dict)  # metric -> by which convention, as its test stage says
    given: Mapping[str, float] = field(default_factory=dict)  # the same scores of what the method was given, unchanged


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image file to show. Pictures with one title stand together."""

    title: str
    path: str  # png, jpg or svg, from the report's folder (then it moves with it) or the working directory
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the numbers come from."""

    cohort: str
    phantom: bool  # synthetic subjects: the numbers are no reproduction of anything
    subjects: int
    data_fingerprint: str
    scale: str  # "tiny", "small", "paper"
    git_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)  # package -> version
    machine: str = ""
    created: str = ""  # when the report was made, ISO 8601
    skipped: tuple[Skipped, ...] = ()
    truth: Truth = "labels"


def provenance(of: OneTaskHeader | Column, scale: str) -> Provenance:
    """Of a study on one task, or a column of an ablation, reported now."""
    about = of.about
    return Provenance(
        cohort=about.cohort,
        phantom=about.phantom,
        subjects=of.subjects,
        data_fingerprint=of.cohort,
        scale=scale,
        git_commit=about.git_commit,
        versions=about.versions,
        machine=about.machine,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        skipped=about.skipped,
        truth=about.truth,
    )


def digest(path: Path) -> bytes:
    """By which pictures that are the same are known; empty where there is none."""
    return blake2b(path.read_bytes()).digest() if path.exists() else b""


def title_of(stem: str) -> str:
    """The title of a picture's file."""
    return TITLES.get(stem, stem)


def place_of(title: str) -> int:
    """Where pictures of that title come on a page."""
    titles = list(TITLES.values())
    return titles.index(title) if title in titles else len(titles)
