"""Where a study's numbers come from, and what must be said of that: its data, scale and code, and every run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from medsearch.reporting.document import Fact, Part, TableCell, TableRow, Text, Tone, code, label
from medsearch.reporting.results import Provenance
from medsearch.reporting.wording import NOTHING, counted, duration, listed, oracle_chose
from medsearch.stages.code import Trained, trained
from medsearch.stages.method import Selection
from medsearch.stages.store import Store
from medsearch.study.record.headers import Header


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


def phantom_warning(shown: str, where: str = "") -> str:
    """What must be said of synthetic subjects. shown: what the numbers show nevertheless, with its punctuation."""
    return (
        f"Phantom cohort{where}: synthetic subjects written by this program. The numbers show that {shown} they are "
        "not a reproduction of the paper's and say nothing of patients."
    )


def scale_warning(scale: str) -> str:
    """What must be said of a study that is smaller than the paper's."""
    return f"Scale {scale}: smaller than the paper's; the numbers are no reproduction of its results."


def ground_warnings(origin: Provenance, rule: Selection) -> Iterator[str]:
    """What must be said of a search's subjects, scale and selection rule."""
    if origin.phantom:
        yield phantom_warning("the search works,")
    elif origin.scale != "paper":
        yield scale_warning(origin.scale)
    if rule == "oracle":
        yield f"Oracle selection: {oracle_chose('the configuration', origin.truth)}"


def provisional(missing: str) -> tuple[str, ...]:
    """What must be said while something is to come; missing: what, in words, empty where nothing is."""
    return (f"Provisional: {missing} still to come. The same command goes on from here.",) if missing else ()


def badges(
    origins: Iterable[Provenance], rules: Iterable[str], *, finished: bool, scale: str
) -> tuple[tuple[str, Tone], ...]:
    """What stands at the top of a page: scale, selection rules, cohorts, and whether anything is to come."""
    origins = tuple(origins)
    cohorts = dict.fromkeys(origin.cohort for origin in origins)
    phantom = any(origin.phantom for origin in origins)
    found: list[tuple[str, Tone]] = [(f"{scale} scale", ""), (f"selection: {', '.join(dict.fromkeys(rules))}", "")]
    found += [("phantom cohort", "caution")] if phantom else [(cohort, "") for cohort in cohorts]
    return (*found, *([] if finished else [("not finished", "caution")]))  # type: ignore[arg-type]


def data_facts(origin: Provenance) -> tuple[Fact, ...]:
    """On which data the numbers stand."""
    kind = "synthetic phantom, no reproduction of a published number" if origin.phantom else "as given"
    skipped = tuple(Text((f"{case.subject}: {case.problem}",), "line") for case in origin.skipped)
    return (
        ("Cohort", f"{origin.cohort}, {counted(origin.subjects, 'subject')} ({kind})"),
        ("Data fingerprint", code(origin.data_fingerprint)),
        ("Skipped cases", skipped or "none"),
    )


def program_facts(origin: Provenance, trained: Iterable[Trained]) -> tuple[Fact, ...]:
    """With which program, where and when, and by whose code the stages were trained."""
    stages = tuple(Text((code(name), f": {', '.join(what)}"), "line") for name, what in by_code(trained).items())
    versions = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
    return (
        ("Scale", origin.scale),
        ("Git commit", code(origin.git_commit) if origin.git_commit else "none recorded"),
        ("Stages trained by", stages or NOTHING),
        ("Versions", versions or NOTHING),
        ("Machine", origin.machine or NOTHING),
        ("Report made", origin.created or NOTHING),
    )


def run_row(name: str, *cells: Part, seconds: float | None, reason: str | None) -> TableRow:
    """A run with its time, and the reason of its failure on a line of its own."""
    found = (label(name), *(TableCell((part,)) for part in (*cells, duration(seconds))))
    return TableRow(cells=found, remarks=(reason,) if reason else (), failed=True)


def state(of: str, more: str = "") -> Part:
    """A run's state, in its colour."""
    return Text((of + more,), tone={"cut": "caution", "failed": "bad"}.get(of, ""))
