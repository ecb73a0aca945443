"""Operating points in sentences that need no knowledge of thresholds."""

from collections.abc import Iterator

from shards.sample import ClassList
from tasks.metrics.metric import STATE_SENTENCES
from tasks.metrics.operating_point import OperatingPoint
from tasks.metrics.point_check import PointCheck
from tasks.metrics.threshold import AtThreshold, Share
from tasks.metrics.words import counted, figure

JUDGEMENTS = {
    "reached": "and that is reached",
    "missed": "and that is no longer reached",
    "undecided": "and the images are too few to tell whether that is reached",
}


def check_sentence(check: PointCheck, classes: ClassList) -> str:
    """What a threshold reaches now, and whether that is what was wanted of it."""
    wanted, found = check.wanted, check.found
    name = f"{classes.names[check.class_index]} at a threshold of {check.threshold:.6g}"
    if found is None or check.state == "undefined":
        states = {metric.name: metric.state for metric in check.metrics}
        why = STATE_SENTENCES[states[f"{wanted.metric}_at_threshold"]]
        return f"{name}: the {wanted.metric} cannot be checked ({why})."
    recall, precision = (_text(part, found) for part in (found.recall, found.precision))
    goal = f"where {figure(wanted.metric, wanted.value)} was wanted, {JUDGEMENTS[check.state]}"
    if wanted.metric == "recall":
        return f"{name}: recall is {recall}, {goal}; precision is {precision}."
    return f"{name}: precision is {precision}, {goal}; recall is {recall}."


def point_sentences(point: OperatingPoint) -> Iterator[str]:
    """The threshold, what it reaches, what the model does without it, and the price."""
    name, found, wanted = point.class_name, point.expected, point.wanted
    recall, precision, own_recall, own_precision = (
        _text(share, found)
        for share in (found.recall, found.precision, found.own_recall, found.own_precision)
    )
    how = "proven" if wanted.proven else "reached"
    goal = f"{wanted.metric} of {figure(wanted.metric, wanted.value)}"
    yield f"{name}: a {goal} is {how} by a threshold of {point.threshold:.9g} on its probability."
    yield f"With it: recall {recall}, precision {precision}."
    yield f"Without it (the first prediction): recall {own_recall}, precision {own_precision}."
    before, after = (figure("top1", share.value or 0.0) for share in (found.own_top1, found.top1))
    alarms = counted(found.false_alarms, "image of another class is", "images of other classes are")
    yield (
        f"The price: {alarms} called {name} ({found.new_false_alarms:,} of them only now). "
        f"Top-1 accuracy goes from {before} to {after}: {found.fixed:,} of {found.top1.n:,} images "
        f"are right only with the threshold, {found.broken:,} only without it."
    )
    yield (
        "The threshold was chosen on these very images, which flatters it a little: name its file "
        "under `operating_points` in a plan, and every night checks it again."
    )
    if point.rounded:
        yield (
            "The probabilities were kept as float16: images within 0.1 % of the threshold may "
            "fall on its other side."
        )


def _text(share: Share, found: AtThreshold) -> str:
    """``12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %)``."""
    if share.value is None or share.low is None or share.high is None:
        return "undefined (of no image)"
    low, high = figure("recall", share.low), figure("recall", share.high)
    interval = f"{100 * found.confidence:.6g} % interval {low} to {high}"
    return f"{figure('recall', share.value)} ({share.hits:,} of {share.n:,}; {interval})"
