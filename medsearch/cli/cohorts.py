"""The cohort that a study runs on: the user's folder or a phantom, checked, without the cases that were skipped."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.cohorts.cohort import Cohort, fingerprint
from medsearch.core.errors import BadInput, printable
from medsearch.core.repository import commit_of
from medsearch.core.terminal import interactive

if TYPE_CHECKING:
    from medsearch.cohorts.tasks import Task
    from medsearch.phantoms import Specification
    from medsearch.study.engine.jobs import StudyEnvironment
    from medsearch.study.record.headers import About

CHECKS = "checks"
"""The folder beside the cohorts that remembers what files hold."""
PACKAGES = ("torch", "ray", "optuna", "mlflow", "monai", "numpy")


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What the user says of the data. `data` None: a phantom, of the label maps in `anatomy` if given."""

    layout: str
    data: Path | None
    anatomy: Path | None
    skip_bad: bool
    home: Path


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the user says of all cohorts of a study, and of where things are kept.

    folders: of real cohorts, by layout; a layout without one is a phantom. store: URI of finished stages, if they are
    not kept in the home. cache: a folder on each node of a cluster. say: tells the user a line.
    """

    folders: Mapping[str, Path]
    anatomy: Path | None
    skip_bad: bool
    home: Path
    store: str | None
    cache: Path | None
    say: Callable[[str], None]

    def environments(self, tasks: Sequence["Task"]) -> dict[str, "StudyEnvironment"]:
        """Where the study runs, by layout: cohorts checked, phantoms written.

        Raises:
            BadInput: a cohort is faulty, or label maps are given that no phantom is built on.

        """
        self._require_use_of_anatomy(tasks)
        return {layout: self._place(layout, of) for layout, of in _by_layout(tasks).items()}

    def written_environments(self, tasks: Sequence["Task"]) -> dict[str, "StudyEnvironment"]:
        """As `environments`, without the phantoms that are not written yet, of which nothing can be stored."""
        self._require_use_of_anatomy(tasks)
        written = {}
        for layout, of in _by_layout(tasks).items():
            if layout in self.folders or phantom_folder(self._options(layout), spacing_of(of)).exists():
                written[layout] = self._place(layout, of)
            else:
                self.say(f"the {layout} phantom is not written yet, so nothing of it can be stored")
        return written

    def _require_use_of_anatomy(self, tasks: Sequence["Task"]) -> None:
        from medsearch.phantoms import PHANTOMS

        phantoms = [layout for layout in _by_layout(tasks) if layout not in self.folders]
        if self.anatomy and not any("anatomy" in PHANTOMS[layout].knobs for layout in phantoms if layout in PHANTOMS):
            named = (
                f"the phantoms of this study ({', '.join(phantoms)}) are" if phantoms else "this study's cohorts are"
            )
            msg = f"--anatomy {self.anatomy}: {named} not built on label maps; leave the option out"
            raise BadInput(msg)

    def prepare(self, environments: Mapping[str, "StudyEnvironment"], tasks: Sequence["Task"]) -> None:
        """Make the arrays of every task now rather than when its first stage waits for them."""
        for layout, of in _by_layout(tasks).items():
            for task in of:
                environments[layout].prepared(task)

    def _place(self, layout: str, tasks: Sequence["Task"]) -> "StudyEnvironment":
        options = self._options(layout)
        return study_environment(options, choose(options, tasks, self.say), store=self.store, cache=self.cache)

    def _options(self, layout: str) -> DataOptions:
        return DataOptions(
            layout=layout,
            data=self.folders.get(layout),
            anatomy=self.anatomy,
            skip_bad=self.skip_bad,
            home=self.home,
        )


def spacing_of(tasks: Sequence["Task"]) -> float:
    """The shortest voxel edge of these tasks, by which a phantom's spacing goes, mm."""
    return tasks[0].geometry.finest_voxel


def _by_layout(tasks: Sequence["Task"]) -> dict[str, list["Task"]]:
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.layout, []).append(task)
    return found


@dataclass(frozen=True)
class Chosen:
    """A checked cohort, and the cases that were left out of it with the reason."""

    cohort: Cohort
    skipped: tuple[Mapping[str, str], ...]


def phantom_spec(options: DataOptions, spacing: float) -> "Specification":
    """The phantom that stands in for missing data."""
    from medsearch.phantoms import PHANTOMS, specified

    if options.layout not in PHANTOMS:
        msg = f"layout {options.layout!r} has no phantom; give --data DIR"
        raise BadInput(msg)
    given: dict[str, object] = {"spacing": spacing}
    if options.anatomy and "anatomy" in PHANTOMS[options.layout].knobs:  # of a study's phantoms, maybe not all take it
        given["anatomy"] = str(options.anatomy.resolve())
    return specified(options.layout, given)


def phantom_folder(options: DataOptions, spacing: float) -> Path:
    """Where that phantom lies or will lie."""
    spec = phantom_spec(options, spacing)
    return options.home.resolve() / "cohorts" / f"{options.layout}-phantom-{spec.fingerprint}"


def choose(options: DataOptions, tasks: Sequence["Task"], say: Callable[[str], None]) -> Chosen:
    """The cohort for these tasks, of one voxel size: written first if it is a missing phantom, and checked.

    Raises:
        BadInput: cases are faulty and `--skip-bad` was not given; each finding was said.
    """
    root = options.data or _phantom(options, spacing_of(tasks), say)
    from medsearch.cohorts.checks import check

    needed = [task.required_contrasts for task in tasks]
    cache = options.home / "cohorts" / CHECKS
    checked = check(
        root, options.layout, required=sorted(frozenset().union(*needed)) if all(needed) else None, cache=cache
    )
    for finding in checked.findings:
        say(str(finding))
    if checked.refusals:
        refusal = checked.refusals[0]
        msg = f"{root}: {refusal.problem}; {refusal.remedy}"
        raise BadInput(msg)
    bad = checked.bad_subjects
    if bad and not options.skip_bad:
        names = ", ".join(sorted(bad))
        msg = f"{root}: faulty cases (named above): {names}; mend them, or leave them out with --skip-bad"
        raise BadInput(msg)
    reasons = {finding.subject: finding.problem for finding in checked.findings if finding.fatal}
    skipped = tuple({"subject": printable(name), "problem": printable(reasons[name])} for name in sorted(bad))
    return Chosen(checked.usable, skipped)


def _phantom(options: DataOptions, spacing: float, say: Callable[[str], None]) -> Path:
    from medsearch.phantoms import PHANTOMS

    folder = phantom_folder(options, spacing)
    spec = phantom_spec(options, spacing)
    if not folder.exists():
        say(f"writing a phantom cohort of {spec.subjects} cases at {spacing:g} mm into {folder}")
    return PHANTOMS[options.layout].write(spec, folder)


def study_environment(
    options: DataOptions, chosen: Chosen, *, store: str | None = None, cache: Path | None = None
) -> "StudyEnvironment":
    """Where the study runs: its home, the cohort's fingerprint, and arrays that are prepared at the first use."""
    from medsearch.cohorts.inspection import DIGESTS
    from medsearch.study.engine.jobs import StudyEnvironment

    cohorts = options.home.resolve() / "cohorts"
    content = fingerprint(chosen.cohort, cohorts / CHECKS / DIGESTS)

    return StudyEnvironment(
        home=options.home.resolve(),
        cohort=content,
        roster=chosen.cohort.roster,
        prepared=Arrays(chosen.cohort, content, cohorts),
        about=about(chosen),
        remote=store,
        cache=cache,
    )


@dataclass(frozen=True)
class Arrays:
    """Where a task's arrays lie, made at the first call; plain data, because it travels to workers."""

    cohort: Cohort
    fingerprint: str
    folder: Path

    def __call__(self, task: "Task") -> Path:
        """The folder of the arrays for `task`."""
        from medsearch.cohorts.preparation import prepare

        return prepare(self.cohort, self.fingerprint, task=task, folder=self.folder).directory


def about(chosen: Chosen) -> "About":
    """What a report says of data, code and machine."""
    from medsearch.cohorts.layouts import AXIAL_LAYOUTS
    from medsearch.study.record.headers import About, Skipped

    program = Path.cwd() if interactive() else Path(sys.argv[0]).resolve()
    return About(
        cohort=chosen.cohort.name,
        phantom=chosen.cohort.phantom,
        truth="pairs" if chosen.cohort.layout in AXIAL_LAYOUTS else "labels",
        skipped=tuple(Skipped(**case) for case in chosen.skipped),
        git_commit=str(commit) if (commit := commit_of(program)) else None,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    )
