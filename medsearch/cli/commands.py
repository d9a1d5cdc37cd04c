"""The `medsearch` command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from medsearch.cli import prune, reported, verify
from medsearch.cli.exits import exits
from medsearch.cli.options import require_values
from medsearch.core.errors import BadInput
from medsearch.core.ownership import adopt_umask
from medsearch.core.paths import child
from medsearch.core.terminal import say
from medsearch.stages.store import Store


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse and do one command; errors become one line and an exit code."""
    with exits() as environments:
        given = list(sys.argv[1:] if arguments is None else arguments)
        require_values(given)
        options = _parser().parse_args(given)
        if "home" in options:
            environments.append(options.home)
            adopt_umask(options.home)
        else:
            environments.append(Path.cwd())
        code = options.do(options)
    if code:
        raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="medsearch", description="Studies of medical-imaging methods.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="validate a cohort: one line per finding")
    check.add_argument("dir", type=Path)
    check.add_argument("--layout", help="how its folders and files are named (default: recognised by them)")
    check.set_defaults(do=_check)

    phantom = commands.add_parser("phantom", help="write a phantom cohort")
    phantom.add_argument("layout")
    phantom.add_argument("dir", type=Path)
    phantom.add_argument("--cases", type=int, help="how many (default: the layout's own)")
    phantom.add_argument("--spacing", type=float, metavar="MM", help="voxel size (default: the layout's own)")
    phantom.add_argument("--seed", type=int, default=0)
    phantom.add_argument("--healthy", type=int, metavar="N", help="how many of the cases have no tumour")
    phantom.add_argument("--pairs", type=int, metavar="N", help="how many are seen with and without contrast agent")
    phantom.add_argument("--anatomy", type=Path, metavar="DIR", help="label maps to build on, instead of MNI152")
    phantom.set_defaults(do=_phantom)

    for name, do, about in (
        ("report", _report, "rebuild tables, figures and page from what is stored"),
        ("sync", _sync, "bring a tracking server up to date with what is stored"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("study")
        command.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
        command.add_argument("--store", metavar="URI", help="what the study was given as --store")
        command.set_defaults(do=do)
        if name == "sync":
            command.add_argument("--tracking-uri", metavar="URI")

    reported.add_command(commands)
    prune.add_command(commands)
    verify.add_command(commands)

    ui = commands.add_parser("ui", help="MLflow's pages over a home, on loopback")
    ui.add_argument("--home", type=Path, default=Path("runs"), metavar="DIR")
    ui.add_argument("--port", type=_port, default=5000)
    ui.add_argument("--tracking-uri", metavar="URI", help="a database (default: sqlite in --home)")
    ui.set_defaults(do=_ui)
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        msg = f"{text!r} is no port from 1 to 65535"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


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
    from medsearch.tracking import sync

    folder, store = _stored(options)
    behind = False
    for one in _synced(folder):
        report = sync(one, store.root, options.tracking_uri, remote=options.store)
        for line in (str(report), *report.links()):
            say(line)
        behind = behind or report.behind
    return 1 if behind else 0


def _synced(folder: Path) -> list[Path]:
    """The study itself; of a staged search, which has no runs of its own, the searches that have begun."""
    from medsearch.study.record.headers import StagedHeader
    from medsearch.study.record.ledger import Ledger

    header = Ledger(folder).header(StagedHeader)
    if header is None:
        return [folder]
    paths = [child(folder.parent, name, what="study name") for name in header.studies]
    return [path for path in paths if path.exists()]


def _stored(options: argparse.Namespace) -> tuple[Path, Store]:
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
