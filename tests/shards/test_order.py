from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.errors import SourceError
from shards.order import in_order, read_positions, runs, stratified
from shards.sample import Sample, Skipped
from tests.shards.listed import ListSource
from tests.shards.made import made_sample

LABELS = st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=120)


@given(LABELS, st.integers(0, 3))
def test_every_prefix_is_a_fair_sample(labels: list[int | None], seed: int) -> None:
    order = stratified(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    sizes, seen, total = Counter(labels), Counter[int | None](), len(labels)
    for length, position in enumerate(order, 1):
        seen[labels[position]] += 1
        for label, size in sizes.items():
            assert abs(seen[label] * total - length * size) < total


@pytest.mark.parametrize("sizes", [(1000, 1, 1, 1), (500, 300, 199, 1), (7,) * 90, (1,) * 300])
def test_uneven_and_many_classes(sizes: tuple[int, ...]) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    seen, total = [0] * len(sizes), len(labels)
    for length, position in enumerate(stratified(labels, 0), 1):
        seen[labels[position]] += 1
        pairs = zip(seen, sizes, strict=True)
        assert all(abs(n * total - length * size) < total for n, size in pairs)


def test_the_order_is_the_same_for_ever() -> None:
    """Recipes name it: if this fails, raise ORDER_REVISION."""
    labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, None, None]
    assert stratified(labels, 0) == GOLDEN
    assert stratified(labels, 1) != GOLDEN


GOLDEN = [0, 6, 5, 11, 1, 7, 2, 9, 3, 10, 8, 4]


def test_classes_are_drawn_from_all_over() -> None:
    order = stratified([0] * 1000, 0)
    assert sum(a < b for a, b in pairwise(order)) in range(430, 570)


def source_of(count: int) -> ListSource:
    return ListSource([made_sample(number, number % 3) for number in range(count)])


def test_an_ordered_source_gives_each_entry_once() -> None:
    source = source_of(20)
    ordered = in_order(source, "stratified", 0)
    assert len(ordered) == 20
    results = [r for start in (0, 7, 14) for r in ordered.read(start, min(start + 7, 20))]
    assert all(isinstance(result, Sample) for result in results)
    assert sorted(r.source_name for r in results) == sorted(e.source_name for e in source.entries)
    assert ordered.labels() == [r.label for r in results if isinstance(r, Sample)]


def test_the_sources_own_order_is_the_source() -> None:
    source = source_of(3)
    assert in_order(source, "source", 5) is source


def test_an_order_is_part_of_the_identity() -> None:
    source = source_of(4)
    identities = {in_order(source, "stratified", seed).identity for seed in range(3)}
    assert len(identities | {source.identity}) == 4
    ordered = in_order(source, "stratified", 0)
    assert ordered.range_identity(0, 2) != source.range_identity(0, 2)


def test_opening_an_ordered_source_sorts_nothing() -> None:
    class NeverAsked(ListSource):
        def labels(self) -> list[int | None]:
            pytest.fail("an unchanged source must be recognised at once")

    ordered = in_order(NeverAsked([]), "stratified", 0)
    assert (ordered.identity, len(ordered)) != ("", 1)


def test_neighbours_are_read_together_and_nothing_else() -> None:
    source = source_of(20)
    results = list(read_positions(source, [9, 3, 4, 15, 8]))
    assert [result.source_name for result in results] == [f"{n}.png" for n in (9, 3, 4, 15, 8)]
    assert source.ranges_read == [(3, 5), (8, 10), (15, 16)]


@given(st.sets(st.integers(0, 60)))
def test_runs_cover_positions_exactly(positions: set[int]) -> None:
    found = list(runs(sorted(positions)))
    assert {p for start, stop in found for p in range(start, stop)} == positions
    assert all(stop < start for (_, stop), (start, _) in pairwise(found))


class LosesOne(ListSource):
    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        return super().read(start, stop - 1)


def test_a_source_that_loses_entries() -> None:
    with pytest.raises(SourceError, match="made: entries 4 to 6 gave 1 results instead of 2"):
        list(read_positions(LosesOne(source_of(9).entries), [5, 4]))


def test_a_source_with_too_few_labels() -> None:
    class Unlabelled(ListSource):
        def labels(self) -> list[int | None]:
            return []

    ordered = in_order(Unlabelled(source_of(3).entries), "stratified", 0)
    with pytest.raises(SourceError, match="made: 0 labels for 3 entries"):
        list(ordered.read(0, 1))
