from datetime import UTC, datetime

import pytest

from tasks import layout
from tasks.layout import PairName, SplitName

SPLIT = SplitName("cifar10", "test")
PAIR = PairName(SPLIT, "resnet-20_v1.0")


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
