"""What every report rests on, whatever the kind of its study: replicates, provenance, pictures.

A score that is not finite (a diverged run) is None. Metrics of the test stage are named `test/dice`; per-case values
stand under the same name without `test/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from medsearch.core.reported import Unit

Knobs = Mapping[str, Any]  # dotted path -> value
RunState = Literal["complete", "cut", "failed", "running", "waiting"]
Selection = Literal["source", "pseudo-target", "oracle", "none"]
Truth = Literal["labels", "pairs"]
"""What the cohort's cases are scored by, and an oracle sees: outlines, or the image that should have been made."""


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
class Skipped:
    """A case that was left out because its files are faulty."""

    subject: str
    problem: str


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


def provenance(about: Mapping[str, Any], *, subjects: int, fingerprint: str, scale: str, created: str) -> Provenance:
    """From what a study's header says `about` a cohort."""
    return Provenance(
        cohort=about["cohort"],
        phantom=about["phantom"],
        subjects=subjects,
        data_fingerprint=fingerprint,
        scale=scale,
        git_commit=about.get("git_commit"),
        versions=about.get("versions", {}),
        machine=about.get("machine", ""),
        created=created,
        skipped=tuple(Skipped(**case) for case in about.get("skipped", ())),
        truth=about.get("truth", "labels"),
    )
