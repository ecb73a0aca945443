"""From what is kept for its own sake (nights, baselines) to all that it cannot do without."""

from dataclasses import dataclass, field

from shards.store import Store
from tasks.comparisons import RECORD as COMPARISON
from tasks.comparisons import read_comparison
from tasks.gates.decisions import Decision, Decisions, all_pairs, read_decisions
from tasks.layout import PairName, night_folder
from tasks.night import Night, Outcome
from tasks.stored import read_evaluation, read_scoring

STANDING = 2
"""So many baselines of a pair are kept: the present one, and what counts once it is revoked."""


@dataclass(eq=False)
class Needs:
    """Paths that must stay, and for whose sake; filled by the methods.

    What is referred to and is gone already is passed over. A record that is there and cannot be
    read raises ShardError: what it refers to is unknown, so that nothing may be removed.
    """

    store: Store = field(repr=False)
    why: dict[str, str] = field(default_factory=dict)
    """Path of a piece → the first that needs it."""
    images: set[str] = field(default_factory=set)
    """The digests of the images that needed evaluations are of."""

    def of_night(self, night: Night, why: str) -> None:
        self.why[night_folder(night.name)] = why
        for outcome in night.outcomes:
            self._of_outcome(outcome, f"night {night.name}")

    def of_baselines(self) -> None:
        """Of every pair that has decisions."""
        for pair in all_pairs(self.store):
            for place, decision in enumerate(standing(read_decisions(self.store, pair))):
                evaluated = (decision.evaluated or decision.pair).name
                why = f"the baseline of {pair}" + (" if the present one is revoked" * bool(place))
                self.of_evaluation(evaluated, decision.evaluation or "", why)
                self.of_scoring(evaluated, decision.scoring or "", why)

    def of_evaluation(self, pair: PairName, evaluation: str, why: str) -> None:
        path = pair.evaluation(evaluation)
        if not self._is_new(path, path, why):
            return
        record = read_evaluation(self.store, pair, evaluation)
        self.images.add(record.images_digest)
        self._need(record.shards_folder, why)
        # Full scores have the names of the predictions they belong to.
        predictions, scores = pair.predictions(record.run), pair.scores(record.run)
        for file in record.predictions:
            self._need(file, why)
            self._need(scores + file.removeprefix(predictions), why)

    def of_scoring(self, pair: PairName, scoring: str, why: str) -> None:
        if not self._is_new(pair.scoring(scoring), pair.metrics(scoring), why):
            return
        record = read_scoring(self.store, pair, scoring)
        self.of_evaluation(pair, record.evaluation, why)
        if record.overlaid is not None:
            self._need(pair.split.targets(record.overlaid.digest), why)

    def of_comparison(self, pair: PairName, comparison: str, why: str) -> None:
        """Both sides too, so that it can be made and explained again."""
        folder = pair.comparison(comparison)
        if not self._is_new(folder, f"{folder}/{COMPARISON}", why):
            return
        record = read_comparison(self.store, pair, comparison)
        for side in (record.baseline, record.candidate):
            self.of_evaluation(side.pair.name, side.evaluation, why)
            self.of_scoring(side.pair.name, side.scoring, why)

    def _of_outcome(self, outcome: Outcome, why: str) -> None:
        pair, note = outcome.pair.name, outcome.comparison
        if outcome.scoring is not None:
            self.of_scoring(pair, outcome.scoring, why)
        if outcome.evaluation is not None:
            self.of_evaluation(pair, outcome.evaluation, why)
        if note is not None:
            self.of_evaluation(note.baseline.name, note.evaluation, why)
            if note.comparison is not None:
                self.of_comparison(pair, note.comparison, why)

    def _is_new(self, piece: str, record: str, why: str) -> bool:
        """Whether a needed piece is met for the first time, and its record is there to be read."""
        is_known = piece in self.why
        self._need(piece, why)
        return not is_known and self.store.exists(record)

    def _need(self, path: str, why: str) -> None:
        self.why.setdefault(path, why)


def standing(decisions: Decisions) -> list[Decision]:
    """The decisions that make the baseline of a pair, now and after a revocation, in this order."""
    by_evaluation: dict[tuple[str, str | None], Decision] = {}
    for kind in ("pin", "promote"):
        for decision in reversed(decisions.standing(kind)):
            named = (str(decision.evaluated), decision.evaluation)
            by_evaluation.setdefault(named, decision)
    return list(by_evaluation.values())[:STANDING]
