"""Duplicates: images that are in a split twice, and count twice in every figure."""

from tasks.health.copies import FoundCopies
from tasks.health.evidence import copied_share, image_pairs, share_text
from tasks.health.finding import Evidence, Finding
from tasks.metrics.words import counted

SHARE = 0.01
"""It warns where this share of the images is shown to have a copy in the split: then an interval
that takes all images for independent begins to be too narrow to be called 95 %."""
ADVICE = (
    "Keep one image of each pair; where the two have different labels, at least one of them is "
    "wrong."
)


def duplicates(found: FoundCopies) -> Finding:
    """The share of images of a split that have a copy in it, exactly or as the same shot."""
    record = found.record
    if record.n < 2:
        return Finding.not_checked("duplicates", "there are not two images that can be decoded.")
    share = copied_share(record, "duplicated_images")
    evidence = Evidence(metrics=(share,), pairs=image_pairs(found), pairs_total=record.pairs)
    left = f" {counted(record.unreadable, 'image')} could not be read." if record.unreadable else ""
    sentence = (
        f"{counted(record.copied, 'image')} of {record.n:,} ({share_text(share)}) "
        f"{'has' if record.copied == 1 else 'have'} a copy in the same split: {record.exact:,} "
        f"with equal pixels, {record.near:,} as the same shot, changed.{left}"
    )
    if share.low is not None and share.low > SHARE:
        return Finding.warning("duplicates", sentence, evidence, ADVICE)
    return Finding.info("duplicates", sentence, evidence, ADVICE if record.pairs else "")
