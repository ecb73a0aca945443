"""Leakage: images of the test set that the model may have seen in training."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tasks.health.copies import FoundCopies
from tasks.health.evidence import copied_share, image_pairs, share_text
from tasks.health.finding import Evidence, Finding, SearchedSplit
from tasks.metrics.change import Change, Tally, unpaired_change
from tasks.metrics.comparison_words import change_text
from tasks.metrics.words import counted, figure

ADVICE = (
    "Look at the pairs (`nightmark leakage PLAN --dataset … --sheet pairs.png`), take these images "
    "out of the test set or out of training, and compare models on the rest."
)


@dataclass(frozen=True, slots=True)
class Effect:
    """How the model does on the images that have a copy in training, and on all others."""

    copied: Tally
    rest: Tally

    @classmethod
    def of(
        cls, right: AbstractSet[str], predicted: AbstractSet[str], copied: AbstractSet[str]
    ) -> "Effect":
        """From the keys of labelled predicted images, of those that are right, and of copies."""
        of_copies, others = predicted & copied, predicted - copied
        return cls(
            Tally(hits=len(right & of_copies), n=len(of_copies)),
            Tally(hits=len(right & others), n=len(others)),
        )


def leakage(
    found: FoundCopies,
    trained_on: str,
    effect: Effect | None = None,
    searched: SearchedSplit | None = None,
) -> Finding:
    """The share of test images that are in the training split too, exactly or as the same shot.

    Args:
        found: the copies of the test images in the training split.
        trained_on: the name of that split.
        effect: right answers on the copies and on the rest, where there are predictions.
        searched: where the images of that split lie, so that the copies can be shown.
    """
    record = found.record
    if not record.n:
        return Finding.not_checked("leakage", "no image of the split can be decoded.")
    share = copied_share(record, "copied_images")
    change = None if effect is None else unpaired_change("top1", effect.copied, effect.rest)
    evidence = Evidence(
        metrics=(share,),
        changes=() if change is None else (change,),
        pairs=image_pairs(found),
        pairs_total=record.pairs,
        searched=searched,
    )
    unread = record.unreadable + record.other_unreadable
    left = f" {counted(unread, 'image')} could not be read." if unread else ""
    if not record.copied:
        sentence = (
            f"None of {record.n:,} images is among the {record.other_n:,} of {trained_on} "
            f"(95 % interval 0 to {figure('', share.high or 0.0)}).{left}"
        )
        return Finding.info("leakage", sentence, evidence)
    sentence = (
        f"{counted(record.copied, 'image')} of {record.n:,} ({share_text(share)}) "
        f"{'is' if record.copied == 1 else 'are'} also in {trained_on}: {record.exact:,} with "
        f"equal pixels, {record.near:,} as the same shot, changed."
        f"{_effect_text(effect, change)}{left}"
    )
    return Finding.warning("leakage", sentence, evidence, ADVICE)


def _effect_text(effect: Effect | None, change: Change | None) -> str:
    if effect is None or change is None or change.difference is None or not effect.copied.n:
        return ""
    on_copies, rest = effect.copied, effect.rest
    return (
        f" Of these {on_copies.hits:,} of {on_copies.n:,} are right "
        f"({100 * on_copies.hits / on_copies.n:.1f} %), of the others "
        f"{100 * rest.hits / rest.n:.1f} %: {change_text(change)}."
    )
