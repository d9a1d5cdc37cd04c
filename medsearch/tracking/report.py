"""What came of bringing a tracking server up to date."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """`runs` the study has; `created`, `points`, `files` went out this time; `behind`: the server lacks something.

    `views` are the addresses of the study's saved views by name, behind the address of MLflow's pages.
    """

    study: str
    uri: str
    runs: int = 0
    created: int = 0
    points: int = 0
    files: int = 0
    behind: bool = False
    problem: str | None = None
    views: Mapping[str, str] = field(default_factory=dict)

    def links(self, pages: str | None = None) -> list[str]:
        """A line for every saved view, where MLflow's pages are known: those of the server, or `pages`."""
        base = pages or (self.uri if self.uri.startswith("http") else None)
        return [f"{name}: {base.rstrip('/')}/{view}" for name, view in self.views.items()] if base else []

    def __str__(self) -> str:
        if self.behind:
            reason = self.problem or "not everything was sent"
            return f"{self.uri} is behind ({reason}); run: medsearch sync {self.study}"
        return f"{self.uri} holds all {self.runs} runs of {self.study}"

    def plain(self) -> dict[str, Any]:
        """The report as JSON knows it; `SyncReport(**plain)` gives it back."""
        return asdict(self)
