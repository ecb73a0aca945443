from datetime import UTC, datetime

import pytest

from tasks import layout
from tasks.layout import PairName, SplitName

SPLIT = SplitName("cifar10", "test")
PAIR = PairName(SPLIT, "resnet-20_v1.0")
NIGHT_NAME = "20260203t090500z-zz9"


def test_where_everything_lies() -> None:
    # As design.md draws the artifact root.
    assert SPLIT.shards("0a1b") == "shards/cifar10/test/0a1b"
    partitions = "dataset=cifar10/split=test/model=resnet-20_v1.0/run=r12"
    assert PAIR.predictions("r12") == f"predictions/{partitions}"
    assert PAIR.scores("r12") == f"scores/{partitions}"
    assert PAIR.evaluation("e1") == "evaluations/cifar10/test/resnet-20_v1.0/e1.json"
    assert PAIR.scoring("s1") == "scorings/cifar10/test/resnet-20_v1.0/s1"
    assert layout.shard_file("ab" * 32) == f"{'ab' * 32}.parquet"
    assert layout.night_report(PAIR) == "cifar10/test/resnet-20_v1.0/report.html"
    assert layout.night_folder("n") == "nights/n"


def test_nights_sort_by_time() -> None:
    times = [datetime(2026, *when, tzinfo=UTC) for when in ((2, 3, 9, 5), (2, 3, 23, 0), (12, 1))]
    names = [layout.night_name(time, "zz9") for time in times]
    assert names == sorted(names)
    assert names[0] == "20260203t090500z-zz9"


@pytest.mark.parametrize("name", ["", "Cifar", "-a", ".", "..", "a/b", "a b", "a=b", "é", "a\n"])
def test_names_that_are_none(name: str) -> None:
    for make in (
        lambda: SplitName(name, "test"),
        lambda: SplitName("cifar10", name),
        lambda: PairName(SPLIT, name),
    ):
        with pytest.raises(ValueError, match="is no name: it must match"):
            make()


@pytest.mark.parametrize(
    ("file", "kind", "path", "name"),
    [
        (f"{SPLIT.shards('0a1b')}/manifest.json", "shards", SPLIT.shards("0a1b"), "0a1b"),
        (f"{SPLIT.shards('0a1b')}/parts/1.parquet", "shards", SPLIT.shards("0a1b"), "0a1b"),
        (f"{PAIR.predictions('r1')}/ab.parquet", "predictions", "", "ab"),
        (f"{PAIR.scores('r1')}/ab.parquet", "scores", "", "ab"),
        (PAIR.evaluation("e1"), "evaluation", "", "e1"),
        (f"{PAIR.scoring('s1')}/metrics.json", "scoring", PAIR.scoring("s1"), "s1"),
        (f"{PAIR.comparison('c1')}/x.parquet", "comparison", PAIR.comparison("c1"), "c1"),
        (SPLIT.targets("12"), "targets", "", "12"),
        ("signatures/s1/ab.parquet", "signatures", "", "ab"),
        ("copies/c1/copies.json", "copies", "copies/c1", "c1"),
        (f"nights/{NIGHT_NAME}/cifar10/m.html", "night", f"nights/{NIGHT_NAME}", NIGHT_NAME),
        ("leases/night-1.json", "lease", "", "night-1"),
        ("weights/m/ab/best.pth", "weights", layout.fetched_weights("m", "ab"), "ab"),
    ],
)
def test_where_a_file_belongs(file: str, kind: str, path: str, name: str) -> None:
    place = layout.place_of(file)
    assert place is not None
    assert (place.kind, place.path, place.name) == (kind, path or file, name)
    if place.split is not None:
        assert place.split == SPLIT
    if place.model:
        assert place.pair == PAIR


@pytest.mark.parametrize(
    "file",
    [
        *(
            "README",
            "nights/loose",
            "nights/assets/page.js",
            "shards/cifar10/loose",
            PAIR.decision("d1"),
        ),
        *("prunes/p1/prune.json", "predictions/Mine/split=a/model=b/run=c/d.parquet"),
        *("evaluations/My Set/test/m/e.json", "scorings/cifar10/test/m/loose"),
    ],
)
def test_files_that_belong_to_nothing_that_may_go(file: str) -> None:
    assert layout.place_of(file) is None
