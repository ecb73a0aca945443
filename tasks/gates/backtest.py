"""Gates over past nights: when they would have fired, from what the nights left. No inference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shards.errors import NightmarkError
from shards.store import Store
from tasks.comparisons import read_comparison
from tasks.gates.baseline import Reference
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import Verdict
from tasks.layout import PairName
from tasks.night import Night, Outcome
from tasks.stored import finished_nights, read_record, read_scoring


@dataclass(frozen=True, slots=True)
class Replayed:
    """One gate on one pair in one night.

    Attributes:
        verdict: by the gate as it is now.
        then: the state the same gate had in that night; None where the plan did not have it.
    """

    night: str
    pair: PairName
    verdict: Verdict
    then: VerdictState | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be judged again, and why."""

    night: str
    what: str
    why: str


Found = Replayed | Unreadable


def backtest(store: Store, gates: Mapping[PairName, Sequence[Gate]]) -> Iterator[Found]:
    """Every gate of every pair in every full night that evaluated it, oldest night first."""
    for name in finished_nights(store):
        try:
            night = read_record(store, name)
        except NightmarkError as error:
            yield Unreadable(name, "the whole night", str(error))
            continue
        if night.quick is not None:
            continue  # gates are for whole splits
        for outcome in night.outcomes:
            if outcome.pair.name in gates:
                yield from _of_outcome(store, night, outcome, gates[outcome.pair.name])


def _of_outcome(
    store: Store, night: Night, outcome: Outcome, gates: Sequence[Gate]
) -> Iterator[Found]:
    what = str(outcome.pair)
    if outcome.scoring is None:
        yield Unreadable(night.name, what, f"it was {outcome.state}: {outcome.message}")
        return
    try:
        scoring = read_scoring(store, outcome.pair.name, outcome.scoring)
        reference = _reference(store, outcome)
    except NightmarkError as error:
        yield Unreadable(night.name, what, str(error))
        return
    then = {_demand(verdict.gate): verdict.state for verdict in outcome.verdicts}
    for gate in gates:
        try:
            verdict = judge(gate, scoring, reference)
        except ValueError as error:  # the classes or slices were others then
            yield Unreadable(night.name, what, str(error))
            continue
        yield Replayed(night.name, outcome.pair.name, verdict, then.get(_demand(gate)))


def _demand(gate: Gate) -> str:
    """What makes two gates the same, whomever they are for."""
    return gate.model_dump_json(exclude={"datasets", "models"})


def _reference(store: Store, outcome: Outcome) -> Reference | None:
    """The baseline of that night, with the comparison that was kept."""
    note = outcome.comparison
    if note is None:
        return None
    if note.comparison is None:
        return Reference(note)
    return Reference(note, read_comparison(store, outcome.pair.name, note.comparison))
