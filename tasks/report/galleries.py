"""Galleries at rest: the images behind a pair's figures, copied from the shards into the night."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from shards.errors import NightmarkError
from shards.store import Store
from tasks.comparisons import CHANGED, COLUMNS
from tasks.layout import PairName, night_folder, night_pictures
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import counted
from tasks.night import Outcome
from tasks.predictions.evaluation import Evaluation
from tasks.report.assets import put_script
from tasks.report.gallery import Gallery, pictured, shown_samples
from tasks.report.past import Seen, past_words
from tasks.report.pictures import copy_pictures
from tasks.report.twins import find_twins
from tasks.report.view import PairView, Report
from tasks.stored import read_evaluation
from tasks.tables import read_table
from tasks.targets.rows import rows_under_targets, stored_overlay

LISTS = "gallery.js"
NAME = "mistakes"


@dataclass(frozen=True, slots=True)
class GalleryNote:
    """What a page has to know of the gallery beside it.

    Attributes:
        mistakes: how many there are.
        pictures: how many samples have a picture.
        places: by class index, the file that holds its mistakes.
        folder: the pictures, relative to the page.
        lists: how long each list is.
        copies: how many pairs of an image and its copy were found, listed or not.
        fault: why there is no gallery, or why pictures are missing.
    """

    mistakes: int = 0
    pictures: int = 0
    places: tuple[int, ...] = ()
    folder: str = ""
    lists: tuple[tuple[str, int], ...] = ()
    copies: int = 0
    fault: str = ""

    @property
    def sentence(self) -> str:
        """What is kept with the night."""
        images = counted(self.pictures, "image of this pair is", "images of this pair are")
        match self.mistakes:
            case 0:
                listed = "there is no mistake to list"
            case 1:
                listed = "the one mistake is listed"
            case _:
                listed = f"all {self.mistakes:,} mistakes are listed"
        return f"{images} kept with the night; {listed}."


def write_gallery(store: Store, report: Report, view: PairView, limit: int) -> GalleryNote | None:
    """Write the lists of a pair and its pictures; a fault is told on the page, and ends no night.

    Pictures that the night has already are kept, so that its pages can be written again when the
    shards are gone.

    Args:
        store: the artifact root.
        report: the night.
        view: one of its pairs; without figures there is no gallery.
        limit: of thumbnails.
    """
    if view.scoring is None:
        return None
    outcome = next(one for one in report.night.outcomes if one.pair == view.pair)
    try:
        evaluation = read_evaluation(store, view.pair.name, view.scoring.evaluation)
        gallery = _gallery(store, evaluation, view.scoring, outcome)
    except NightmarkError as error:
        return GalleryNote(fault=store.without_root(str(error)))
    found = (*_copied(outcome), *gallery.lists["suspects"])
    changed = [gallery.lists[change] for change in ("broken", "fixed")]
    keys = pictured(gallery.samples, found, changed, limit)
    night, split = report.night.name, view.pair.name.split
    folder = f"{night_folder(night)}/{night_pictures(split)}"
    pictures, fault = copy_pictures(store, folder, evaluation.shards_folder, keys)
    twins, no_twins = find_twins(store, night, evaluation, outcome.findings, limit)
    past = _past(store, report, view, {s.key: s.target for s in gallery.samples if s.key in keys})
    gallery = replace(gallery.told(past, pictures), twins=twins)
    places, files = gallery.files(len(view.scoring.support))
    pages = f"{night_folder(night)}/{view.pair}"
    for number, rows in enumerate(files):
        name = f"{NAME}-{number}"
        store.publish(f"{pages}/{name}.js", put_script(name, rows))
    lists = gallery.list_rows()
    store.publish(f"{pages}/{LISTS}", put_script("gallery", lists))
    return GalleryNote(
        mistakes=len(gallery.mistakes),
        pictures=len(pictures),
        places=tuple(places),
        folder=f"../{night_pictures(split).rpartition('/')[2]}/",
        lists=tuple((name, len(rows)) for name, rows in lists.items()),
        copies=sum(finding.evidence.pairs_total for finding in outcome.findings),
        fault=" ".join(dict.fromkeys(filter(None, (fault, *no_twins)))),
    )


def _gallery(store: Store, evaluation: Evaluation, scoring: Scoring, outcome: Outcome) -> Gallery:
    changed = _changed(store, evaluation.pair.name, outcome)
    suspects = tuple(s.key for f in outcome.findings for s in f.evidence.suspects)
    wanted = frozenset((*changed["fixed"], *suspects, *_copied(outcome)))
    tables = rows_under_targets(store, evaluation, stored_overlay(store, scoring))
    samples = shown_samples((table.select(COLUMNS) for table in tables), wanted)
    return Gallery(tuple(samples), {**changed, "suspects": suspects})


def _copied(outcome: Outcome) -> tuple[str, ...]:
    """The keys of the images that have a copy."""
    return tuple(pair.key for finding in outcome.findings for pair in finding.evidence.pairs)


def _changed(store: Store, pair: PairName, outcome: Outcome) -> dict[str, tuple[str, ...]]:
    """The keys that broke and that were fixed against the baseline, the surest mistakes first."""
    note = outcome.comparison
    if note is None or note.comparison is None:
        return {"broken": (), "fixed": ()}
    path = f"{pair.comparison(note.comparison)}/{CHANGED}"
    table = read_table(store, path, columns=("key", "change"), advice="compare them again")
    return {
        change: tuple(table.filter(pc.field("change") == change)["key"].to_pylist())
        for change in ("broken", "fixed")
    }


def _past(
    store: Store, report: Report, view: PairView, targets: Mapping[str, int]
) -> dict[str, str]:
    """What became of these samples over the nights, in words."""
    table = report.history.table
    chosen = (
        (pc.field("dataset") == view.pair.dataset)
        & (pc.field("split") == view.pair.split)
        & (pc.field("model") == view.pair.model)
        & (pc.field("evaluation") != "")
        & pc.is_null(pc.field("quick"))
    )
    rows = table.filter(chosen).select(["night", "evaluation"])
    nights = dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))
    said = {found: _said(store, view.pair.name, found, targets) for found in set(nights.values())}
    past: dict[str, str] = {}
    for key, target in targets.items():
        seen: list[Seen] = [
            (night, said[found][key] == target)
            for night, found in sorted(nights.items())
            if key in said[found]
        ]
        past[key] = past_words(seen)
    return past


def _said(store: Store, pair: PairName, evaluation: str, keys: Iterable[str]) -> dict[str, int]:
    """What an evaluation took these samples for; nothing where it is not kept any more."""
    wanted = pa.array(sorted(keys), pa.string())
    said: dict[str, int] = {}
    try:
        for path in read_evaluation(store, pair, evaluation).predictions:
            rows = read_table(store, path, columns=("key", "topk"))
            rows = rows.filter(pc.is_in(rows["key"], wanted))
            rows = rows.filter(pc.is_valid(rows["topk"]))
            first = pc.list_element(rows["topk"], 0) if rows.num_rows else rows["topk"]
            said.update(zip(rows["key"].to_pylist(), first.to_pylist(), strict=True))
    except NightmarkError:
        return {}
    return said
