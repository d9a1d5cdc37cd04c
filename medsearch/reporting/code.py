"""By which code the stages of a study were trained, as its report says it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from medsearch.reporting.wording import counted, listed
from medsearch.stages.code import Trained, trained
from medsearch.stages.store import Store
from medsearch.study.record import Header


def trained_by(header: Header, keys: Iterable[str], store: Store) -> tuple[Trained, ...]:
    """By which code the stages `keys` of a study were trained, beside the code that the study last ran with."""

    def modules_of(key: str) -> Mapping[str, str]:
        return dict(store.artifact(key).manifest.get("modules", {}))

    return trained(store.summaries(), header.code, dict.fromkeys(keys), modules_of)


def other_code(of: Iterable[Trained]) -> tuple[str, ...]:
    """A warning, where stages were trained by other code than that which the study last ran with."""
    differing = [one for one in of if one.differs]
    count = sum(one.count for one in differing)
    if not count:
        return ()
    return (
        f"Code has changed: {counted(count, 'stage run')} would not be trained alike by now "
        f"({'; '.join(map(str, differing))}). --recompute changed trains them anew.",
    )


def code_line(of: Iterable[Trained]) -> tuple[str, ...]:
    """For a caption, by which commits the stages were trained; nothing where it was one alone."""
    found = by_code(of)
    if len(found) < 2:
        return ()
    return (f"Stages were trained by {listed(f'{code} ({listed(what)})' for code, what in found.items())}.",)


def by_code(of: Iterable[Trained]) -> dict[str, list[str]]:
    """How many stages of which name each code has trained."""
    counts: dict[str, Counter[str]] = {}
    for one in of:
        counts.setdefault(one.code, Counter())[one.stage] += one.count
    return {code: [f"{count} of {stage}" for stage, count in stages.items()] for code, stages in counts.items()}
