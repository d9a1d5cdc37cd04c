"""Proposals: Optuna's storage as the search's durable memory of what was proposed and how it went.

Trials are known by number. One that was proposed but has not ended is proposed again with the same knobs, whatever
killed the study in between. Cut trials are told as pruned with their value at the rung, failed ones as failed. A
configuration that no device here can run is told in the way that the sampler heeds (`samplers.Heeds`); the user
attribute `cause` says so, and nothing counts it as a result.
"""

import json
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar, final

from medsearch.core.errors import BadInput
from medsearch.core.records import warn_once
from medsearch.core.remote import Unreachable
from medsearch.study.declare.search import Search
from medsearch.study.engine.databases import away, patiently, remedy, shown, with_driver
from medsearch.study.engine.identity import storage_identity
from medsearch.study.engine.jobs import RunResult

if TYPE_CHECKING:
    import optuna

P = ParamSpec("P")
T = TypeVar("T")

BUSY = 60  # seconds to wait for another process that holds the database
OPENING = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries to open a server's database: it may be starting, or the address may be wrong."""
REASONS = ("reason", "cause", "rung")
"""What is recorded of an end beside its values, as attributes of the trial."""
WHOLE = "whole"
"""The attribute of a copy of a study that nothing is missing in."""
QUESTION = "question"
"""The attribute of a study with the fingerprints of what its trials answer (`identity.storage_identity`)."""
INFEASIBLE: Final = "infeasible"
"""The cause of the end of a run that does not fit on any device here."""
OTHER_TRIALS = "bring back the one that is lost, or move the study's folder aside; its finished stages are found again"
"""What to do where storage and ledger do not belong together."""


def sqlite(folder: Path) -> str:
    """The address of a study's own database."""
    return f"sqlite:///{(folder / 'optuna.db').resolve()}"


def patient(method: "Callable[Concatenate[Proposals, P], T]") -> "Callable[Concatenate[Proposals, P], T]":
    """A method that is tried again while the storage does not answer, so twice must be as good as once.

    Raises:
        Unreachable: the storage did not answer for a minute or so.
        Damaged: its file is no database, or not any more.

    """

    @wraps(method)
    def call(self: "Proposals", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return patiently(lambda: method(self, *args, **kwargs), url=self.url, what="the sampler's storage")

    return call


@final
class Proposals:
    """The trials of `search` in the Optuna storage at `url`. root: the seed of the sampler.

    Raises:
        BadInput: the storage cannot be opened, or has another question's trials under the search's name.

    """

    def __init__(self, search: Search, url: str, *, root: int = 0) -> None:
        self.search = search
        self.root = root
        self.url = url
        self.study = _open(search, url)
        self._require_own()

    @patient
    def _require_own(self) -> None:
        """Refuse trials of another question, and mark a study that has none yet; one without a mark is an old one.

        Raises:
            BadInput: the trials are another question's.

        """
        ours, theirs = storage_identity(self.search), self.study.user_attrs.get(QUESTION)
        if theirs is None and not self.study.get_trials(deepcopy=False):
            self.study.set_user_attr(QUESTION, ours)
            return
        parts = ", ".join(part for part in ours if theirs is not None and theirs.get(part) != ours[part])
        if parts:
            name = self.search.name
            msg = (
                f"the sampler's storage {shown(self.url)} has trials of study {name!r} with another {parts}; delete "
                f"them with `optuna delete-study --study-name {name} --storage URL`, or choose another study name"
            )
            raise BadInput(msg)

    @patient
    def propose(self, number: int) -> dict[str, Any]:
        """The knobs of trial `number`: those it had in an earlier life, or the sampler's next.

        After a lost answer it is the same: what was asked for is there by its number.

        Raises:
            BadInput: the storage holds other trials than the ledger knows.

        """
        trial = self._ask(number)
        return {knob: domain.suggest(trial, knob) for knob, domain in self.search.resolved.domains.items()}

    def _ask(self, number: int) -> "optuna.Trial":
        """Trial `number`, open; what it has no knobs for yet, it is suggested by the search's sampler.

        The first trial is the search's start, or the published point; a searched knob that it does not name keeps the
        recipe's own value.
        """
        import optuna

        search, here = self.search, self.search.resolved
        trials = self.study.get_trials(deepcopy=False)
        if (here.start or here.published) and not trials:
            setup = search.setup({})
            first = {knob: value for knob, value in (here.start or here.published).items() if knob in here.domains}
            for knob, domain in here.domains.items():
                own = reduce(getattr, knob.split("."), setup if knob.startswith("task.") else setup.recipe)
                if knob not in first and domain.holds(own):
                    first[knob] = own
            origin = "start" if here.start else "published"
            self.study.enqueue_trial(self._encoded(first), user_attrs={"origin": origin})
        self.study.sampler = search.sampler.build(self.root, number, here.trials)
        if number < len(trials) and trials[number].state == optuna.trial.TrialState.RUNNING:
            return optuna.trial.Trial(self.study, trials[number]._trial_id)
        trial = self.study.ask()
        if trial.number != number:
            msg = f"the sampler's storage is at trial {trial.number}, the ledger at {number}: {OTHER_TRIALS}"
            raise BadInput(msg)
        return trial

    @patient
    def tell(self, number: int, end: RunResult) -> None:
        """Record the end of trial `number`; telling it again changes nothing."""
        import optuna

        states, trials = optuna.trial.TrialState, self.study.get_trials(deepcopy=False)
        if number >= len(trials) or trials[number].state != states.RUNNING:  # told before, or to a storage that is lost
            return
        trial = optuna.trial.Trial(self.study, trials[number]._trial_id)
        for name in REASONS:
            if getattr(end, name) is not None:
                trial.set_user_attr(name, getattr(end, name))
        if end.state == "complete":
            self.study.tell(number, list(end.values))
        elif end.cause == INFEASIBLE:
            self._tell_infeasible(trial)
        else:
            if end.state == "cut" and end.value is not None and end.rung is not None:
                trial.report(end.value, end.rung)
            self.study.tell(number, state=states.PRUNED if end.state == "cut" else states.FAIL)

    def _tell_infeasible(self, trial: "optuna.Trial") -> None:
        """Keep the sampler away from a configuration that cannot be run."""
        import optuna

        known = [result.values for result in results(self.study)]
        if known and self.search.sampler.heeds == "values":
            directions = self.search.objectives.values()
            columns = zip(directions, zip(*known, strict=True), strict=True)
            worst = [min(values) if direction == "maximize" else max(values) for direction, values in columns]
            self.study.tell(trial.number, worst)
            return
        trial.set_constraint("memory", 1.0)
        self.study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)

    def ended(self) -> Iterator[tuple[int, dict[str, Any], RunResult]]:
        """Every trial that has ended: number, knobs, end."""
        for trial in self._trials():
            if not trial.state.is_finished():
                continue
            knobs = {}
            for knob, domain in self.search.resolved.domains.items():
                if knob in trial.params:
                    options = {json.dumps(domain.encoded(option)): option for option in domain.edges()}
                    knobs[knob] = options.get(json.dumps(trial.params[knob]), trial.params[knob])
            yield trial.number, knobs, _result(trial)

    def running(self) -> set[int]:
        """The trials that have not ended."""
        return {trial.number for trial in self._trials() if not trial.state.is_finished()}

    @patient
    def _trials(self) -> "list[optuna.trial.FrozenTrial]":
        return self.study.get_trials(deepcopy=False)

    @patient
    def importances(self) -> tuple[dict[str, float], str]:
        """How much of the values' variance each knob explains, and why it cannot be said when it cannot.

        The shares sum to 1. The first objective counts where there are several.
        """
        import optuna

        complete = results(self.study)
        if len(complete) < 4:
            return {}, f"{len(complete)} complete trials; importances need at least 4"
        if len({trial.values[0] for trial in complete}) == 1:
            return {}, f"all {len(complete)} complete trials have the same value"
        honest = optuna.create_study(direction=self.search.objectives[self.search.metric])
        for trial in complete:  # of a front's trials the first value alone, so that Optuna knows which way is better
            honest.add_trial(
                optuna.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[0])
            )
        try:
            shares = optuna.importance.get_param_importances(honest)
        except (RuntimeError, ValueError) as error:
            return {}, f"Optuna cannot tell: {error}"
        return {knob: float(share) for knob, share in shares.items()}, ""

    @patient
    def reopen(self, numbers: Collection[int]) -> None:
        """Forget how these trials ended; they are open again, with the same knobs.

        Optuna never forgets an end, so the study is written anew under its name, with a copy beside it meanwhile from
        which a kill is made good (`_open`).
        """
        self._finish_replacement()  # also of an earlier try, whose answer was lost
        if not set(numbers) - self.running():
            return
        trials = self.study.get_trials(deepcopy=True)
        if not any(trial.number in numbers and trial.state.is_finished() for trial in trials):
            return
        copy = self._empty_copy()
        copy.add_trials([_opened(trial) if trial.number in numbers else trial for trial in trials])
        copy.set_user_attr(WHOLE, True)
        self._finish_replacement()

    @patient
    def restore(self, trials: Mapping[int, tuple[Mapping[str, Any], RunResult | None]]) -> None:
        """Fill in what the storage lacks of the trials that the ledger knows: it was lost, or removed as damaged, or it
        is an earlier copy. A trial below those that neither knows is open, and has its knobs proposed anew.

        It is filled beside, and put in place when it is whole, so that a kill in between leaves it as it was.

        trials: by number, their knobs, and their ends if they have ended.

        Raises:
            BadInput: the storage holds other trials than the ledger.

        """
        if not trials:
            return
        self._finish_replacement()
        stored = self.study.get_trials(deepcopy=True)
        count = max(trials) + 1
        if len(stored) >= count:
            return
        content = f"{len(stored)} of {count} trials" if stored else "no trials"
        warn_once(f"the sampler's storage {shown(self.url)} has {content}; it is filled from the ledger")
        kept = {trial.number: trial for trial in stored if trial.state.is_finished()}
        for number in kept.keys() & trials.keys():
            params, listed = kept[number].params, self._encoded(trials[number][0])
            if others := [knob for knob in params if knob in listed and params[knob] != listed[knob]]:
                msg = (
                    f"trial {number} of the sampler's storage {shown(self.url)} has {others[0]} = "
                    f"{params[others[0]]!r}, the ledger's has {listed[others[0]]!r}: {OTHER_TRIALS}"
                )
                raise BadInput(msg)
        copy = self.study = self._empty_copy()
        for number in range(count):
            if number in kept:
                copy.add_trial(kept[number])
            elif number not in trials:
                self._ask(number)
            else:
                known, end = trials[number]
                copy.enqueue_trial(self._encoded(known), user_attrs={"origin": "ledger"})
                self.propose(number)
                if end is not None:
                    self.tell(number, end)
        copy.set_user_attr(WHOLE, True)
        self._finish_replacement()

    def _empty_copy(self) -> "optuna.Study":
        """A copy beside the study, with all that it has but trials, and not yet marked as whole."""
        import optuna

        storage = self.study._storage
        copy = optuna.create_study(
            study_name=_aside(self.search.name), storage=storage, directions=self.study.directions
        )
        for name, value in storage.get_study_system_attrs(self.study._study_id).items():
            storage.set_study_system_attr(copy._study_id, name, value)
        for name, value in self.study.user_attrs.items():
            if name != WHOLE:
                copy.set_user_attr(name, value)
        return copy

    def _finish_replacement(self) -> None:
        """Put a copy that is whole in the study's place, whichever step of that was taken before; drop another one."""
        import optuna

        storage = self.study._storage
        _finish_replacement(self.search.name, storage)
        self.study = optuna.load_study(study_name=self.search.name, storage=storage)

    def _encoded(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Knobs that are searched, with their values as Optuna stores them."""
        domains = self.search.resolved.domains
        return {knob: domains[knob].encoded(value) for knob, value in known.items() if knob in domains}


def results(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """The complete trials, without those that only stand for what cannot be run."""
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return [trial for trial in complete if trial.user_attrs.get("cause") != INFEASIBLE]


def _open(search: Search, url: str) -> "optuna.Study":
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///").partition("?")[0])
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # who opens it says what is wrong with it
            file.touch()  # by the umask, which SQLite does not ask
    embedded = url.startswith("sqlite")
    kept: dict[str, Any] = {"connect_args": {"timeout": BUSY}} if embedded else {"pool_pre_ping": True}

    def opened() -> "optuna.Study":
        storage = optuna.storages.RDBStorage(with_driver(url), engine_kwargs=kept)
        _finish_replacement(search.name, storage)
        directions = list(search.objectives.values())
        return optuna.create_study(study_name=search.name, storage=storage, directions=directions, load_if_exists=True)

    try:
        return patiently(opened, url=url, what="the sampler's storage", pauses=() if embedded else OPENING)
    except (SQLAlchemyError, ValueError, ImportError, Unreachable) as error:
        line = str(away(error) or error.__cause__ or error).strip().splitlines()[0]
        msg = f"cannot open the sampler's storage {shown(url)}: {line}; {remedy(line, url, 'check the address')}"
        raise BadInput(msg) from error


def _aside(name: str) -> str:
    """The name of a study's copy while it is written anew."""
    return f"{name} (being written anew)"


def _finish_replacement(name: str, storage: "optuna.storages.BaseStorage") -> None:
    """Put the study's copy in its place if it is whole, else drop it; twice, or after any step of it, is as good as
    once: a study is deleted only while its whole copy is there, and the copy when the study is whole.
    """
    import optuna

    aside, names = _aside(name), optuna.get_all_study_names(storage)
    if aside not in names:
        return
    if optuna.load_study(study_name=aside, storage=storage).user_attrs.get(WHOLE):
        if name in names:
            optuna.delete_study(study_name=name, storage=storage)
        optuna.copy_study(from_study_name=aside, from_storage=storage, to_storage=storage, to_study_name=name)
    optuna.delete_study(study_name=aside, storage=storage)


def _opened(trial: "optuna.trial.FrozenTrial") -> "optuna.trial.FrozenTrial":
    """The trial as it was when its knobs had been proposed."""
    import optuna

    return optuna.trial.FrozenTrial(
        number=trial.number,
        trial_id=trial._trial_id,
        state=optuna.trial.TrialState.RUNNING,
        value=None,
        datetime_start=trial.datetime_start,
        datetime_complete=None,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={name: value for name, value in trial.user_attrs.items() if name not in REASONS},
        system_attrs={name: value for name, value in trial.system_attrs.items() if not name.startswith("constraints")},
        intermediate_values={},
    )


def _result(trial: "optuna.trial.FrozenTrial") -> RunResult:
    attrs = trial.user_attrs
    if attrs.get("cause") == INFEASIBLE:
        return RunResult(state="failed", reason=attrs.get("reason"), cause=INFEASIBLE)
    if trial.state.name == "COMPLETE":
        return RunResult(state="complete", values=tuple(trial.values))
    if trial.state.name == "PRUNED":
        rung = attrs.get("rung")
        last = trial.intermediate_values.get(rung) if rung is not None else None
        return RunResult(state="cut", values=() if last is None else (last,), rung=rung, reason=attrs.get("reason"))
    return RunResult(state="failed", reason=attrs.get("reason"), cause=attrs.get("cause"))
