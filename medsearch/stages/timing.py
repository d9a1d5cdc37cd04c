"""How long stages trained, by their own records."""

from collections.abc import Iterable

from medsearch.stages.context import Artifact


def training_hours(artifacts: Iterable[Artifact]) -> float:
    """Of these together, h; a stage that several rows share counts in each."""
    return sum(float(artifact.manifest["seconds"]) for artifact in artifacts) / 3600
