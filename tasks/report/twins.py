"""The copies that findings tell of, each with its picture, to be shown beside the image itself."""

from collections.abc import Sequence

from shards.store import Store
from tasks.health.finding import Finding, ImagePair, SearchedSplit
from tasks.health.words import likeness
from tasks.layout import night_folder, night_pictures
from tasks.predictions.evaluation import Evaluation
from tasks.report.gallery import Twin
from tasks.report.pictures import copy_pictures

UP = "../../.."
"""From the page of a pair to its night's folder."""
ELSEWHERE = "the training images"
NOT_KNOWN = "where its image lies was not kept with the finding"
GONE = "its shards cannot be read any more"

Twins = tuple[tuple[str, Twin], ...]
"""The key of an image that has a copy, and that copy; an image may have several."""


def find_twins(
    store: Store, night: str, evaluation: Evaluation, findings: Sequence[Finding], limit: int
) -> tuple[Twins, tuple[str, ...]]:
    """The copies that the findings list, and every reason why images of copies are missing.

    Their images are copied from the shards into the night, unless they are there.

    Args:
        store: the artifact root.
        night: its name.
        evaluation: of the split that the findings are about.
        findings: those of leakage and of duplicates list pairs.
        limit: so many images of each finding.
    """
    pair = evaluation.pair
    own = SearchedSplit(
        dataset=pair.dataset,
        split=pair.split,
        version=evaluation.dataset_version,
        shards_folder=evaluation.shards_folder,
    )
    found: list[tuple[str, Twin]] = []
    faults = []
    for finding in findings:
        searched = finding.evidence.searched or (own if finding.check == "duplicates" else None)
        twins, fault = _twins(store, night, finding.evidence.pairs, searched, limit)
        found += twins
        faults += [fault] if fault else []
    return tuple(found), tuple(faults)


def _twins(
    store: Store,
    night: str,
    pairs: Sequence[ImagePair],
    searched: SearchedSplit | None,
    limit: int,
) -> tuple[list[tuple[str, Twin]], str]:
    if searched is None:
        return [
            (pair.key, Twin(pair.other, ELSEWHERE, likeness(pair), fault=NOT_KNOWN))
            for pair in pairs
        ], ""
    folder = night_pictures(searched.name)
    keys = tuple(dict.fromkeys(pair.other for pair in pairs))[:limit]
    there, fault = copy_pictures(
        store, f"{night_folder(night)}/{folder}", searched.shards_folder, keys
    )
    pictures = {key: f"{UP}/{folder}/{name}" for key, name in there.items()}
    return [
        (
            pair.key,
            Twin(
                key=pair.other,
                where=str(searched.name),
                likeness=likeness(pair),
                picture=pictures.get(pair.other, ""),
                fault=GONE if fault and pair.other not in pictures else "",
            ),
        )
        for pair in pairs
    ], fault
