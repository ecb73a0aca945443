"""What is different on a night, against the last whole night before it, in sentences."""

from collections.abc import Iterator, Sequence

from tasks.layout import night_started
from tasks.metrics.words import counted, figure
from tasks.report.history import History, Point, Series
from tasks.report.trend import is_other, state_of
from tasks.report.words import day_text


def changes_since(points: Series) -> tuple[str, ...]:
    """What is different on the last night of a series, against the last night before it.

    Quick nights are compared with nothing, and nothing with them.
    """
    before = night_before(points)
    if before is None:
        return ()
    when = day_text(night_started(before.night))
    return tuple(_changes(before, points[-1], when))


def night_before(points: Series) -> Point | None:
    """What the last night of a series is compared with; None where it is quick, or the first."""
    *earlier, now = points
    if now.quick is not None:
        return None
    return next((point for point in reversed(earlier) if point.quick is None), None)


def newcomer(points: Series, history: History) -> tuple[str, ...]:
    """That a pair is new, where that is known: a table that cannot be read may have had it."""
    before = len(history.nights) - 1
    if len(points) > 1 or points[-1].quick is not None or not before or history.damaged:
        return ()
    nights = "the night" if before == 1 else f"any of the {before} nights"
    return (f"New: it was not on {nights} before.",)


def unchanged_sentence(pairs: Sequence[Series], earlier: int) -> str:
    """What is said where nothing is known to be different: of what was compared alone.

    Args:
        pairs: the nights of each pair.
        earlier: how many nights there were before.
    """
    if not earlier:
        return "This is the first night; on the next ones it says here what is different."
    if any(points[-1].quick is not None for points in pairs):
        return "A quick look is compared with no other night."
    compared = sum(night_before(points) is not None for points in pairs)
    if not compared:
        return "There is no whole night before to compare with."
    if compared < len(pairs):
        there = f"{compared} of {counted(len(pairs), 'pair')}"
        return f"Nothing, as far as there is a whole night before: {there} had one."
    return "Nothing: verdicts, models, datasets and top-1 are as on the nights before."


def _changes(before: Point, now: Point, when: str) -> Iterator[str]:
    if before.verdict is not None and now.verdict != before.verdict:
        yield f"{state_of(now).word.capitalize()} now, {state_of(before).word} on {when}."
    if is_other(before.model_fingerprint, now.model_fingerprint):
        yield f"The model is another version than on {when}."
    if is_other(before.dataset_version, now.dataset_version):
        yield f"The dataset is another version than on {when}."
    if before.value is not None and now.value is not None and before.value != now.value:
        then = figure("top1", before.value, (now.value,))
        later = figure("top1", now.value, (before.value,))
        yield f"Top-1 went from {then} to {later}."
