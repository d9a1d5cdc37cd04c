"""What a study file calls (`run`), and the `medsearch` command (`main`).

    study      the command line of a study file: data, search, tracking, report
    cohorts    the cohort that a study runs on: checked, fingerprinted, prepared when a stage needs it
    commands   medsearch check, phantom, report, sync, reported, prune, verify, ui
    exits      errors as one line, and the exit codes

Nothing heavy is imported before it is needed: `--help` and `--dry-run` answer without torch and Ray.
"""

from medsearch.cli.commands import main
from medsearch.cli.exits import tell_of_uncaught
from medsearch.cli.study import run

__all__ = ["main", "run"]

tell_of_uncaught()  # a study file imports this first
