"""Top-5 ignored: the model knows the answer, and ranks its near-twins before it."""

from collections import Counter

from tasks.gates.sentences import with_interval
from tasks.health.finding import Check, ConfusedPair, Evidence, Finding, listed
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels

GAP = 0.10
"""It warns where this share of all images is shown to have its class second to fifth. ResNets on
ImageNet lie near 0.15, and most of it is twins that people do not tell apart either."""
LEAST_CLASSES = 6
"""Of five classes the first five are all."""
ADVICE = (
    "Look at the pairs: if they are twins to your users, too, merge them or judge top-5 as well; "
    "if not, collect images that tell them apart."
)


def top5_ignored(scoring: Scoring) -> Finding:
    """The share of images whose class ranks second to fifth, and the pairs most often exchanged.

    That share is one proportion of n images, so that Wilson's interval holds for the gap.
    """
    check: Check = "top5_ignored"
    if len(scoring.support) < LEAST_CLASSES:
        reason = f"of fewer than {LEAST_CLASSES} classes the first five are nearly all."
        return Finding.not_checked(check, reason)
    try:
        top1, top5 = scoring.metric("top1"), scoring.metric("top5")
    except KeyError:
        return Finding.not_checked(check, "top-5 was not counted.", "Add 5 to `top_k` of the plan.")
    if top1.hits is None or top5.hits is None or not top1.n:
        return Finding.not_checked(check, "no labelled image was predicted.")
    gap = Metric.proportion("second_to_fifth", top5.hits - top1.hits, top1.n)
    twins = _twins(scoring)
    evidence = Evidence(
        metrics=(top1, top5, gap), confused=listed(twins), confused_total=len(twins)
    )
    said = (
        f"Top-1 is {100 * (top1.value or 0):.1f} %, top-5 {100 * (top5.value or 0):.1f} %: the "
        f"right class ranks second to fifth for {with_interval(gap, scoring.confidence)}"
    )
    if gap.low is not None and gap.low >= GAP:
        wrong = top1.n - top1.hits
        first = ", ".join(f"{pair.name} ({pair.count:,})" for pair in twins[:3])
        exchanged = sum(pair.count for pair in twins[:3])
        sentence = (
            f"{said}. Most often exchanged, either way: {first}; together "
            f"{100 * exchanged / wrong:.0f} % of the {wrong:,} mistakes."
        )
        return Finding.warning(check, sentence, evidence, ADVICE)
    return Finding.info(check, f"{said}.", evidence)


def _twins(scoring: Scoring) -> list[ConfusedPair]:
    """Pairs of classes by how often one was taken for the other, either way; most often first."""
    counts: Counter[tuple[int, int]] = Counter()
    for target, prediction, count in scoring.confusion:
        if target != prediction:
            counts[min(target, prediction), max(target, prediction)] += count
    names = class_labels(scoring.class_names, scoring.class_ids)
    order = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [
        ConfusedPair(target=a, prediction=b, count=count, name=f"{names[a]} and {names[b]}")
        for (a, b), count in order
    ]
