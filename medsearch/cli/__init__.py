"""What a study file calls (`run`), and the `medsearch` command (`main`).

    study, options, running    the command line of a study file, of any kind of study: its options, plan and runs
    cohorts                    the cohorts that a study runs on: checked, fingerprinted, prepared when a stage needs it
    commands                   medsearch check, phantom, report, sync, reported, prune, verify, ui
    prune, reported, verification    what three of them do
    exits                      errors as one line, and the exit codes

Nothing is imported before it is needed: `--help` and `--dry-run` answer without torch and Ray.
"""

from typing import TYPE_CHECKING, Any

from medsearch.cli.exits import tell_of_uncaught

if TYPE_CHECKING:
    from medsearch.cli.commands import main
    from medsearch.cli.study import run

__all__ = ["main", "run"]

tell_of_uncaught()  # a study file imports this first


def __getattr__(name: str) -> Any:
    """`run` or `main`: a study file needs no command, and a command no study."""
    if name == "run":
        from medsearch.cli.study import run

        return run
    if name == "main":
        from medsearch.cli.commands import main

        return main
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
