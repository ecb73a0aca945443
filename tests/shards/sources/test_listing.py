import pickle

from shards.sources.listing import LARGEST_IMAGE, Entries, Found


def found(*names: str, **facts: int) -> list[Found]:
    return [Found(name, facts.get("place", 0), facts.get("size", 1), None) for name in names]


def entries_of(*names: str) -> Entries:
    return Entries.of((file, 0) for file in found(*names))


def test_keys_are_unique_and_as_short_as_can_be() -> None:
    names = ("a/1.png", "b/1.png", "b/1.jpg", "b/2.png", "z/b_1.png", "x.y.png", "蟻.png", "蜂.png")
    keys = [row.key for row in entries_of(*names).rows(0, 99)]
    assert keys == ["a_1", "b_1-2", "b_1-3", "2", "b_1", "x_y", "_", "_-2"]


def test_what_is_refused_takes_no_key() -> None:
    entries = Entries.of(
        zip(found("a/1.png", "a/1.txt", "a/1.png"), [0, "no", "twice"], strict=True)
    )
    assert [(row.key, row.refusal) for row in entries.rows(0, 3)] == [
        ("1", None),
        ("1", "no"),
        ("1", "twice"),
    ]


def test_a_range_digest_moves_with_its_entries_alone() -> None:
    files = found(*(f"{i}.png" for i in range(10)))
    labels: list[int | str | None] = [0] * 10
    before = Entries.of(zip(files, labels, strict=True))
    for change in (
        {"size": 2},
        {"place": 9},
        {"name": "other.png"},
        {"refusal": "not a regular file"},
    ):
        changed = [*files[:5], files[5]._replace(**change), *files[6:]]
        after = Entries.of(zip(changed, labels, strict=True))
        assert after.range_digest(0, 5) == before.range_digest(0, 5)
        assert after.range_digest(6, 10) == before.range_digest(6, 10)
        assert after.range_digest(3, 6) != before.range_digest(3, 6)
        assert after.digest() != before.digest()
    relabelled = Entries.of(zip(files, [0] * 9 + [1], strict=True))
    assert relabelled.range_digest(0, 9) == before.range_digest(0, 9)
    assert relabelled.range_digest(9, 10) != before.range_digest(9, 10)


def test_entries_travel_small() -> None:
    entries = entries_of(*(f"n01440764/n01440764_{i}.JPEG" for i in range(20_000)))
    raw = pickle.dumps(entries)
    assert len(raw) < 80 * 20_000
    assert list(pickle.loads(raw).rows(4095, 4100)) == list(entries.rows(4095, 4100))
    assert len(list(entries.rows(19_999, 30_000))) == 1
    assert list(entries.rows(30_000, 30_001)) == []


def test_what_is_too_large_is_never_read() -> None:
    [row] = Entries.of([(found("a.png", size=LARGEST_IMAGE + 1)[0], 0)]).rows(0, 1)
    assert (row.refusal, row.label) == ("larger than 256 MiB", None)
