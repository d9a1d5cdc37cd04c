"""What the commands of a study of any kind have in common: where its runs are done, its tracking, its report."""

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsearch.cli.options import resources
from medsearch.core.remote import without_password
from medsearch.core.terminal import say, show

if TYPE_CHECKING:
    from medsearch.study.engine.jobs import StudyEnvironment
    from medsearch.study.ray.execution import ClusterOptions
    from medsearch.tracking import SyncReport

TRACKING_PATIENCE_S = 20.0
"""How long the end of a study waits for its tracking server before it says `medsearch sync`."""


@contextmanager
def tracked(environment: "StudyEnvironment", study: str, options: argparse.Namespace) -> Iterator[None]:
    """Bring MLflow along beside the study, and say at its end how far it is."""
    from medsearch.tracking import start_follower

    folder = environment.study(study)
    follower = start_follower(folder, environment.store.root, options.tracking_uri, remote=environment.remote)
    try:
        yield
    except BaseException:
        follower.finish(2.0)
        raise
    print_links(
        folder,
        follower.finish(TRACKING_PATIENCE_S),
        given_uri=options.tracking_uri is not None,
        store=environment.remote,
    )


def cluster_options(options: argparse.Namespace, listener: Any) -> "ClusterOptions":
    """Where runs are done, as the options say."""
    from medsearch.study.ray.execution import ClusterOptions

    return ClusterOptions(resources=resources(options), address=options.address, listener=listener)


def report(folder: Path, environment: "StudyEnvironment") -> None:
    """Write tables, figures and the page; print the summary."""
    from medsearch.reporting.report import rebuild, summary

    rebuild(folder, environment.stored)
    show(summary(folder, environment.stored))


def print_links(folder: Path, sent: "SyncReport", *, given_uri: bool, store: str | None = None) -> None:
    """Where to look, and what is left to send. `store`: URI of the store, if it is not in the home."""
    home = f" --home {shlex.quote(str(folder.parent.parent))}"
    say(f"page: {folder / 'report' / 'index.html'}")
    there = f"{home}{f' --tracking-uri {shlex.quote(sent.uri)}' if given_uri else ''}"
    if sent.behind:  # its last word is the command that mends it
        say(f"tracking: {sent}{there}{f' --store {shlex.quote(without_password(store))}' if store else ''}")
    else:
        say(f"tracking: {sent}")
        for line in sent.links() or [f"to compare runs: medsearch ui{there}"]:
            say(line)
