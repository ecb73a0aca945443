import numpy as np
import pytest

from shards.errors import InputError
from shards.reader import ShardedSplit
from shards.sample import ClassList
from shards.store import Store
from tasks.quick import UNFAIR_DEVIATIONS, QuickLook, quick_look, unevenness
from tests.shards.made import FOLDER, ListSource, build, made_sample

RNG = np.random.default_rng(7)


def split(store: Store, labels: list[int | None]) -> ShardedSplit:
    classes = ClassList.of_names(("ant", "bee", "cat", "dog"))
    samples = [made_sample(number, label) for number, label in enumerate(labels)]
    build(ListSource(samples, classes), store)
    return ShardedSplit.open(store, FOLDER)


@pytest.mark.parametrize(
    ("whole", "n"),
    [
        ([1000] * 10, 1000),
        ([50] * 1000, 1000),  # one image of each class is to be expected
        ([2] * 10, 5),
        ([5000, 500, 50, 5], 100),
        ([100_000] + [20] * 200, 300),  # most classes are to be expected to be absent
    ],
)
def test_random_parts_are_even(whole: list[int], n: int) -> None:
    drawn = RNG.multivariate_hypergeometric(whole, n, size=2000)
    found = np.array([unevenness(tuple(counts), tuple(whole)) for counts in drawn.tolist()])
    assert abs(found.mean()) < 0.15
    assert found.std() < 1.35
    # Chebyshev allows one in a hundred.
    assert (found > UNFAIR_DEVIATIONS).mean() < 0.01


def test_parts_of_sorted_classes_are_uneven() -> None:
    whole = (1000,) * 10
    assert unevenness((1000, *(0,) * 9), whole) > UNFAIR_DEVIATIONS
    assert unevenness((500,) * 5 + (0,) * 5, whole) > UNFAIR_DEVIATIONS
    assert unevenness((100,) * 10, whole) < 0, "evener than chance"


@pytest.mark.parametrize(
    ("part", "whole"), [((0, 0), (5, 5)), ((5, 5), (5, 5)), ((3, 0), (9, 0)), ((), ())]
)
def test_where_nothing_can_be_uneven(part: tuple[int, ...], whole: tuple[int, ...]) -> None:
    assert unevenness(part, whole) == 0.0


def test_sorted_shards_are_refused_with_the_way_out(root: object) -> None:
    whole = split(Store.at(str(root)), [label for label in range(4) for _ in range(40)])
    with pytest.raises(
        InputError, match=r"first 4 shards of .* are no fair sample: they hold 1 of 4"
    ) as told:
        quick_look(whole, 4, "source")
    assert "set `order: stratified` of the dataset" in str(told.value)


def test_what_is_said_of_a_quick_look(root: object) -> None:
    whole = split(Store.at(str(root)), [0, 1, 2, 3, None] * 8)
    part, look = quick_look(whole, 2, "source")
    assert look is not None
    assert (look.shards, look.of_shards) == (2, len(whole.shards()))
    assert (look.samples, look.of_samples) == (part.manifest.samples, 40)
    assert "in the order of the source, so that they may be no fair sample" in look.sentence
    spread = QuickLook.model_validate({**look.model_dump(), "order": "stratified"})
    assert "classes are spread evenly; never promoted." in spread.sentence
    assert quick_look(whole, len(whole.shards()), "source") == (whole, None)
