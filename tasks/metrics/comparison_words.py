"""A comparison in words that a product manager understands."""

from collections.abc import Sequence

from tasks.metrics.aligned import MatchedBy
from tasks.metrics.change import CHANGE_SENTENCES, Change
from tasks.metrics.comparison import Comparison
from tasks.metrics.intervals import CONFIDENCE, Interval
from tasks.metrics.words import LOSSES, apart, counted, figure

FALSE_DISCOVERIES = 0.05
"""Classes are called changed where at most this share of them is so by chance."""
MATCHES: dict[MatchedBy, str] = {
    "images": "the images are the same",
    "sha256": "by key and the SHA-256 of the image",
    "key": "by key alone, since the shards of one of them are gone",
}


def difference_text(metric: str, value: float, beside: Sequence[float] = ()) -> str:
    """``+0.8 points`` of a percentage, or ``−0.012`` of a loss; told from what is ``beside`` it."""
    if metric in LOSSES:
        text = apart(value, beside, lambda number, more: f"{number:+.{4 + more}g}")
        return ("0" if text in ("+0", "-0") else text).replace("-", "−")
    return f"{signed(value, beside)} points"


def signed(share: float, beside: Sequence[float] = ()) -> str:
    """``+0.8``: a share in points, with as many decimals as tell it from 0: where an interval ends
    decides whether a change is shown.
    """
    text = apart(share, (0.0, -0.0, *beside), lambda number, more: f"{100 * number:+.{1 + more}f}")
    return ("0.0" if text in ("+0.0", "-0.0") else text).replace("-", "−")


def ends_text(metric: str, interval: Interval, beside: Sequence[float] = ()) -> str:
    """``−0.1 to +1.7``."""
    if metric in LOSSES:
        return " to ".join(difference_text(metric, end, beside) for end in interval)
    return " to ".join(signed(end, beside) for end in interval)


def p_text(p: float, name: str = "p", beside: Sequence[float] = ()) -> str:
    """``p = 0.017``; very small ones as a bound."""
    found = p_figure(p, beside)
    return f"{name} {found}" if found.startswith("<") else f"{name} = {found}"


def p_figure(p: float, beside: Sequence[float] = ()) -> str:
    """``0.017``, ``< 0.0001``; told from what is ``beside`` it."""
    return (
        "< 0.0001" if p < 1e-4 else apart(p, beside, lambda number, more: f"{number:.{2 + more}g}")
    )


def change_text(
    change: Change, confidence: float = CONFIDENCE, beside: Sequence[float] = ()
) -> str:
    """``+0.8 points (95 % interval −0.1 to +1.7), 30 fixed, 22 broken, p = 0.33``."""
    if change.difference is None:
        return CHANGE_SENTENCES[change.state]
    interval = change.interval(confidence)
    bounds = "too few for an interval"
    if interval is not None:
        bounds = f"{100 * confidence:.6g} % interval {ends_text(change.metric, interval, beside)}"
    parts = [f"{difference_text(change.metric, change.difference, beside)} ({bounds})"]
    if change.fixed is not None and change.broken is not None:
        parts += [f"{change.fixed:,} fixed", f"{change.broken:,} broken"]
    if change.p is not None:
        parts.append(p_text(change.p))
    return ", ".join(parts)


def conclusion(comparison: Comparison) -> str:
    """What the comparison shows of top-1 accuracy, in one sentence."""
    ours, theirs = name_of(comparison, "candidate"), name_of(comparison, "baseline")
    if comparison.is_identity:
        return f"{ours} and {theirs} are the same evaluation; nothing changed."
    change = comparison.change("top1")
    if change is None or change.difference is None:
        why = CHANGE_SENTENCES["no_samples" if change is None else change.state]
        return f"{ours} and {theirs}: top-1 accuracy {why}."
    said = f"top-1 accuracy {change_text(change)}"
    if not change.is_shown:
        return f"No difference between {ours} and {theirs} is shown: {said}."
    verb = "better" if change.difference > 0 else "worse"
    return f"{ours} is {verb} than {theirs}: {said}."


def basis(comparison: Comparison) -> tuple[str, ...]:
    """What the comparison rests on, and what was left out of it."""
    lines = []
    if comparison.paired:
        images = counted(comparison.n, "labelled image")
        lines.append(f"Both were measured on the same images; {images} count.")
    else:
        common = counted(comparison.common, "sample is", "samples are")
        lines.append(
            f"The dataset changed between them, so accuracies are compared as of two independent "
            f"sets of images. {common} common ({MATCHES[comparison.matched_by]}), "
            f"{comparison.only_baseline:,} only in the baseline's, "
            f"{comparison.only_candidate:,} only in the candidate's; fixed, broken and classes are "
            f"of the common ones."
        )
    if comparison.targets_file:
        lines.append(f"The targets of {comparison.targets_file} count for both.")
    for count, why in (
        (comparison.unlabelled, "without a label"),
        (comparison.failed_baseline, "that the baseline could not predict"),
        (comparison.failed_candidate, "that the candidate could not predict"),
    ):
        if count:
            lines.append(f"Left out: {counted(count, 'image')} {why}.")
    if comparison.retargeted:
        lines.append(
            f"{counted(comparison.retargeted, 'image has', 'images have')} another label than when "
            f"the baseline was measured; the candidate's labels count for both, and losses leave "
            f"them out."
        )
    return tuple(lines)


def table_text(comparison: Comparison) -> str:
    """The fourfold table and what changed, as a sentence."""
    churn = comparison.churn
    changed = ""
    if churn.value is not None:
        share = figure("churn", churn.value)
        changed = f" The first prediction changed on {share} of the images ({churn.hits:,})."
    return (
        f"Both right {comparison.both_right:,}, fixed {comparison.fixed:,}, "
        f"broken {comparison.broken:,}, both wrong {comparison.both_wrong:,}.{changed}"
    )


def is_claimed(change: Change) -> bool:
    """Whether a change is called one: of a class after the correction for how many there are, of
    all images where the interval leaves out 0.
    """
    if change.class_index is None:
        return change.is_shown
    return change.q is not None and change.q <= FALSE_DISCOVERIES


def changed_classes(comparison: Comparison) -> tuple[Change, ...]:
    """Classes whose recall changed for sure, the worst fall first."""
    shown = [change for change in comparison.per_class if is_claimed(change)]
    return tuple(sorted(shown, key=lambda change: change.difference or 0.0))


def classes_text(comparison: Comparison) -> str:
    """How many classes changed for sure, and what that claim is worth."""
    compared = counted(len(comparison.per_class), "class", "classes")
    shown = changed_classes(comparison)
    share = f"{100 * FALSE_DISCOVERIES:g} %"
    if not shown:
        return f"Of {compared} none has a recall that is shown to have changed."
    verb = "has" if len(shown) == 1 else "have"
    return (
        f"Of {compared}, {len(shown):,} {verb} a recall that changed; at most {share} of such "
        f"claims are false (Benjamini–Hochberg)."
    )


def name_of(comparison: Comparison, side: str) -> str:
    """``resnet56``, or with its evaluation where both sides are versions of one model."""
    found = comparison.baseline if side == "baseline" else comparison.candidate
    models = {comparison.baseline.pair.model, comparison.candidate.pair.model}
    return found.pair.model if len(models) > 1 else f"{found.pair.model} ({found.evaluation})"
