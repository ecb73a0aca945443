"""What evaluating a pair would compute and reuse, and why: known before anything is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shards.store import Store
from tasks.layout import PairName
from tasks.metrics.words import counted
from tasks.night import Night, Outcome, of_subjects
from tasks.stored import full_nights

SHORT = 12
"""Digits of a digest that a sentence shows."""


@dataclass(frozen=True)
class LastTime:
    """The newest full night that evaluated a pair, and what it found."""

    night: Night
    outcome: Outcome


@dataclass(frozen=True)
class Forecast:
    """What evaluating a pair would do.

    Attributes:
        why: sentences about what changed since the pair was evaluated, or that nothing did.
        built: shards that would be built from the source first.
        taken_over: shards that an earlier build made of the same entries.
        computed: shards that would be predicted; where shards would be built, at most so many.
        reused: shards whose predictions are there.
        images: images of the computed shards; None where they are not built yet.
        fault: why it cannot be evaluated as things are; empty if it can.
    """

    pair: PairName
    why: tuple[str, ...]
    built: int
    taken_over: int
    computed: int
    reused: int
    images: int | None
    fault: str = ""

    @classmethod
    def impossible(cls, pair: PairName, fault: str) -> "Forecast":
        """Of a pair that cannot be evaluated: nothing of it would be computed."""
        return cls(pair, why=(), built=0, taken_over=0, computed=0, reused=0, images=0, fault=fault)

    @property
    def lines(self) -> tuple[str, ...]:
        """The forecast for a person."""
        if self.fault:
            return (f"{self.pair}: cannot be evaluated: {self.fault}",)
        images = "" if self.images is None else f" ({counted(self.images, 'image')})"
        work = f"{counted(self.computed, 'shard')} computed{images}, {self.reused} reused"
        shards = []
        if self.built or self.taken_over:
            shards.append(
                f"first {counted(self.built, 'shard')} built from the source, "
                f"{self.taken_over} taken over from an earlier build"
            )
        return (f"{self.pair}: {work}", *shards, *self.why)


def last_times(
    store: Store, pairs: Sequence[PairName], overrides: Sequence[str] = ()
) -> dict[PairName, LastTime]:
    """For each pair the newest full night that has predictions of it. Raises ShardError.

    A night counts only if it overrode the same of models and datasets as ``overrides`` do: what a
    trial with ``--set`` evaluated is another thing than what the plan means by that name.
    """
    left, found, wanted = set(pairs), {}, set(of_subjects(overrides))
    for night in full_nights(store):
        if set(of_subjects(night.overrides)) != wanted:
            continue
        for outcome in night.outcomes:
            if outcome.pair.name in left and outcome.scoring is not None:
                found[outcome.pair.name] = LastTime(night, outcome)
                left.remove(outcome.pair.name)
        if not left:
            break
    return found


def reasons(
    last: LastTime | None, fingerprint: str, dataset_version: str | None
) -> tuple[str, ...]:
    """What changed since; ``dataset_version`` is None where the shards are not built yet."""
    if last is None:
        return ("no night has evaluated this pair",)
    since = f"since night {last.night.name}"
    why = []
    if last.outcome.fingerprint != fingerprint:
        before = last.outcome.fingerprint
        why.append(f"the model changed {since}: {before[:SHORT]} to {fingerprint[:SHORT]}")
    if dataset_version is None:
        why.append(f"the shards of this source and plan are not those of night {last.night.name}")
    elif last.outcome.dataset_version != dataset_version:
        before = last.outcome.dataset_version
        why.append(f"the dataset changed {since}: {before[:SHORT]} to {dataset_version[:SHORT]}")
    return tuple(why) or (f"neither model nor dataset changed {since}",)


def not_since(
    pairs: Sequence[PairName], last: dict[PairName, LastTime], moment: datetime
) -> tuple[PairName, ...]:
    """The pairs that no full night has evaluated since the moment, in the order given."""
    return tuple(p for p in pairs if p not in last or last[p].night.started < moment)
