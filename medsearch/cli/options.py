"""The options of a study file, and what they mean."""

import argparse
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.core.errors import BadInput
from medsearch.core.machine import cores
from medsearch.imaging.geometry import SCALES

if TYPE_CHECKING:
    from medsearch.study.ray.cluster import Resources


@dataclass(frozen=True, kw_only=True)
class CliSpec:
    """What differs between kinds of study: a question, its data, and which numbers may be given."""

    question: str
    cost: str
    layouts: tuple[str, ...]
    rows: bool
    """Whether the study has rows, of which some can be asked for."""
    groups: bool = False
    """Whether the study is several searches, one after another."""


def parser(asked: CliSpec) -> argparse.ArgumentParser:
    """The command line of a study."""
    made = argparse.ArgumentParser(
        description=asked.question, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=asked.cost or None
    )
    _about_data(made, asked)
    _about_size(made, asked)
    _about_places(made)
    _about_trials(made)
    _about_code(made)
    made.add_argument("--dry-run", action="store_true", help="print what would be trained, and for how long, then stop")
    return made


def _about_data(made: argparse.ArgumentParser, asked: CliSpec) -> None:
    add, names = made.add_argument, " and ".join(asked.layouts)
    where = "LAYOUT=DIR" if len(asked.layouts) > 1 else "DIR"
    what = f"a cohort in the {names} layout" if len(asked.layouts) == 1 else f"cohorts of {names}, one option each"
    add("--data", action="append", default=[], metavar=where, help=f"{what} (default: write a phantom)")
    add("--anatomy", type=Path, metavar="DIR", help="label maps to build phantoms from, instead of MNI152")
    add("--skip-bad", action="store_true", help="leave faulty cases out instead of stopping; the report names them")


def _about_size(made: argparse.ArgumentParser, asked: CliSpec) -> None:
    add = made.add_argument
    told = "tiny: minutes on two cores; small: one GPU; paper: the paper's own sizes"
    add("--scale", choices=SCALES, default="tiny", help=told)
    add("--seeds", type=_seeds, metavar="0,1,2", help="seeds of tested runs; the first one is that of trials")
    if asked.rows:
        add("--only", action="append", default=[], metavar="LABEL", help="run this row alone; may be given repeatedly")
        add("--trials", type=int, metavar="N", help="configurations of rows that are retuned")
    else:
        of = "each group and of the refinement" if asked.groups else "the search"
        add("--trials", type=int, metavar="N", help=f"trials of {of}; may grow when run again")
        add("--finalists", type=int, metavar="N", help="how many of the best are repeated over the seeds")


def _about_places(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add("--home", type=Path, default=Path("runs"), metavar="DIR", help="where everything is kept (default: ./runs)")
    add("--group-home", action="store_true", help="a new home is for your group to read and write, not for you alone")
    add("--store", metavar="URI", help="finished stages elsewhere, such as s3://bucket/stages (default: in --home)")
    add("--storage", metavar="URL", help="the sampler's memory, such as postgresql://... (default: sqlite in --home)")
    add("--address", metavar="auto|HOST:PORT", help="a Ray cluster to join (default: this machine alone)")
    add("--cache", type=Path, metavar="DIR", help="a folder on each node of the cluster for copies of prepared arrays")
    told = "default: sqlite in --home; MLFLOW_TRACKING_URI is not read"
    add("--tracking-uri", metavar="URI", help=f"an MLflow server or database ({told})")


def _about_trials(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    told = "a share such as 0.5; auto: measured, so that a GPU holds as many as fit"
    add("--gpus-per-trial", type=_share, default="auto", metavar="auto|F", help=told)
    add("--cpus-per-trial", type=float, default=1.0, metavar="N", help="CPU cores of a trial (default: 1)")
    told = "main memory of a trial; beyond it, it fails alone (default: its part of the node's; on a GPU, any)"
    add("--memory-per-trial", type=_gigabytes, default=0, metavar="GB", help=told)
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where a GPU has it")
    add("--micro-batch", type=int, default=0, metavar="N", help="samples at once; gradients accumulate to the batch")


def require_values(arguments: Sequence[str]) -> None:
    """Refuse options with an empty value, as of a shell's variable that is not set.

    It would be taken for the working directory, or for the default that it was meant to replace.

    Raises:
        BadInput: there is one.

    """
    for before, text in itertools.pairwise(["", *arguments]):
        name, equals, value = text.partition("=")
        if text and not (text.startswith("--") and equals and not value):
            continue
        name = name or (before if before.startswith("--") and "=" not in before else "an argument")
        msg = f"{name} has an empty value; give one, or leave it out"
        raise BadInput(msg)


def _about_code(made: argparse.ArgumentParser) -> None:
    told = (
        "stored stages that other code has trained: warn names them and uses them (default); changed trains them anew, "
        "and what stands on them; unknown also those from before code was recorded; never uses them without a word"
    )
    made.add_argument("--recompute", choices=("warn", "changed", "unknown", "never"), default="warn", help=told)


def folders(given: Iterable[str], layouts: tuple[str, ...]) -> dict[str, Path]:
    """The folder of each layout that `--data` names.

    Raises:
        BadInput: a layout that the study does not use, one given twice, or a folder of which it is not said what it is.

    """
    found: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        name = _declared(name, layouts)
        if not equals or (name not in layouts and len(layouts) == 1):
            name, folder = layouts[0], text
            if len(layouts) > 1:
                msg = f"--data {text}: say of which cohort, as {' or '.join(f'{one}={text}' for one in layouts)}"
                raise BadInput(msg)
        if name not in layouts or name in found:
            what = "is given twice" if name in found else "is none of the study's"
            msg = f"--data {text}: {name!r} {what}; the study reads {', '.join(layouts)}"
            raise BadInput(msg)
        found[name] = Path(folder)
    return found


def _declared(name: str, layouts: tuple[str, ...]) -> str:
    """The layout of the study that stands for `name`: itself, or of two releases of BraTS the one that is declared."""
    from medsearch.cohorts.layouts.brats import RELEASES

    releases = [release.name for release in RELEASES]
    search_status = [one for one in layouts if one in releases]
    return search_status[0] if name in releases and name not in layouts and search_status else name


def resources(options: argparse.Namespace) -> "Resources":
    """What a run is given, as the options say."""
    from medsearch.study.ray.cluster import Resources, gpus_here

    measured = options.gpus_per_trial == "auto"
    some = gpus_here() or options.address  # a cluster that has none is found out when it is joined
    return Resources(
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=(1.0 if some else 0.0) if measured else options.gpus_per_trial,
        measured=bool(measured and some),
        precision=options.precision,
        micro_batch=options.micro_batch,
        memory_per_trial=options.memory_per_trial,
    )


def slots(of: "Resources") -> int:
    """How many runs this machine holds at once; a cluster's size is not known before it is joined."""
    from medsearch.study.ray.cluster import gpus_here

    found = cores() / of.cpus_per_trial
    if of.gpus_per_trial:
        found = min(found, gpus_here() / of.gpus_per_trial)
    return max(1, int(found + 1e-6))


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        msg = f"{text!r} is no list of seeds such as 0,1,2"
        raise argparse.ArgumentTypeError(msg) from None


def _gigabytes(text: str) -> int:
    try:
        size = int(float(text) * 1e9)
    except (ValueError, OverflowError):
        size = 0
    if size <= 0:
        msg = f"{text!r} is no number of gigabytes such as 8 or 0.5"
        raise argparse.ArgumentTypeError(msg)
    return size


def _share(text: str) -> str | float:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        msg = f"{text!r} is neither auto nor a number such as 0.5"
        raise argparse.ArgumentTypeError(msg) from None
