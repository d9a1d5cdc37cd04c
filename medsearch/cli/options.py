"""The options of a study file, and what they mean."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.core.errors import BadInput
from medsearch.core.machine import cores
from medsearch.imaging.geometry import SCALES
from medsearch.study import Ablation, StagedSearch
from medsearch.study.declare import Study

if TYPE_CHECKING:
    from medsearch.study.ray.cluster import Resources


def parser(study: Study) -> argparse.ArgumentParser:
    """The command line of a study."""
    commandline = argparse.ArgumentParser(
        description=study.question, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=study.cost or None
    )
    add, layouts = commandline.add_argument, layouts_of(study)

    several = len(layouts) > 1
    text = f"cohorts of {' and '.join(layouts)}, one option each" if several else f"a cohort in the {layouts[0]} layout"
    text += " (default: write a phantom)"
    add("--data", action="append", default=[], metavar="LAYOUT=DIR" if several else "DIR", help=text)
    add("--anatomy", type=Path, metavar="DIR", help="label maps to build phantoms from, instead of MNI152")
    add("--skip-bad", action="store_true", help="leave faulty cases out instead of stopping; the report names them")

    text = "tiny: minutes on two cores; small: one GPU; paper: the paper's own sizes"
    add("--scale", choices=SCALES, default="tiny", help=text)
    add("--seeds", type=_seeds, metavar="0,1,2", help="seeds of tested runs; the first one is that of trials")
    if isinstance(study, Ablation):
        add("--only", action="append", default=[], metavar="LABEL", help="run this row alone; may be given repeatedly")
        add("--trials", type=int, metavar="N", help="configurations of rows that are retuned")
    else:
        owner = "each group and of the refinement" if isinstance(study, StagedSearch) else "the search"
        add("--trials", type=int, metavar="N", help=f"trials of {owner}; may grow when run again")
        add("--finalists", type=int, metavar="N", help="how many of the best are repeated over the seeds")

    add("--home", type=Path, default=Path("runs"), metavar="DIR", help="where everything is kept (default: ./runs)")
    add("--group-home", action="store_true", help="a new home is for your group to read and write, not for you alone")
    add("--store", metavar="URI", help="finished stages elsewhere, such as s3://bucket/stages (default: in --home)")
    add("--storage", metavar="URL", help="the sampler's memory, such as postgresql://... (default: sqlite in --home)")
    add("--address", metavar="auto|HOST:PORT", help="a Ray cluster to join (default: this machine alone)")
    add("--cache", type=Path, metavar="DIR", help="a folder on each node of the cluster for copies of prepared arrays")
    text = "an MLflow server or database (default: sqlite in --home; MLFLOW_TRACKING_URI is not read)"
    add("--tracking-uri", metavar="URI", help=text)

    text = "a share such as 0.5; auto: measured, so that a GPU holds as many as fit"
    add("--gpus-per-trial", type=_share, default="auto", metavar="auto|F", help=text)
    add("--cpus-per-trial", type=float, default=1.0, metavar="N", help="CPU cores of a trial (default: 1)")
    text = "main memory of a trial; beyond it, it fails alone (default: its part of the node's; on a GPU, any)"
    add("--memory-per-trial", type=_gigabytes, default=0, metavar="GB", help=text)
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where a GPU has it")
    add("--micro-batch", type=int, default=0, metavar="N", help="samples at once; gradients accumulate to the batch")

    text = (
        "stored stages that other code has trained: warn names them and uses them (default); changed trains them anew, "
        "and what stands on them; unknown also those from before code was recorded; never uses them without a word"
    )
    add("--recompute", choices=("warn", "changed", "unknown", "never"), default="warn", help=text)
    add("--dry-run", action="store_true", help="print what would be trained, and for how long, then stop")
    return commandline


def layouts_of(study: Study) -> tuple[str, ...]:
    """The layouts of the data that a study reads, each once."""
    tasks = study.tasks.values() if isinstance(study, Ablation) else [study.task]
    return tuple(dict.fromkeys(task.layout for task in tasks))


def folders(given: Iterable[str], layouts: tuple[str, ...]) -> dict[str, Path]:
    """The folder of each layout that `--data` names.

    Of two releases of BraTS, the one that is declared stands for the other.

    Raises:
        BadInput: a layout that the study does not use, one given twice, or a folder of which it is not said what it is.

    """
    from medsearch.cohorts.layouts.brats import RELEASES

    releases = [release.name for release in RELEASES]
    declared = next((layout for layout in layouts if layout in releases), None)
    located: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if name in releases and name not in layouts and declared:
            name = declared
        if not equals or (name not in layouts and len(layouts) == 1):
            name, folder = layouts[0], text
            if len(layouts) > 1:
                msg = f"--data {text}: say of which cohort, as {' or '.join(f'{one}={text}' for one in layouts)}"
                raise BadInput(msg)
        if name not in layouts or name in located:
            what = "is given twice" if name in located else "is none of the study's"
            msg = f"--data {text}: {name!r} {what}; the study reads {', '.join(layouts)}"
            raise BadInput(msg)
        located[name] = Path(folder)
    return located


def resources(options: argparse.Namespace) -> "Resources":
    """What a run is given of a machine, as the options say; GPUs are measured only where there are some."""
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


def slots(resources: "Resources") -> int:
    """How many runs this machine holds at once; a cluster's size is not known before it is joined."""
    from medsearch.study.ray.cluster import gpus_here

    count = cores() / resources.cpus_per_trial
    if resources.gpus_per_trial:
        count = min(count, gpus_here() / resources.gpus_per_trial)
    return max(1, int(count + 1e-6))


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
