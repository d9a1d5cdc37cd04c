"""The cohorts that a study runs on: the user's folders or phantoms, checked, without the cases that were skipped."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
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

CHECKS = "checks"
"""The folder beside the cohorts that remembers what files hold."""
PACKAGES = ("torch", "ray", "optuna", "mlflow", "monai", "numpy")


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the user says of all cohorts of a study, and of where things are kept.

    folders: of real cohorts, by layout; a layout without one is a phantom, of the label maps in `anatomy` if given.
    skip_bad: faulty cases are left out. store: URI of finished stages, if they are not kept in the home.
    cache: a folder on each machine of a cluster. say: tells the user a line.
    """

    folders: Mapping[str, Path]
    anatomy: Path | None
    skip_bad: bool
    home: Path
    store: str | None
    cache: Path | None
    say: Callable[[str], None]

    def environments(self, tasks: Iterable["Task"]) -> dict[str, "StudyEnvironment"]:
        """Where the study runs, by layout: cohorts checked, phantoms written first.

        Raises:
            BadInput: a cohort is faulty, or label maps are given that no phantom is built on.

        """
        return {layout: self._environment(layout, own) for layout, own in self._by_layout(tasks).items()}

    def written_environments(self, tasks: Iterable["Task"]) -> dict[str, "StudyEnvironment"]:
        """As `environments`, without the phantoms that are not written yet, of which nothing can be stored."""
        written = {}
        for layout, own in self._by_layout(tasks).items():
            if layout in self.folders or self._phantom(layout, own)[1].exists():
                written[layout] = self._environment(layout, own)
            else:
                self.say(f"the {layout} phantom is not written yet, so nothing of it can be stored")
        return written

    def prepare(self, environments: Mapping[str, "StudyEnvironment"], tasks: Iterable["Task"]) -> None:
        """Make the arrays of every task now rather than when its first stage waits for them."""
        for layout, own in self._by_layout(tasks).items():
            for task in own:
                environments[layout].prepared(task)

    def _by_layout(self, tasks: Iterable["Task"]) -> dict[str, list["Task"]]:
        """The tasks of each layout; refuses label maps that no phantom among these is built on."""
        by_layout: dict[str, list[Task]] = {}
        for task in tasks:
            by_layout.setdefault(task.layout, []).append(task)
        if self.anatomy is not None:
            from medsearch.phantoms import PHANTOMS

            phantoms = [layout for layout in by_layout if layout not in self.folders]
            if not any("anatomy" in PHANTOMS[layout].knobs for layout in phantoms if layout in PHANTOMS):
                which = f"the phantoms of this study ({', '.join(phantoms)})" if phantoms else "this study's cohorts"
                msg = f"--anatomy {self.anatomy}: {which} are not built on label maps; leave the option out"
                raise BadInput(msg)
        return by_layout

    def _phantom(self, layout: str, tasks: Sequence["Task"]) -> tuple["Specification", Path]:
        """The phantom that stands in for missing data, and where it lies or will lie."""
        from medsearch.phantoms import PHANTOMS, specified

        if layout not in PHANTOMS:
            msg = f"layout {layout!r} has no phantom; give --data DIR"
            raise BadInput(msg)
        given: dict[str, object] = {"spacing": tasks[0].geometry.finest_voxel}
        if self.anatomy and "anatomy" in PHANTOMS[layout].knobs:  # of a study's phantoms, maybe not all take it
            given["anatomy"] = str(self.anatomy.resolve())
        specification = specified(layout, given)
        folder = self.home.resolve() / "cohorts" / f"{layout}-phantom-{specification.fingerprint}"
        return specification, folder

    def _checked(self, layout: str, tasks: Sequence["Task"]) -> tuple[Cohort, dict[str, str]]:
        """The cohort for these tasks, of one voxel size, and what is wrong with each case that was left out of it.

        It is written first if it is a missing phantom. Each finding is said.

        Raises:
            BadInput: cases are faulty and `skip_bad` is not set, or the folder is no such cohort.

        """
        from medsearch.cohorts.checks import check

        root = self.folders.get(layout)
        if root is None:
            from medsearch.phantoms import PHANTOMS

            specification, root = self._phantom(layout, tasks)
            if not root.exists():
                spacing = tasks[0].geometry.finest_voxel
                self.say(f"writing a phantom cohort of {specification.subjects} cases at {spacing:g} mm into {root}")
            root = PHANTOMS[layout].write(specification, root)
        needed = [task.required_contrasts for task in tasks]
        required = sorted(frozenset().union(*needed)) if all(needed) else None
        checked = check(root, layout, required=required, cache=self.home / "cohorts" / CHECKS)
        for finding in checked.findings:
            self.say(str(finding))
        if checked.refusals:
            refusal = checked.refusals[0]
            msg = f"{root}: {refusal.problem}; {refusal.remedy}"
            raise BadInput(msg)
        bad = sorted(checked.bad_subjects)
        if bad and not self.skip_bad:
            names = ", ".join(bad)
            msg = f"{root}: faulty cases (named above): {names}; mend them, or leave them out with --skip-bad"
            raise BadInput(msg)
        reasons = {finding.subject: finding.problem for finding in checked.findings if finding.fatal}
        return checked.usable, {printable(name): printable(reasons[name]) for name in bad}

    def _environment(self, layout: str, tasks: Sequence["Task"]) -> "StudyEnvironment":
        """Where the study runs: its home, the cohort's fingerprint, and arrays that are prepared at the first use."""
        from medsearch.cohorts.inspection import DIGESTS
        from medsearch.cohorts.layouts import AXIAL_LAYOUTS
        from medsearch.study.engine.jobs import StudyEnvironment
        from medsearch.study.record.headers import About, Skipped

        cohort, skipped = self._checked(layout, tasks)
        home, program = self.home.resolve(), Path.cwd() if interactive() else Path(sys.argv[0]).resolve()
        content = fingerprint(cohort, home / "cohorts" / CHECKS / DIGESTS)
        return StudyEnvironment(
            home=home,
            cohort=content,
            roster=cohort.roster,
            prepared=Arrays(cohort, content, home / "cohorts"),
            about=About(
                cohort=cohort.name,
                phantom=cohort.phantom,
                truth="pairs" if cohort.layout in AXIAL_LAYOUTS else "labels",
                skipped=tuple(Skipped(subject=name, problem=problem) for name, problem in skipped.items()),
                git_commit=str(commit) if (commit := commit_of(program)) else None,
                versions={name: importlib.metadata.version(name) for name in PACKAGES},
                machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
            ),
            remote=self.store,
            cache=self.cache,
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
