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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from medsearch.core.errors import BadInput
from medsearch.core.records import warn_once
from medsearch.core.remote import Unreachable
from medsearch.study.declare.search import Search
from medsearch.study.engine.databases import away, patiently, remedy, shown, with_driver
from medsearch.study.engine.jobs import RunResult
from medsearch.study.engine.storage_identity import require_own

if TYPE_CHECKING:
    import optuna

T = TypeVar("T")

BUSY = 60  # seconds to wait for another process that holds the database
OPENING = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries to open a server's database: it may be starting, or the address may be wrong."""
SAID = ("reason", "cause", "rung")
"""What is said of an end beside its values, as attributes of the trial."""
WHOLE = "whole"
"""The attribute of a copy of a study that nothing is missing in."""
INFEASIBLE: Final = "infeasible"
"""The cause of the end of a run that does not fit on any device here."""
OTHER_TRIALS = "bring back the one that is lost, or move the study's folder aside; its finished stages are found again"
"""What to do where storage and ledger do not belong together."""


def sqlite(folder: Path) -> str:
    """The address of a study's own database."""
    return f"sqlite:///{(folder / 'optuna.db').resolve()}"


@final
class Proposals:
    """The trials of `search` in the Optuna storage at `url`.

    Raises:
        BadInput: the storage cannot be opened, or has another question's trials under the search's name.

    """

    def __init__(self, search: Search, url: str, *, root: int = 0) -> None:
        self.search = search
        self.root = root
        self.url = url
        self.study = _open(search, url)
        self._patiently(lambda: require_own(self.study, search, url))

    def propose(self, number: int) -> dict[str, Any]:
        """The knobs of trial `number`: those it had in an earlier life, or the sampler's next.

        Raises:
            BadInput: the storage holds other trials than the ledger knows.
            Unreachable: the storage does not answer for a minute or so.

        """
        return self._patiently(lambda: self._propose(number))

    def restore(self, trials: Mapping[int, tuple[Mapping[str, Any], RunResult | None]]) -> None:
        """Fill in what the storage lacks of the trials that the ledger knows: it was lost, or removed as damaged, or it
        is an earlier copy. A trial below those that neither knows is open, and has its knobs proposed anew.

        It is filled beside, and put in place when it is whole, so that a kill in between leaves it as it was.

        trials: by number, their knobs, and their ends if they have ended.

        Raises:
            BadInput: the storage holds other trials than the ledger.
            Unreachable: the storage does not answer for a minute or so.

        """
        if trials:
            self._patiently(lambda: self._restore(trials))

    def tell(self, number: int, end: RunResult) -> None:
        """Record the end of trial `number`; telling it again changes nothing.

        Raises:
            Unreachable: the storage does not answer for a minute or so.

        """
        self._patiently(lambda: self._tell(number, end))

    def _propose(self, number: int) -> dict[str, Any]:
        """Again after a lost answer, it is the same: what was asked for is there by its number."""
        trial = self._asked(number)
        return {knob: domain.suggest(trial, knob) for knob, domain in self.search.resolved.domains.items()}

    def _asked(self, number: int) -> "optuna.Trial":
        """Trial `number`, open; what it has no knobs for yet, it is suggested by the search's sampler."""
        here = self.search.resolved
        if (here.start or here.published) and not self.study.get_trials(deepcopy=False):
            origin = {"origin": "start" if here.start else "published"}
            self.study.enqueue_trial(self._encoded(self._first()), user_attrs=origin)
        self.study.sampler = self.search.sampler.build(self.root, number, self.search.resolved.trials)
        trial = self._open_trial(number)
        if trial.number != number:
            msg = f"the sampler's storage is at trial {trial.number}, the ledger at {number}: {OTHER_TRIALS}"
            raise BadInput(msg)
        return trial

    def _tell(self, number: int, end: RunResult) -> None:
        import optuna

        trial = self._frozen(number)
        if trial is None or trial.state != optuna.trial.TrialState.RUNNING:  # told before, or by a storage that is lost
            return
        live = optuna.trial.Trial(self.study, trial._trial_id)
        for name in SAID:
            if getattr(end, name) is not None:
                live.set_user_attr(name, getattr(end, name))
        if end.state == "complete":
            self.study.tell(number, list(end.values))
            return
        if end.cause == INFEASIBLE:
            self._refuse(live)
            return
        if end.state == "cut" and end.value is not None and end.rung is not None:
            live.report(end.value, end.rung)
        states = optuna.trial.TrialState
        self.study.tell(number, state=states.PRUNED if end.state == "cut" else states.FAIL)

    def ended(self) -> Iterator[tuple[int, dict[str, Any], RunResult]]:
        """Every trial that has ended: number, knobs, end."""
        for trial in self._patiently(lambda: self.study.get_trials(deepcopy=False)):
            if trial.state.is_finished():
                yield trial.number, self._knobs(trial.params), _end(trial)

    def running(self) -> set[int]:
        """The trials that have not ended."""
        found = self._patiently(lambda: self.study.get_trials(deepcopy=False))
        return {trial.number for trial in found if not trial.state.is_finished()}

    def reopen(self, numbers: Collection[int]) -> None:
        """Forget how these trials ended; they are open again, with the same knobs.

        Optuna never forgets an end, so the study is written anew under its name, with a copy beside it meanwhile from
        which a kill is made good (`_open`).

        Raises:
            Unreachable: the storage does not answer for a minute or so.

        """
        if set(numbers) - self.running():
            self._patiently(lambda: self._reopen(numbers))

    def importances(self) -> tuple[dict[str, float], str]:
        """How much of the values' variance each knob explains, and why it cannot be said when it cannot.

        The shares sum to 1. The first objective counts where there are several.
        """
        return self._patiently(lambda: importances(self.study, self.search))

    def _reopen(self, numbers: Collection[int]) -> None:
        self._finish_replacement()
        trials = self.study.get_trials(deepcopy=True)
        if not any(trial.number in numbers and trial.state.is_finished() for trial in trials):
            return
        copy = self._empty_copy()
        copy.add_trials([_opened(trial) if trial.number in numbers else trial for trial in trials])
        self._put_in_place(copy)

    def _restore(self, trials: Mapping[int, tuple[Mapping[str, Any], RunResult | None]]) -> None:
        self._finish_replacement()
        stored = self.study.get_trials(deepcopy=True)
        count = max(trials) + 1
        if len(stored) >= count:
            return
        said = f"{len(stored)} of {count} trials" if stored else "no trials"
        warn_once(f"the sampler's storage {shown(self.url)} has {said}; it is filled from the ledger")
        kept = {trial.number: trial for trial in stored if trial.state.is_finished()}
        for number in kept.keys() & trials.keys():
            self._require_same(kept[number], trials[number][0])
        copy = self.study = self._empty_copy()
        for number in range(count):
            if number in kept:
                copy.add_trial(kept[number])
            elif number not in trials:
                self._asked(number)
            else:
                known, end = trials[number]
                copy.enqueue_trial(self._encoded(known), user_attrs={"origin": "ledger"})
                self._propose(number)
                if end is not None:
                    self._tell(number, end)
        self._put_in_place(copy)

    def _require_same(self, trial: "optuna.trial.FrozenTrial", known: Mapping[str, Any]) -> None:
        """Refuse a stored trial whose knobs are not `known`, those that the ledger has for its number."""
        stored, listed = trial.params, self._encoded(known)
        if others := [knob for knob in stored if knob in listed and stored[knob] != listed[knob]]:
            msg = (
                f"trial {trial.number} of the sampler's storage {shown(self.url)} has {others[0]} = "
                f"{stored[others[0]]!r}, the ledger's has {listed[others[0]]!r}: {OTHER_TRIALS}"
            )
            raise BadInput(msg)

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

    def _put_in_place(self, copy: "optuna.Study") -> None:
        """Put a copy that has all its trials in the study's place."""
        copy.set_user_attr(WHOLE, True)
        self._finish_replacement()

    def _finish_replacement(self) -> None:
        """Put a copy that is whole in the study's place, whichever step of that was taken before; drop another one."""
        import optuna

        storage = self.study._storage
        _finish_replacement(self.search.name, storage)
        self.study = optuna.load_study(study_name=self.search.name, storage=storage)

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, url=self.url, what="the sampler's storage")

    def _refuse(self, live: "optuna.Trial") -> None:
        """Keep the sampler away from a configuration that cannot be run."""
        import optuna

        known = [trial.values for trial in results(self.study)]
        if known and self.search.sampler.heeds == "values":
            worst = [min if direction == "maximize" else max for direction in self.search.objectives.values()]
            told = [of(values) for of, values in zip(worst, zip(*known, strict=True), strict=True)]
            self.study.tell(live.number, told)
            return
        live.set_constraint("memory", 1.0)
        self.study.tell(live.number, state=optuna.trial.TrialState.PRUNED)

    def _encoded(self, known: Mapping[str, Any]) -> dict[str, Any]:
        domains = self.search.resolved.domains
        return {knob: domains[knob].encoded(value) for knob, value in known.items() if knob in domains}

    def _first(self) -> dict[str, Any]:
        """The point to try first; a searched knob that it does not name keeps the recipe's own value."""
        setup, here = self.search.setup({}), self.search.resolved
        searched = here.domains
        known = {knob: value for knob, value in (here.start or here.published).items() if knob in searched}
        for knob, domain in self.search.resolved.domains.items():
            own = _leaf(setup if knob.startswith("task.") else setup.recipe, knob)
            if knob not in known and domain.holds(own):
                known[knob] = own
        return known

    def _frozen(self, number: int) -> "optuna.trial.FrozenTrial | None":
        trials = self.study.get_trials(deepcopy=False)
        return trials[number] if number < len(trials) else None

    def _open_trial(self, number: int) -> "optuna.Trial":
        import optuna

        earlier = self._frozen(number)
        if earlier is not None and earlier.state == optuna.trial.TrialState.RUNNING:
            return optuna.trial.Trial(self.study, earlier._trial_id)
        return self.study.ask()

    def _knobs(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for knob, domain in self.search.resolved.domains.items():
            if knob in params:
                options = {json.dumps(domain.encoded(option)): option for option in domain.edges()}
                found[knob] = options.get(json.dumps(params[knob]), params[knob])
        return found


def results(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """The complete trials, without those that only stand for what cannot be run."""
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return [trial for trial in complete if trial.user_attrs.get("cause") != INFEASIBLE]


def importances(study: "optuna.Study", search: Search) -> tuple[dict[str, float], str]:
    """Optuna's importances of the searched knobs, or nothing and the reason."""
    import optuna

    complete = results(study)
    if len(complete) < 4:
        return {}, f"{len(complete)} complete trials; importances need at least 4"
    if len({trial.values[0] for trial in complete}) == 1:
        return {}, f"all {len(complete)} complete trials have the same value"
    honest = optuna.create_study(direction=search.objectives[search.metric])
    for trial in complete:  # of a front's trials the first value alone, so that Optuna knows which way is better
        honest.add_trial(
            optuna.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[0])
        )
    try:
        found = optuna.importance.get_param_importances(honest)
    except (RuntimeError, ValueError) as error:
        return {}, f"Optuna cannot tell: {error}"
    return {knob: float(share) for knob, share in found.items()}, ""


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
        user_attrs={name: value for name, value in trial.user_attrs.items() if name not in SAID},
        system_attrs={name: value for name, value in trial.system_attrs.items() if not name.startswith("constraints")},
        intermediate_values={},
    )


def _end(trial: "optuna.trial.FrozenTrial") -> RunResult:
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


def _leaf(of: Any, path: str) -> Any:
    head, _, rest = path.partition(".")
    return _leaf(getattr(of, head), rest) if rest else getattr(of, head)
