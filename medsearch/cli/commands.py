"""The `medsearch` command."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from medsearch.cli.exits import exits, require_values
from medsearch.core.errors import BadInput
from medsearch.core.ownership import adopt_umask
from medsearch.core.paths import child
from medsearch.core.terminal import say

if TYPE_CHECKING:
    from medsearch.stages.store import Store

UNITS = {"": 1, "B": 1}
UNITS |= {f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", start=1)}
UNITS |= {f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGT", start=1)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse and do one command; errors become one line and an exit code."""
    with exits() as places:
        given = list(sys.argv[1:] if arguments is None else arguments)
        require_values(given)
        options = _parser().parse_args(given)
        if "home" in options:
            places.append(options.home)
            adopt_umask(options.home)
        else:
            places.append(Path.cwd())
        code = resolve_name(options.do)(options)
    if code:
        raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    """Every command with its options; `do` names the function that does it, whose module is then imported."""
    parser = argparse.ArgumentParser(prog="medsearch", description="Studies of medical-imaging methods.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="validate a cohort: one line per finding")
    check.add_argument("dir", type=Path)
    check.add_argument("--layout", help="how its folders and files are named (default: recognised by them)")
    check.set_defaults(do=f"{__name__}:_check")

    phantom = commands.add_parser("phantom", help="write a phantom cohort")
    phantom.add_argument("layout")
    phantom.add_argument("dir", type=Path)
    phantom.add_argument("--cases", type=int, help="how many (default: the layout's own)")
    phantom.add_argument("--spacing", type=float, metavar="MM", help="voxel size (default: the layout's own)")
    phantom.add_argument("--seed", type=int, default=0)
    phantom.add_argument("--healthy", type=int, metavar="N", help="how many of the cases have no tumour")
    phantom.add_argument("--pairs", type=int, metavar="N", help="how many are seen with and without contrast agent")
    phantom.add_argument("--anatomy", type=Path, metavar="DIR", help="label maps to build on, instead of MNI152")
    phantom.set_defaults(do=f"{__name__}:_phantom")

    report = commands.add_parser("report", help="rebuild tables, figures and page from what is stored")
    sync = commands.add_parser("sync", help="bring a tracking server up to date with what is stored")
    for command, do in ((report, "_report"), (sync, "_sync")):
        command.add_argument("study")
        command.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
        command.add_argument("--store", metavar="URI", help="what the study was given as --store")
        command.set_defaults(do=f"{__name__}:{do}")
    sync.add_argument("--tracking-uri", metavar="URI")

    reported = commands.add_parser("reported", help="every value that the papers report, as this project holds it")
    reported.add_argument("--format", choices=("table", "csv", "json"), default="table")
    reported.add_argument("--paper", metavar="WORDS", help="only papers or methods whose name contains this")
    reported.set_defaults(do="medsearch.cli.reported:print_reported")

    prune = commands.add_parser(
        "prune",
        help="free the disk of stages that no study needs",
        description="Removes stages that no study in the home mentions. No report changes by it.",
    )
    prune.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
    prune.add_argument(
        "--keep-best",
        action="store_true",
        help="drop the weights and volumes of trials and candidates that lost, too; their numbers stay",
    )
    prune.add_argument("--budget", type=size, metavar="50GB", help="stop once the store takes no more than this")
    prune.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    prune.add_argument("--yes", action="store_true", help="do not ask")
    prune.set_defaults(do="medsearch.cli.prune:prune")

    verify = commands.add_parser(
        "verify",
        help="check that all that a home stores is as it was written",
        description=(
            "Reads every manifest, output, prepared array, header and ledger of a home, and says what is damaged: one "
            "line each, with what to do. Exit code 0: nothing is; 2: something is. Studies check what they use by "
            "themselves; this checks the rest, too."
        ),
    )
    verify.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
    verify.add_argument("--store", metavar="URI", help="what the studies were given as --store")
    verify.add_argument("--quick", action="store_true", help="do not read again what has not changed since it was")
    verify.add_argument(
        "--set-aside", action="store_true", help="give damaged stages and arrays another name: they are made anew"
    )
    verify.set_defaults(do="medsearch.cli.verification:print_verification")

    ui = commands.add_parser("ui", help="MLflow's pages over a home, on loopback")
    ui.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
    ui.add_argument("--port", type=_port, default=5000)
    ui.add_argument("--tracking-uri", metavar="URI", help="a database (default: sqlite in --home)")
    ui.set_defaults(do=f"{__name__}:_ui")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        msg = f"{text!r} is no port from 1 to 65535"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def size(text: str) -> int:
    """Bytes from a number with a unit: 50GB, 1.5 TB, 200MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text.strip())
    if match is None or match[2].upper() not in UNITS:
        msg = f"{text!r} is no size such as 50GB or 200MiB"
        raise argparse.ArgumentTypeError(msg)
    return int(float(match[1]) * UNITS[match[2].upper()])


def _check(options: argparse.Namespace) -> int:
    from medsearch.cohorts.checks import check
    from medsearch.cohorts.layouts import LAYOUTS, recognised

    layout = options.layout or recognised(options.dir) or next(iter(LAYOUTS))
    if not options.layout:
        say(f"layout: {layout}")
    checked = check(options.dir, layout)
    for finding in checked.findings:
        say(str(finding))
    cases, bad = len(checked.cohort.subjects), len(checked.bad_subjects)
    say(f"{cases} cases, {bad} faulty, {len(checked.findings)} findings")
    return BadInput.exit_code if any(finding.fatal for finding in checked.findings) else 0


def _phantom(options: argparse.Namespace) -> int:
    from medsearch.phantoms import PHANTOMS, specified

    if options.layout not in PHANTOMS:
        msg = f"no phantom for layout {options.layout!r}; there are {', '.join(PHANTOMS)}"
        raise BadInput(msg)
    asked = {name: getattr(options, name) for name in ("cases", "spacing", "seed", "healthy", "pairs")}
    asked["anatomy"] = str(options.anatomy.resolve()) if options.anatomy else None
    spec = specified(options.layout, {name: value for name, value in asked.items() if value is not None})
    say(str(PHANTOMS[options.layout].write(spec, options.dir)))
    return 0


def _report(options: argparse.Namespace) -> int:
    from medsearch.reporting.report import rebuild

    folder, store = _stored(options)
    say(str(rebuild(folder, store)))
    return 0


def _sync(options: argparse.Namespace) -> int:
    """Bring a study's tracking up to date; of a staged search, which has no runs of its own, that of its searches."""
    from medsearch.study.record.headers import StagedHeader
    from medsearch.study.record.ledger import Ledger
    from medsearch.tracking import sync

    folder, store = _stored(options)
    header = Ledger(folder).header(StagedHeader)
    searches = [child(folder.parent, name, what="study name") for name in header.studies] if header else []
    behind = False
    for study in [path for path in searches if path.exists()] if header else [folder]:
        report = sync(study, store.root, options.tracking_uri, remote=options.store)
        for line in (str(report), *report.links()):
            say(line)
        behind = behind or report.behind
    return 1 if behind else 0


def _stored(options: argparse.Namespace) -> "tuple[Path, Store]":
    """The folder of a study, and the store that it trains into.

    Raises:
        BadInput: there is no such study; the message names those that are.

    """
    from medsearch.stages.store import Store

    home = options.home.resolve()
    folder = child(home / "studies", options.study, what="study name")
    if not (folder / "study.json").exists():
        known = sorted(path.parent.name for path in home.glob("studies/*/study.json"))
        msg = f"no study {options.study!r} in {home}; there are: {', '.join(known) or 'none'}; see --home"
        raise BadInput(msg)
    return folder, Store(home / "stages", options.store)


def _ui(options: argparse.Namespace) -> int:
    from medsearch.tracking.ui import serve

    return serve(options.home.resolve(), port=options.port, uri=options.tracking_uri)
