"""The command line of a study file: `run(STUDY)` in its last line makes it a program.

What differs between the kinds of study is their options (`options.parser`, `with_options`), their plan
(`running.dry_run`) and how they are carried out (`running.carry_out`).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsearch.cli.cohorts import Data
from medsearch.cli.exits import exits, require_values
from medsearch.cli.options import folders, layouts_of, parser
from medsearch.cli.running import carry_out, dry_run
from medsearch.core.ownership import prepare_home
from medsearch.core.terminal import interactive, say
from medsearch.stages.code import forget
from medsearch.study import Ablation, StagedSearch
from medsearch.study.declare import Study


def run(study: Study, arguments: Sequence[str] | None = None) -> Path | None:
    """Parse the command line, run what is left of the study, write its report, print the answer.

    arguments: options as on a command line; None: those of the program, and none at a prompt or in a notebook.

    Returns the study's folder; None where only the plan was asked for. A program ends here if the study fails, with an
    exit code (1 the study failed, 2 bad input, 130 interrupted and resumable); at a prompt, the error is raised.
    """
    with exits(lossy=True) as places:
        forget()
        given = list(arguments if arguments is not None else [] if interactive() else sys.argv[1:])
        require_values(given)
        options = parser(study).parse_args(given)
        places.append(options.home)
        writes = options.data or not options.dry_run  # what was found out about data is remembered
        if writes and (made := prepare_home(options.home, group=options.group_home)) is not None:
            say(made)
        study, located = put_to_releases(study, folders(options.data, layouts_of(study)))
        data = Data(
            folders=located,
            anatomy=options.anatomy,
            skip_bad=options.skip_bad,
            home=options.home,
            store=options.store,
            cache=options.cache,
            say=say,
        )
        study = with_options(study, options)
        if not options.dry_run:
            return carry_out(study, options, data)
        dry_run(study, options, data)
    return None


def put_to_releases(study: Study, given: Mapping[str, Path]) -> tuple[Study, dict[str, Path]]:
    """The study, put to the releases that its folders are of, and the folders by their layouts.

    A study that is declared on BraTS 2020 runs on the files of 2021 or 2023 as it is. Its cohort is another one then,
    by which reported values are not judged.
    """
    from medsearch.cohorts.layouts import sibling

    layouts = {declared: sibling(folder, declared) for declared, folder in given.items()}
    others = {declared: layout for declared, layout in layouts.items() if layout != declared}
    for declared, layout in others.items():
        say(f"{given[declared]} is in the {layout} layout: the study, declared on {declared}, is put to it")
    located = {layouts[declared]: folder for declared, folder in given.items()}
    return (_on_layouts(study, others) if others else study), located


def _on_layouts(study: Any, layouts: Mapping[str, str]) -> Any:
    """A study with tasks on other layouts, and so the search that it varies, if it varies one."""
    tasks = study.tasks if isinstance(study, Ablation) else {"": study.task}
    put = {label: replace(task, layout=layouts.get(task.layout, task.layout)) for label, task in tasks.items()}
    if isinstance(study, Ablation):
        return replace(study, tasks=put, of=study.of and _on_layouts(study.of, layouts))
    return replace(study, task=put[""])


def with_options(study: Study, options: argparse.Namespace) -> Study:
    """The study in the scale and with the numbers that the options say; of a staged search, they are every search's.

    Raises:
        BadInput: no such scale, a number that cannot be, or no such row.

    """
    numbers = {name: getattr(options, name, None) for name in ("trials", "finalists", "seeds")}
    given: dict[str, Any] = {name: number for name, number in numbers.items() if number is not None}
    study = study.at(options.scale)
    if isinstance(study, StagedSearch):
        seeds = given.pop("seeds", study.seeds)
        groups = tuple(replace(group, **given) for group in study.groups)
        return replace(
            study, groups=groups, refinement=study.refinement and replace(study.refinement, **given), seeds=seeds
        )
    if isinstance(study, Ablation):
        study = replace(study, **given)
        for label in options.only:
            study.row(label)
        return study
    return replace(study, **given)
