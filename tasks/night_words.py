"""Why a night has its state, in words that a person reads first."""

from collections.abc import Sequence

from tasks.deadline import moment_words
from tasks.metrics.words import counted
from tasks.night import Night, Outcome

NAMED = 3
"""So many pairs are named; the report has the others."""


def night_sentence(night: Night) -> str:
    """What was left out, and the reasons of the pairs that decided."""
    deciding = [o for o in night.outcomes if o.state == night.state and not o.cut_off]
    reasons = "; ".join(f"{outcome.pair}: {outcome.message}" for outcome in deciding[:NAMED])
    said = (_quick(night), _deadline(night), reasons or _nothing(night))
    return " ".join(ended(sentence) for sentence in said if sentence)


def ended(message: str) -> str:
    """``message`` with a full stop: errors have none."""
    return message if message.endswith((".", "!", "?")) else f"{message}."


def _quick(night: Night) -> str:
    if night.quick is None:
        return ""
    shards = counted(night.quick, "shard")
    return f"A quick look at the first {shards} of each split: nothing of it is promoted."


def _deadline(night: Night) -> str:
    cut_off = [outcome for outcome in night.outcomes if outcome.cut_off]
    if night.deadline is None or not cut_off:
        return ""
    all_pairs, verb = counted(len(night.outcomes), "pair"), "was" if len(cut_off) == 1 else "were"
    return (
        f"The deadline {moment_words(night.deadline)} came first: {len(cut_off)} of {all_pairs} "
        f"{verb} not measured to the end ({_named(cut_off)})."
    )


def _named(outcomes: Sequence[Outcome]) -> str:
    names = [str(outcome.pair) for outcome in outcomes[:NAMED]]
    more = len(outcomes) - len(names)
    return ", ".join([*names, *([f"and {more} more"] if more else [])])


def _nothing(night: Night) -> str:
    if night.outcomes:
        return ""
    if night.kind == "reprocess":
        return "There was no pair to evaluate."
    return "No model of the plan belongs to any of its datasets, so there was nothing to evaluate."
