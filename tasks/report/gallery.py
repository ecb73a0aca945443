"""Rows of predictions → the samples that a page shows, in lists and in the order of looking."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import pyarrow as pa
import pyarrow.compute as pc

PICTURES = 400
"""Of each pair a night keeps so many thumbnails, unless the plan says otherwise."""
PER_FILE = 2_000
"""Mistakes in one file that a page loads when they are asked for."""
DIGITS = 4
"""Of probabilities."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A sample on a page.

    Attributes:
        said: the first classes of the model, the surest first, with their probabilities.
        past: what became of it over the nights, in words.
        picture: its file among the pictures of the split, or nothing.
    """

    key: str
    target: int
    said: tuple[tuple[int, float], ...]
    past: str = ""
    picture: str = ""

    @property
    def is_right(self) -> bool:
        return self.said[0][0] == self.target

    @property
    def confidence(self) -> float:
        return self.said[0][1]

    @property
    def row(self) -> list[object]:
        """As ``evaluation.js`` reads it: key, target, classes, probabilities, past, picture."""
        classes = [index for index, _ in self.said]
        shares = [round(share, DIGITS) for _, share in self.said]
        return [self.key, self.target, classes, shares, self.past, self.picture]


@dataclass(frozen=True, slots=True)
class Twin:
    """A copy of a sample, as it is shown beside it.

    Attributes:
        key: of the copy, in its split.
        where: its split.
        likeness: how the two are alike, in words.
        picture: its file, relative to the page, or nothing.
        fault: why there is no picture.
    """

    key: str
    where: str
    likeness: str
    picture: str = ""
    fault: str = ""

    @property
    def row(self) -> list[object]:
        """As ``evaluation.js`` reads it."""
        return [self.key, self.where, self.likeness, self.picture, self.fault]


def shown_samples(tables: Iterable[pa.Table], wanted: frozenset[str]) -> list[Shown]:
    """The mistakes, and the right ones among ``wanted``, the surest mistake first, then by key.

    Args:
        tables: rows of predictions under the targets that count.
        wanted: keys.
    """
    keys = pa.array(sorted(wanted), pa.string())
    found: list[Shown] = []
    for table in tables:
        rows = table.filter(pc.and_(pc.is_valid(table["target"]), pc.is_null(table["error"])))
        if not rows.num_rows:
            continue
        wrong = pc.not_equal(pc.list_element(rows["topk"], 0), rows["target"])
        kept = rows.filter(pc.or_(wrong, pc.is_in(rows["key"], keys)))
        columns = (kept[name].to_pylist() for name in ("key", "target", "topk", "topk_prob"))
        for key, target, classes, shares in zip(*columns, strict=True):
            found.append(Shown(key, target, tuple(zip(classes, shares, strict=True))))
    return sorted(found, key=lambda shown: (-shown.confidence, shown.key))


def pictured(
    samples: Sequence[Shown],
    first: Sequence[str],
    lists: Iterable[Sequence[str]],
    limit: int,
    per_class: int = 4,
) -> tuple[str, ...]:
    """The keys of at most ``limit`` samples that get a picture.

    Those in ``first``, then one of each list in turn, so that no long list leaves the others
    without pictures. The last list is that of all mistakes: the surest of every class before the
    surest of all, so that a class of few mistakes is not left without one either.

    Args:
        samples: the surest first.
        first: keys.
        lists: of keys, the most important of each first.
        limit: how many pictures.
        per_class: of each class so many come before the rest.
    """
    there = {shown.key for shown in samples}
    rank: dict[int, int] = {}
    placed: list[tuple[int, str]] = []
    for shown in samples:
        if not shown.is_right:
            place = rank.get(shown.target, 0)
            rank[shown.target] = place + 1
            placed.append((min(place, per_class), shown.key))
    placed.sort(key=lambda one: one[0])
    turns = zip_longest(*lists, (key for _, key in placed))
    ordered = (*first, *(key for turn in turns for key in turn))
    return tuple(dict.fromkeys(key for key in ordered if key in there))[:limit]


@dataclass(frozen=True)
class Gallery:
    """The samples of a pair's page.

    Attributes:
        samples: all mistakes and some right ones, the surest first.
        lists: keys by the name of a list, in the order of looking.
        twins: the keys of samples that have a copy, each with one of them.
    """

    samples: tuple[Shown, ...]
    lists: Mapping[str, tuple[str, ...]]
    twins: tuple[tuple[str, Twin], ...] = ()

    @property
    def mistakes(self) -> tuple[Shown, ...]:
        return tuple(shown for shown in self.samples if not shown.is_right)

    def told(self, past: Mapping[str, str], pictures: Mapping[str, str]) -> "Gallery":
        """With the past of samples and their pictures, both by key."""
        samples = tuple(
            replace(shown, past=past.get(shown.key, ""), picture=pictures.get(shown.key, ""))
            for shown in self.samples
        )
        return replace(self, samples=samples)

    def list_rows(self) -> dict[str, list[list[object]]]:
        """The rows of each list that has any; those of ``copies`` end with that of the copy."""
        by_key = {shown.key: shown.row for shown in self.samples}
        rows = {
            name: [by_key[key] for key in keys if key in by_key]
            for name, keys in self.lists.items()
        }
        rows["copies"] = [[*by_key[key], twin.row] for key, twin in self.twins if key in by_key]
        return {name: found for name, found in rows.items() if found}

    def files(self, classes: int) -> tuple[list[int], list[list[list[object]]]]:
        """All mistakes in files: which file holds those of each class, and the rows of each."""
        of_class: list[list[list[object]]] = [[] for _ in range(classes)]
        for shown in self.mistakes:
            of_class[shown.target].append(shown.row)
        files: list[list[list[object]]] = [[]]
        places = []
        for rows in of_class:
            if files[-1] and len(files[-1]) + len(rows) > PER_FILE:
                files.append([])
            places.append(len(files) - 1)
            files[-1] += rows
        return places, files
