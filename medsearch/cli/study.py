"""The command line of a study file: `run(STUDY)` in its last line makes it a program."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.cli.cohorts import DataOptions, choose, phantom_folder, workplace
from medsearch.cli.exits import exits
from medsearch.core.records import write_json
from medsearch.data.geometry import GEOMETRIES

if TYPE_CHECKING:
    from medsearch.data.tasks import CrossModalityTask
    from medsearch.study import Search
    from medsearch.study.cluster import Resources
    from medsearch.study.jobs import Workplace
    from medsearch.study.tracking import SyncReport

TRACKING_PATIENCE_S = 20.0
"""How long the end of a study waits for its tracking server before it says `medsearch sync`."""


def run(study: "Search", arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run what is left of the study, write its report, print the answer."""
    with exits():
        options = _parser(study).parse_args(arguments)
        search = _sized(study, options)
        data = DataOptions(
            layout=search.data,
            data=options.data,
            anatomy=options.anatomy,
            skip_bad=options.skip_bad,
            home=options.home,
        )
        if options.dry_run:
            _print_plan(search, data, _resources(options))
        else:
            _run(search, data, options)


def _parser(study: "Search") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=study.question, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=study.cost or None
    )
    scales = tuple(sorted(GEOMETRIES))
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help=f"a cohort in the {study.data} layout (default: write a phantom)")
    add("--anatomy", type=Path, metavar="DIR", help="label maps to build the phantom from, instead of MNI152")
    add(
        "--scale",
        choices=scales,
        default="tiny",
        help="tiny: minutes on two cores; small: one GPU; paper: the paper's own sizes",
    )
    add("--home", type=Path, default=Path("runs"), metavar="DIR", help="where everything is kept (default: ./runs)")
    add("--trials", type=int, metavar="N", help="trials of the search; may grow when run again")
    add("--finalists", type=int, metavar="N", help="how many of the best are repeated over the seeds")
    add("--seeds", type=_seeds, metavar="0,1,2", help="seeds of finalists and references; the search uses the first")
    add("--address", metavar="auto|HOST:PORT", help="a Ray cluster to join (default: this machine alone)")
    add("--tracking-uri", metavar="URI", help="an MLflow server (default: sqlite in --home)")
    add("--gpus-per-trial", type=_share, default="auto", metavar="auto|F", help="a share such as 0.5; auto: 1 if any")
    add("--cpus-per-trial", type=float, default=1.0, metavar="N", help="CPU cores of a trial (default: 1)")
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where a GPU has it")
    add("--micro-batch", type=int, default=0, metavar="N", help="samples at once; gradients accumulate to the batch")
    add("--skip-bad", action="store_true", help="leave faulty cases out instead of stopping; the report names them")
    add("--dry-run", action="store_true", help="print what would be trained, and for how long, then stop")
    return parser


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        msg = f"{text!r} is no list of seeds such as 0,1,2"
        raise argparse.ArgumentTypeError(msg) from None


def _share(text: str) -> str | float:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        msg = f"{text!r} is neither auto nor a number such as 0.5"
        raise argparse.ArgumentTypeError(msg) from None


def _sized(study: "Search", options: argparse.Namespace) -> "Search":
    search = study.at(options.scale)
    given = {name: getattr(options, name) for name in ("trials", "finalists", "seeds")}
    return replace(search, **{name: value for name, value in given.items() if value is not None})


def _tasks(search: "Search") -> list["CrossModalityTask"]:
    """The task of the search, and those of its references and of what it searches."""
    rows = [row.knobs for row in search.settled.references]
    tried = [{knob: value} for knob, domain in search.settled.domains.items() for value in domain.edges()]
    return [search.setup(knobs).task for knobs in ({}, *rows, *tried)]


def _print_plan(search: "Search", data: DataOptions, resources: "Resources") -> None:
    """The plan needs no torch and no Ray, and trains nothing; files that were checked for it are remembered."""
    from medsearch.study.plan import plan, render

    spacing = search.task.geometry.spacing
    written = data.data is not None or phantom_folder(data, spacing).exists()
    place = None
    if written:
        place = workplace(data, choose(data, _tasks(search), _say))
    else:
        _say("the phantom cohort is not written yet, so nothing of this study can be stored")
    render(plan(search, place, slots=_slots(resources)))


def _slots(resources: "Resources") -> int:
    """How many runs this machine holds at once; a cluster's size is not known before it is joined."""
    from medsearch.study.cluster import cores, gpus_here

    slots = cores() / resources.cpus_per_trial
    if resources.gpus_per_trial:
        slots = min(slots, gpus_here() / resources.gpus_per_trial)
    return max(1, int(slots + 1e-6))


def _run(search: "Search", data: DataOptions, options: argparse.Namespace) -> None:
    from medsearch.study.execution import run_search
    from medsearch.study.progress import progress
    from medsearch.study.tracking import start_follower

    place = workplace(data, choose(data, _tasks(search), _say))
    folder = place.study(search.name)
    follower = start_follower(folder, place.store.root, options.tracking_uri)
    try:
        with progress(search) as listener:
            ended = run_search(search, place, resources=_resources(options), address=options.address, listener=listener)
        _report(search, place)
    except BaseException:
        follower.finish(2.0)
        raise
    _tell(ended.folder, follower.finish(TRACKING_PATIENCE_S), given_uri=options.tracking_uri is not None)


def _resources(options: argparse.Namespace) -> "Resources":
    from medsearch.study.cluster import Resources, gpus_here

    gpus = options.gpus_per_trial
    return Resources(
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=(1.0 if gpus_here() else 0.0) if gpus == "auto" else gpus,
        precision=options.precision,
        micro_batch=options.micro_batch,
    )


def _report(search: "Search", place: "Workplace") -> None:
    """Write tables, figures and the page; print the summary."""
    from rich.console import Console

    from medsearch.reporting.collect import IMPORTANCES, collect
    from medsearch.reporting.report import write_report
    from medsearch.reporting.terminal import summary_text
    from medsearch.study.proposals import Proposals, sqlite

    folder = place.study(search.name)
    shares, why = Proposals(search, sqlite(folder)).importances()
    write_json(folder / IMPORTANCES, {"shares": shares, "why": why})
    results = collect(folder, place.store)
    write_report(results, folder / "report")
    # A log has no width of its own; a table that is folded cannot be read or searched.
    Console(width=None if sys.stdout.isatty() else 120).print(summary_text(results))


def _tell(folder: Path, report: "SyncReport", *, given_uri: bool) -> None:
    home = f" --home {shlex.quote(str(folder.parent.parent))}"
    _say(f"page: {folder / 'report' / 'index.html'}")
    if report.behind:  # its last word is the command that mends it
        _say(f"tracking: {report}{home}{f' --tracking-uri {shlex.quote(report.uri)}' if given_uri else ''}")
    else:
        _say(f"tracking: {report}")
        _say(f"to compare runs: medsearch ui{home}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
