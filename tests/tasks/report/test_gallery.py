"""Which samples a page shows, which get a picture, and in which file each mistake lies."""

import numpy as np

from tasks.predictions.schema import Scored, prediction_rows
from tasks.report.gallery import PER_FILE, Gallery, Shown, pictured, shown_samples
from tests.support.stored import logits


def mistake(key: str, target: int, confidence: float) -> Shown:
    return Shown(key, target, ((target + 1, confidence), (target, 1 - confidence)))


def test_all_mistakes_and_the_wanted_are_shown_and_no_other() -> None:
    targets = np.random.default_rng(5).integers(0, 10, 300)
    scores = logits(targets, 10, 1.5, 4)
    labels: list[int | None] = targets.tolist()
    labels[0] = None
    errors: list[str | None] = [None, "broken", *[None] * 298]
    keys = [f"{row:03d}" for row in range(300)]
    rows = prediction_rows(Scored(keys, labels, scores, errors, "logits"))
    first = scores.argmax(axis=1)
    wrong = {keys[row] for row in range(2, 300) if first[row] != targets[row]}
    right = next(keys[row] for row in range(2, 300) if first[row] == targets[row])
    shown = shown_samples([rows.slice(0, 120), rows.slice(120)], frozenset({right, "000", "001"}))
    assert {sample.key for sample in shown} == wrong | {right}
    assert [s.confidence for s in shown] == sorted((s.confidence for s in shown), reverse=True)
    assert all(sample.is_right == (sample.key == right) for sample in shown)


def test_every_class_gets_a_picture_before_a_class_gets_its_fifth() -> None:
    many = [mistake(f"a{n:02d}", 0, 0.99 - n / 100) for n in range(20)]
    samples = [*many, mistake("b", 1, 0.6), mistake("c", 2, 0.5)]
    keys = pictured(samples, ["c", "gone"], [], limit=6)
    assert keys[0] == "c"
    assert set(keys) == {"c", "b", "a00", "a01", "a02", "a03"}
    assert pictured(samples, [], [], limit=0) == ()


def test_no_long_list_leaves_the_others_without_pictures() -> None:
    samples = [mistake(f"{kind}{n:03d}", 0, 0.9) for kind in "cabd" for n in range(50)]
    broken, fixed = ([shown.key for shown in samples if shown.key[0] == kind] for kind in "ab")
    keys = pictured(samples, ["d049", "d048"], [broken, fixed], limit=32)
    assert keys[:2] == ("d049", "d048")
    assert [sum(key[0] == kind for key in keys) for kind in "abcd"] == [10, 10, 10, 2]


def test_every_mistake_lies_in_the_file_of_its_class() -> None:
    counts = {0: PER_FILE - 1, 1: 0, 2: 5, 3: PER_FILE + 3, 4: 1}
    samples = [mistake(f"{c}-{n}", c, 0.9) for c, count in counts.items() for n in range(count)]
    right = Shown("right", 2, ((2, 0.9),))
    gallery = Gallery((*samples, right), {"fixed": ("right", "gone"), "broken": ()})
    places, files = gallery.files(5)
    for index, count in counts.items():
        assert sum(row[1] == index for row in files[places[index]]) == count
    assert sum(map(len, files)) == len(samples)
    assert gallery.list_rows() == {"fixed": [right.row]}
