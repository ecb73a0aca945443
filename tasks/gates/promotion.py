"""Who may become the baseline: what passed, by itself; what failed, only where a person says so."""

from datetime import datetime

from shards.errors import InputError
from shards.store import Store
from tasks.gates.decisions import NIGHTMARK, Decision, Decisions, new_id
from tasks.metrics.words import counted
from tasks.night import Night, Outcome
from tasks.stored import StoredScoring, full_nights


def automatic_promotion(
    outcome: Outcome, night: Night, decisions: Decisions, now: datetime
) -> Decision | None:
    """The decision that promotes what passed in a night, or None where there is none to make.

    Asking again is harmless: nothing is promoted that ``proposed_promotion`` leaves out, that this
    night promoted before, or that a decision made since the night began has passed over.
    """
    promotions = [d for d in decisions if d.kind == "promote"]
    if any(d.night == night.name and d.who == NIGHTMARK for d in promotions):
        return None
    standing = decisions.standing("promote")
    if standing and standing[-1].time > night.started:
        return None
    return proposed_promotion(outcome, night, decisions, now)


def proposed_promotion(
    outcome: Outcome, night: Night, decisions: Decisions, now: datetime
) -> Decision | None:
    """The decision that would promote what passed in a night, or None where there is none to make.

    There is none where the newest promotion is of the same evaluation, or where somebody declined
    the evaluation or revoked a promotion of it; and none in a quick look.
    """
    if night.quick is not None:
        return None
    if outcome.state != "passed" or outcome.scoring is None or outcome.evaluation is None:
        return None
    of_it = [d for d in decisions if d.evaluation == outcome.evaluation]
    if any(d.kind == "promote" and decisions.revoked_by(d) for d in of_it):
        return None
    newest = decisions.standing("promote")[-1:]
    if any(d in of_it for d in (*newest, *decisions.standing("decline"))):
        return None
    return Decision(
        id=new_id(now),
        kind="promote",
        pair=outcome.pair,
        time=now,
        who=NIGHTMARK,
        why=f"passed every gate that counts in the night {night.name}",
        evaluation=outcome.evaluation,
        scoring=outcome.scoring,
        evaluated=outcome.pair,
        night=night.name,
    )


def judged_in(store: Store, stored: StoredScoring) -> tuple[Night, Outcome]:
    """The newest full night that judged these figures, and what became of the pair in it.

    Raises:
        InputError: no stored night did.
    """
    pair, scoring = stored.evaluation.pair, stored.scoring.id
    for night in full_nights(store):
        for outcome in night.outcomes:
            if outcome.pair == pair and outcome.scoring == scoring:
                return night, outcome
    raise InputError(
        f"no stored night judged {pair} ({stored.evaluation.id}); run `nightmark night` on it first"
    )


def refuse_quick(stored: StoredScoring) -> None:
    """A quick look becomes no baseline, whoever asks.

    Raises:
        InputError: it is one.
    """
    if stored.evaluation.quick is not None:
        raise InputError(
            f"{stored.evaluation.pair} ({stored.evaluation.id}) is a quick look at the first "
            f"{counted(stored.evaluation.quick, 'shard')}, and no baseline; run `nightmark night` "
            f"without --quick, which computes only the rest"
        )


def failed_gates(outcome: Outcome) -> tuple[str, ...]:
    """The gates that count and failed."""
    verdicts = (v for v in outcome.verdicts if v.gate.severity == "fail")
    return tuple(dict.fromkeys(str(v.gate) for v in verdicts if v.state == "failed"))


def check_promotable(outcome: Outcome, decisions: Decisions, now: datetime) -> None:
    """Whether a person may promote it.

    Raises:
        InputError: it did not pass, and no valid override accepts every gate that failed.
    """
    if outcome.state == "passed":
        return
    if outcome.state != "failed" or outcome.evaluation is None:
        raise InputError(
            f"{outcome.pair} is {outcome.state}, and only what passed is promoted: "
            f"{outcome.message} To compare with it all the same, `nightmark pin` it"
        )
    open_gates = set(failed_gates(outcome)) - decisions.accepted(outcome.evaluation, now)
    if open_gates:
        raise InputError(
            f"{outcome.pair} failed ({'; '.join(sorted(open_gates))}); `nightmark override` "
            f"accepts that in a person's name, after which it can be promoted"
        )
