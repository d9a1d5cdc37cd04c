"""What came of bringing a tracking server up to date."""

from dataclasses import asdict, dataclass
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """`runs` the study has; `created`, `points`, `files` went out this time; `behind`: the server lacks something."""

    study: str
    uri: str
    runs: int = 0
    created: int = 0
    points: int = 0
    files: int = 0
    behind: bool = False
    problem: str | None = None

    def __str__(self) -> str:
        if self.behind:
            reason = self.problem or "not everything was sent"
            return f"{self.uri} is behind ({reason}); run: medsearch sync {self.study}"
        return f"{self.uri} holds all {self.runs} runs of {self.study}"

    def plain(self) -> dict[str, Any]:
        """The report as JSON knows it; `SyncReport(**plain)` gives it back."""
        return asdict(self)
