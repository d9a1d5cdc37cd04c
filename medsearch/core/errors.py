"""What can go wrong, and which exit code it means.

    MedsearchError      1   the study failed
    ├── BadInput        2   a file, a case or a knob is wrong: one line, with a remedy
    ├── UndeclaredRead  1   a stage asked for data that it did not declare
    ├── Diverged        1   a loss became non-finite: this trial failed, the others go on
    └── Interrupted   130   the user stopped the study, which can go on later

Every message says what is wrong, where (case, file, knob), and what to do about it, in one line.
"""


class MedsearchError(Exception):
    """Root of every error that the user is meant to read; printed as one line, never as a traceback."""

    exit_code = 1


class BadInput(MedsearchError):
    """The user's input cannot be used as it is."""

    exit_code = 2


class UndeclaredRead(MedsearchError):
    """A stage asked for a part of the task outside what it declared to read."""


class Diverged(MedsearchError):
    """Training produced a non-finite loss; repeating it would do so again."""


class Interrupted(MedsearchError):
    """The study was asked to stop; what is finished is stored."""

    exit_code = 130
