"""Decisions: who made what the baseline or declined to, or accepted a failed gate, and why.

They are added, never changed.

The baseline of a pair is its newest valid pin, else its newest valid promotion. A decision is valid
until another one revokes it; an override also until it expires.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.layout import DECISIONS, PairName, SplitName, decision_name, is_name
from tasks.records import Pair, Record

DecisionKind = Literal["promote", "decline", "pin", "revoke", "override"]
DecisionState = Literal["valid", "revoked", "expired"]
NIGHTMARK = "nightmark"
"""Who signs what was promoted automatically."""
ID_DIGITS = 8


class Decision(Record):
    """One file under ``decisions/``. ``evaluated`` is the pair whose evaluation it is about."""

    schema_name: Literal["nightmark.decision"] = "nightmark.decision"
    schema_version: Literal[1] = 1
    id: str
    kind: DecisionKind
    pair: Pair = Field(description="For which pair it counts.")
    time: AwareDatetime
    who: str = Field(min_length=1)
    why: str = Field(min_length=1)
    evaluation: str | None = None
    scoring: str | None = None
    evaluated: Pair | None = Field(
        default=None, description="Whose evaluation; a pin may name that of another model."
    )
    night: str | None = Field(default=None, description="The night that judged the evaluation.")
    gates: tuple[str, ...] = Field(
        default=(), description="override: the failed gates that are accepted."
    )
    expires: AwareDatetime | None = None
    revokes: str | None = Field(default=None, description="revoke: the id of the decision.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = (self.evaluation, self.scoring, self.evaluated)
        if (self.kind == "revoke") != (self.revokes is not None):
            raise ValueError("`revokes` belongs to a decision that revokes")
        if self.kind != "revoke" and any(name is None for name in names):
            raise ValueError(f"a decision to {self.kind} names an evaluation and its scoring")
        if self.kind == "override" and not (self.gates and self.night):
            raise ValueError("an override names the night and the gates that failed")
        if self.kind != "override" and (self.gates or self.expires):
            raise ValueError("only an override accepts gates, and expires")
        return self


class Decisions(tuple[Decision, ...]):
    """All decisions of a pair, oldest first, and what follows from them."""

    __slots__ = ()

    def revoked_by(self, decision: Decision) -> Decision | None:
        """What revoked it."""
        return next((found for found in self if found.revokes == decision.id), None)

    def state(self, decision: Decision, now: datetime) -> DecisionState:
        if self.revoked_by(decision) is not None:
            return "revoked"
        is_over = decision.expires is not None and decision.expires <= now
        return "expired" if is_over else "valid"

    def standing(self, kind: DecisionKind) -> list[Decision]:
        """Those of a kind that nobody revoked, oldest first."""
        return [d for d in self if d.kind == kind and self.revoked_by(d) is None]

    def baseline(self) -> Decision | None:
        """The decision that says what the pair is compared with."""
        for kind in ("pin", "promote"):
            if found := self.standing(kind):
                return found[-1]
        return None

    def accepted(self, evaluation: str, now: datetime) -> frozenset[str]:
        """The failed gates of an evaluation that valid overrides accept."""
        overrides = [d for d in self.standing("override") if d.evaluation == evaluation]
        valid = [d for d in overrides if self.state(d, now) == "valid"]
        return frozenset(gate for decision in valid for gate in decision.gates)

    def sentence(self, decision: Decision, now: datetime) -> str:
        """A decision as people read it, with what became of it."""
        said = f"{decision.time:%Y-%m-%d %H:%M} UTC, {decision.who}: {decision.why}"
        if decision.expires is not None:
            last = decision.expires - timedelta(microseconds=1)
            said += f" (until {last:%Y-%m-%d})"
        if (before := self.revoked_by(decision)) is not None:
            return f"{said} — revoked by {before.who}: {before.why}"
        return f"{said} — expired" if self.state(decision, now) == "expired" else said

    def of(self, decision_id: str) -> Decision:
        """Raises InputError if there is no such decision."""
        for decision in self:
            if decision.id == decision_id:
                return decision
        there = ", ".join(d.id for d in self) or "none"
        raise InputError(f"there is no decision {decision_id!r}; there are: {there}")


def read_decisions(store: Store, pair: PairName) -> Decisions:
    """The decisions of a pair. Raises ShardError naming a file that is none."""
    found = []
    for name in store.names(pair.decisions):
        path = f"{pair.decisions}/{name}"
        try:
            found.append(Decision.from_json(store.read(path), store.locate(path)))
        except ShardError as error:
            raise ShardError(
                f"{store.locate(path)} is no decision that this nightmark can read; decisions are "
                f"never changed: restore the file, or upgrade nightmark"
            ) from error
    return Decisions(sorted(found, key=lambda decision: (decision.time, decision.id)))


def new_id(time: datetime) -> str:
    """``<UTC>-<id>``, unlike any other."""
    return decision_name(time, uuid.uuid4().hex[:ID_DIGITS])


def record(store: Store, decision: Decision) -> str:
    """Publish a decision; returns where it lies. Raises InputError if its id is taken."""
    path = decision.pair.name.decision(decision.id)
    if store.exists(path):
        raise InputError(f"{store.locate(path)} is there already; decisions are never rewritten")
    store.publish(path, decision.to_json())
    return store.locate(path)


def all_pairs(store: Store) -> Iterator[PairName]:
    """The pairs that have decisions, by name; a folder that is no name is of someone else."""
    for dataset in filter(is_name, store.names(DECISIONS)):
        for split in filter(is_name, store.names(f"{DECISIONS}/{dataset}")):
            for model in filter(is_name, store.names(f"{DECISIONS}/{dataset}/{split}")):
                yield PairName(SplitName(dataset, split), model)


def revocation(decisions: Decisions, wanted: str, who: str, why: str, now: datetime) -> Decision:
    """The decision that revokes ``wanted``.

    Raises:
        InputError: there is no such decision, or it is one that revokes, or is revoked already.
    """
    decision = decisions.of(wanted)
    if decision.kind == "revoke":
        raise InputError(f"{wanted} revokes another decision; decide anew instead of revoking it")
    if (before := decisions.revoked_by(decision)) is not None:
        raise InputError(f"{wanted} was revoked by {before.who} ({before.id}) already")
    return Decision(
        id=new_id(now),
        kind="revoke",
        pair=decision.pair,
        time=now,
        who=who,
        why=why,
        revokes=wanted,
    )
