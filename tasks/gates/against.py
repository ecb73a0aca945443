"""A candidate, and the baseline that decisions give it → their comparison, made once and kept."""

from shards.errors import NightmarkError
from shards.store import Store
from tasks.comparisons import RECORD, compare_stored, read_comparison, side_of, store_comparison
from tasks.gates.baseline import (
    AgainstBaseline,
    Reference,
    compared_before,
    compared_with,
    impossible,
    unchanged,
)
from tasks.gates.decisions import Decision, read_decisions
from tasks.layout import PairName
from tasks.metrics.comparison import Comparison, comparison_id
from tasks.predictions.evaluation import Evaluation, part_alike
from tasks.stored import StoredScoring, full_nights, read_evaluation, read_scoring


def against_baseline(store: Store, candidate: StoredScoring) -> Reference | None:
    """The comparison with the baseline of the candidate's pair; None where it has none.

    A quick look is compared with the same part of the baseline. A baseline that is gone or does not
    fit is told in the reference, and not raised: the night must go on, and its gates must know.

    Raises:
        ShardError: a decision about the pair is unreadable.
    """
    decision = read_decisions(store, candidate.evaluation.pair.name).baseline()
    if decision is None:
        return None
    pair, evaluation = decision.evaluated or decision.pair, decision.evaluation or ""
    own = (candidate.evaluation.pair, candidate.evaluation.id)
    if (pair, evaluation) == own:
        return unchanged(pair, evaluation, decision.id)
    try:
        baseline = _stored(store, pair.name, decision, candidate.evaluation)
        if (pair, baseline.evaluation.id) == own:
            return unchanged(pair, evaluation, decision.id)
        return compared_with(_compared(store, baseline, candidate), decision.id)
    except NightmarkError as error:
        return impossible(pair, evaluation, decision.id, str(error))


def against_version_before(store: Store, candidate: StoredScoring) -> AgainstBaseline | None:
    """The comparison with what the newest night measured of the pair, if that is not the same.

    For pairs without a baseline; quick looks are not compared. What cannot be compared is None: it
    was never promised.

    Raises:
        ShardError: a night's record is unreadable.
    """
    own = candidate.evaluation
    if own.quick is not None:
        return None
    for night in full_nights(store):
        for outcome in night.outcomes:
            if outcome.pair == own.pair and outcome.scoring and outcome.evaluation:
                if outcome.evaluation == own.id:
                    return None
                try:
                    before = StoredScoring(
                        read_evaluation(store, own.pair.name, outcome.evaluation),
                        read_scoring(store, own.pair.name, outcome.scoring),
                    )
                    return compared_before(_compared(store, before, candidate))
                except NightmarkError:
                    return None
    return None


def _stored(
    store: Store, pair: PairName, decision: Decision, candidate: Evaluation
) -> StoredScoring:
    whole = read_evaluation(store, pair, decision.evaluation or "")
    return StoredScoring(
        evaluation=part_alike(whole, candidate),
        scoring=read_scoring(store, pair, decision.scoring or ""),
    )


def _compared(store: Store, baseline: StoredScoring, candidate: StoredScoring) -> Comparison:
    pair = candidate.evaluation.pair.name
    known = comparison_id(side_of(baseline), side_of(candidate))
    if store.exists(f"{pair.comparison(known)}/{RECORD}"):
        return read_comparison(store, pair, known)
    part = baseline.evaluation
    if part.quick is not None:
        # Part of a whole that is stored; whoever reads the comparison finds the part as well.
        store.publish(part.pair.name.evaluation(part.id), part.to_json())
    comparison, changed = compare_stored(store, baseline, candidate)
    store_comparison(store, comparison, changed)
    return comparison
