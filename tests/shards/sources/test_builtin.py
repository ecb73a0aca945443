from typing import get_args

import pytest

from shards.sample import ClassList
from shards.sources.builtin import BuiltinClasses, builtin_classes, label_index
from tests.support.shared_data import SHARED, needs_shared


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("cifar10", 10, "airplane", "truck"),
        ("cifar100", 100, "apple", "worm"),
        ("imagenet", 1000, "tench", "toilet tissue"),
        ("mnist", 10, "0", "9"),
        ("fashion-mnist", 10, "T-shirt/top", "Ankle boot"),
    ],
)
def test_lists(name: BuiltinClasses, count: int, first: str, last: str) -> None:
    classes = builtin_classes(name)
    assert len(classes) == count
    assert (classes.names[0], classes.names[-1]) == (first, last)


def test_every_name_has_a_list() -> None:
    assert all(builtin_classes(name) for name in get_args(BuiltinClasses))


@needs_shared
def test_imagenet_is_in_the_order_of_wordnet_ids() -> None:
    rows = (SHARED / "data/imagenet/imagenet_classes.tsv").read_text("utf-8").splitlines()
    ids = [row.split("\t")[1] for row in rows if row[:1].isdigit()]
    assert list(builtin_classes("imagenet").ids) == ids == sorted(ids)


def test_fashion_names_are_torchvisions() -> None:
    mnist = pytest.importorskip("torchvision.datasets.mnist")
    assert list(builtin_classes("fashion-mnist").names) == mnist.FashionMNIST.classes


def test_labels_are_ids_then_unique_names_then_numbers() -> None:
    classes = ClassList(names=("crane", "crane", "wolf", "fox"), ids=("n1", "n2", "n3", "n4"))
    index_of = label_index(classes)
    assert [index_of[label] for label in ("n1", "n4", "wolf", "fox", "0", "3")] == [
        0,
        3,
        2,
        3,
        0,
        3,
    ]
    assert "crane" not in index_of


def test_numbers_are_no_indices_where_classes_are_called_by_numbers() -> None:
    classes = ClassList(names=("crane", "crane", "2", "fox"), ids=("n1", "n2", "n3", "1"))
    index_of = label_index(classes)
    assert [index_of[label] for label in ("n1", "n2", "n3", "1", "2", "fox")] == [0, 1, 2, 3, 2, 3]
    assert "0" not in index_of
