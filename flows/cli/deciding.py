"""``nightmark promote``, ``pin``, ``revoke``, ``override`` and ``decisions``."""

import getpass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from flows.cli.console import say
from shards.errors import InputError
from shards.store import Store
from tasks.gates.decisions import (
    Decision,
    DecisionKind,
    all_pairs,
    new_id,
    read_decisions,
    record,
    revocation,
)
from tasks.gates.promotion import check_promotable, failed_gates, judged_in, refuse_quick
from tasks.layout import DECISIONS, PairName
from tasks.records import Pair
from tasks.stored import REFERENCE_FORM, StoredScoring, find_scored, parse_pair

commands = typer.Typer()
ReferenceArgument = Annotated[
    str, typer.Argument(help=f"Which evaluation: {REFERENCE_FORM}.", show_default=False)
]
WhyOption = Annotated[str, typer.Option(help="The reason; kept for ever.", show_default=False)]
WhoOption = Annotated[str, typer.Option(help="Who decides; default: the user.", show_default=False)]
RootOption = Annotated[str, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")]


@commands.command()
def promote(
    reference: ReferenceArgument,
    why: WhyOption,
    who: WhoOption = "",
    root: RootOption = "artifacts",
) -> None:
    """Make an evaluation the baseline of its pair: it passed, or a person accepted its failure."""
    store, now = Store.at(root), datetime.now(UTC)
    stored = find_scored(store, reference)
    refuse_quick(stored)
    night, outcome = judged_in(store, stored)
    check_promotable(outcome, read_decisions(store, outcome.pair.name), now)
    pair, signed = outcome.pair, (who, why)
    _record(store, _decide(stored, "promote", pair, signed, now, night=night.name))


@commands.command()
def pin(
    reference: ReferenceArgument,
    why: WhyOption,
    who: WhoOption = "",
    model: Annotated[
        str | None,
        typer.Option("--for", help="Of which model it becomes the baseline; default: its own."),
    ] = None,
    root: RootOption = "artifacts",
) -> None:
    """Compare a pair with this evaluation until the pin is revoked, whatever is promoted."""
    store, now = Store.at(root), datetime.now(UTC)
    stored = find_scored(store, reference)
    refuse_quick(stored)
    own = stored.evaluation.pair
    pair = own if model is None else Pair.of(parse_pair(f"{own.name.split}/{model}"))
    _record(store, _decide(stored, "pin", pair, (who, why), now))


@commands.command()
def override(
    reference: ReferenceArgument,
    why: WhyOption,
    who: WhoOption = "",
    expires: Annotated[
        str | None, typer.Option(help="The last day it holds, as 2026-12-31; default: no end.")
    ] = None,
    root: RootOption = "artifacts",
) -> None:
    """Accept the failed gates of an evaluation in a person's name. The verdict stays failed."""
    store, now = Store.at(root), datetime.now(UTC)
    stored = find_scored(store, reference)
    refuse_quick(stored)
    night, outcome = judged_in(store, stored)
    if outcome.state != "failed":
        raise InputError(f"{outcome.pair} is {outcome.state} in {night.name}: nothing to accept")
    decision = _decide(
        stored,
        "override",
        outcome.pair,
        (who, why),
        now,
        night=night.name,
        gates=failed_gates(outcome),
        expires=_end_of(expires, now),
    )
    _record(store, decision)


@commands.command()
def revoke(
    pair: Annotated[str, typer.Argument(help="DATASET/SPLIT/MODEL.", show_default=False)],
    decision: Annotated[
        str, typer.Argument(help="The decision; `nightmark decisions` lists them.")
    ],
    why: WhyOption,
    who: WhoOption = "",
    root: RootOption = "artifacts",
) -> None:
    """Take back a promotion, a pin or an override; what stood before it counts again."""
    store, now = Store.at(root), datetime.now(UTC)
    known = read_decisions(store, parse_pair(pair))
    _record(store, revocation(known, decision, _who(who), _why(why), now))


@commands.command()
def decisions(
    pair: Annotated[str | None, typer.Argument(help="DATASET/SPLIT/MODEL; default: all.")] = None,
    root: RootOption = "artifacts",
) -> None:
    """List who decided what, and what each pair is compared with."""
    store = Store.at(root)
    pairs = list(all_pairs(store)) if pair is None else [parse_pair(pair)]
    decided = [found for found in pairs if _print(store, found)]
    if not decided:
        about = "" if pair is None else f" about {pair}"
        say(f"{store.locate(DECISIONS)}: nothing was decided yet{about}")


def _decide(
    stored: StoredScoring,
    kind: DecisionKind,
    pair: Pair,
    signed: tuple[str, str],
    now: datetime,
    *,
    night: str | None = None,
    gates: tuple[str, ...] = (),
    expires: datetime | None = None,
) -> Decision:
    """The decision about an evaluation; ``signed`` is who and why."""
    return Decision(
        id=new_id(now),
        kind=kind,
        pair=pair,
        time=now,
        who=_who(signed[0]),
        why=_why(signed[1]),
        evaluation=stored.evaluation.id,
        scoring=stored.scoring.id,
        evaluated=stored.evaluation.pair,
        night=night,
        gates=gates,
        expires=expires,
    )


def _record(store: Store, decision: Decision) -> None:
    where = record(store, decision)
    say(f"{decision.kind} {decision.pair}: {decision.id}")
    baseline = read_decisions(store, decision.pair.name).baseline()
    say(_baseline_line(decision.pair.name, baseline))
    say(f"Recorded: {where}")


def _print(store: Store, pair: PairName) -> bool:
    known, now = read_decisions(store, pair), datetime.now(UTC)
    if not known:
        return False
    say(_baseline_line(pair, known.baseline()))
    for decision in known:
        about = decision.revokes or f"{decision.evaluation}"
        gates = f" ({'; '.join(decision.gates)})" if decision.gates else ""
        said = known.sentence(decision, now)
        say(f"  {decision.id}  {decision.kind} {about}{gates}: {said}")
    return True


def _baseline_line(pair: PairName, baseline: Decision | None) -> str:
    if baseline is None:
        return f"{pair}: no baseline"
    own = baseline.evaluated == baseline.pair
    of = "" if own or baseline.evaluated is None else f" of {baseline.evaluated.model}"
    verb = "pinned" if baseline.kind == "pin" else "promoted"
    return f"{pair}: the baseline is {baseline.evaluation}{of}, {verb} by {baseline.who}"


def _who(given: str) -> str:
    found = given.strip()
    if found:
        return found
    try:
        return getpass.getuser()
    except OSError as error:  # a container without a user
        raise InputError("this system does not say who you are; give --who NAME") from error


def _why(given: str) -> str:
    if not given.strip():
        raise InputError("--why: a reason is needed; it is kept for ever")
    return given.strip()


def _end_of(day: str | None, now: datetime) -> datetime | None:
    """The end of a day in UTC."""
    if day is None:
        return None
    try:
        end = datetime.combine(date.fromisoformat(day), time(), UTC) + timedelta(days=1)
    except ValueError as error:
        raise InputError(f"--expires {day}: write a day as 2026-12-31") from error
    if end <= now:
        raise InputError(f"--expires {day} is over already")
    return end
