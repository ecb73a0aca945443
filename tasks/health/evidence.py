"""Copies as findings show them: the share of images, and the first of the pairs."""

from tasks.health.copies import Copies, FoundCopies
from tasks.health.finding import LISTED, ImagePair
from tasks.metrics.metric import Metric
from tasks.metrics.words import figure


def copied_share(record: Copies, name: str) -> Metric:
    """The share of images that have a copy; there is at least one image."""
    return Metric.proportion(name, record.copied, record.n)


def share_text(share: Metric) -> str:
    """``3.5 %, 95 % interval 3.2 % to 3.9 %``."""
    value, low, high = (
        figure(share.name, part or 0.0) for part in (share.value, share.low, share.high)
    )
    return f"{value}, 95 % interval {low} to {high}"


def image_pairs(found: FoundCopies) -> tuple[ImagePair, ...]:
    """The surest pairs."""
    rows = found.pairs.slice(0, LISTED).to_pylist()
    return tuple(
        ImagePair(
            key=row["key"],
            other=row["other"],
            copy_kind=row["kind"],
            distance=max(row["distance"], 0.0),
            mirrored=row["mirrored"],
        )
        for row in rows
    )
