import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from shards.errors import InputError
from shards.sample import ClassList
from tasks.metrics.operating_point import (
    KEPT_POINTS,
    OperatingPoint,
    Unreachable,
    operating_point,
    read_operating_point,
    thresholds_for,
)
from tasks.metrics.point_check import check_points
from tasks.metrics.point_words import check_sentence, point_sentences
from tasks.metrics.scoring import Scoring
from tasks.metrics.threshold import ClassScores, Wanted
from tasks.records import Pair
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of

SCORING: Scoring = scoring_of(tallies_of(np.eye(3, dtype=np.int64)))


def scores_of(score: list[float], positive: list[int], class_index: int = 1) -> ClassScores:
    """Images that the model calls the class above 0.5, and otherwise rightly something else."""
    chances, truth = np.array(score), np.array(positive, dtype=bool)
    called = chances > 0.5
    return ClassScores(class_index, chances, truth, called, called == truth, ~truth)


def exam() -> ClassScores:
    """98 % accuracy, and 12 % recall on otter: 6 of 50 otters, 2,450 images of other classes."""
    generator = np.random.default_rng(0)
    otters = np.concatenate([np.full(6, 0.9), generator.uniform(0.05, 0.4, 44)])
    others = np.concatenate([np.full(6, 0.8), generator.uniform(0, 0.1, 2444)])
    return scores_of([*otters, *others], [1] * 50 + [0] * 2450)


def test_the_otters_of_the_exam_are_found_at_a_price() -> None:
    point = operating_point(SCORING, exam(), Wanted(metric="recall", value=0.9))
    assert isinstance(point, OperatingPoint)
    found = point.expected
    assert (found.own_recall.hits, found.own_recall.n) == (6, 50)
    assert found.own_top1.value == pytest.approx(0.98)
    assert found.own_recall.low == pytest.approx(0.0562, abs=5e-5)
    assert found.own_recall.high == pytest.approx(0.2380, abs=5e-5)
    assert found.recall.value is not None
    assert found.recall.value >= 0.9
    assert found.precision.value is not None
    assert found.precision.value < 0.5
    said = " ".join(point_sentences(point))
    assert "Without it (the first prediction): recall 12.0 % (6 of 50;" in said
    assert f"{found.false_alarms} images of other classes are called c1" in said
    assert f"{found.new_false_alarms} of them only now" in said


def test_what_nothing_reaches_has_a_written_answer() -> None:
    scores = scores_of([0.9, 0.8, 0.7, 0.1], [0, 1, 1, 0])
    said = operating_point(SCORING, scores, Wanted(metric="precision", value=0.7))
    assert said == Unreachable(
        "No threshold reaches a precision of 70.0 % for c1: the best is 66.7 % "
        "(2 of 3, at threshold 0.7)."
    )
    said = operating_point(SCORING, scores, Wanted(metric="recall", value=0.9, proven=True))
    assert isinstance(said, Unreachable)
    assert "2 images of it, all found, would prove only 34.2 %" in said.sentence
    said = operating_point(SCORING, scores, Wanted(metric="precision", value=0.5, proven=True))
    assert isinstance(said, Unreachable)
    assert "which proves only 20.8 %" in said.sentence


def test_a_class_without_images_has_no_threshold() -> None:
    said = operating_point(SCORING, scores_of([0.9], [0]), Wanted(metric="recall", value=0.5))
    assert isinstance(said, Unreachable)
    assert "no image of c1" in said.sentence


def test_proven_asks_more_than_reached() -> None:
    wanted = [Wanted(metric="recall", value=0.8, proven=proven) for proven in (False, True)]
    plain, proven = (operating_point(SCORING, exam(), wish) for wish in wanted)
    assert isinstance(plain, OperatingPoint)
    assert isinstance(proven, OperatingPoint)
    assert proven.threshold < plain.threshold
    assert (proven.expected.recall.low or 0) >= 0.8
    assert (plain.expected.recall.low or 0) < 0.8


def test_the_exported_curve_is_cut_and_keeps_its_ends() -> None:
    generator = np.random.default_rng(1)
    score = generator.random(400)
    scores = scores_of(score.tolist(), (score + generator.normal(0, 0.3, 400) > 0.5).tolist())
    point = operating_point(SCORING, scores, Wanted(metric="recall", value=0.9))
    assert isinstance(point, OperatingPoint)
    whole = list(scores.curve())
    assert len(point.curve) == KEPT_POINTS < len(whole)
    assert (point.curve[0], point.curve[-1]) == (whole[0], whole[-1])


def test_a_point_is_checked_again_under_other_scores() -> None:
    point = operating_point(SCORING, exam(), Wanted(metric="recall", value=0.9))
    assert isinstance(point, OperatingPoint)
    worse = scores_of([0.01] * 20 + [0.9] * 20 + [0.0] * 60, [1] * 40 + [0] * 60)
    few = scores_of([0.9] * 9 + [0.01], [1] * 10)
    none = scores_of([0.1], [0])
    (same,) = check_points([point.as_threshold(1)], lambda _: exam())
    assert same.found == point.expected
    assert same.state == "undecided"
    states = []
    for scores in (worse, few, none, None):
        (check,) = check_points([point.as_threshold(1)], lambda _, scores=scores: scores)
        states.append((check.state, check.metrics[0].state))
    assert states == [
        ("missed", "defined"),
        ("undecided", "defined"),
        ("undefined", "absent_class"),
        ("undefined", "needs_scores"),
    ]
    many = scores_of([0.9] * 500, [1] * 500)
    (check,) = check_points([point.as_threshold(1)], lambda _: many)
    assert check.state == "reached"


def test_a_check_in_words() -> None:
    point = operating_point(SCORING, exam(), Wanted(metric="recall", value=0.9))
    assert isinstance(point, OperatingPoint)
    worse = scores_of([0.01] * 20 + [0.9] * 20, [1] * 40)
    (check,) = check_points([point.as_threshold(1)], lambda _: worse)
    said = check_sentence(check, SCORING.classes)
    assert "recall is 50.0 % (20 of 40; 95 % interval 35.2 % to 64.8 %), where 90.0 %" in said
    assert "no longer reached; precision is 100.0 % (20 of 20;" in said
    (check,) = check_points([point.as_threshold(1)], lambda _: None)
    assert "cannot be checked" in check_sentence(check, SCORING.classes)
    assert "were not kept" in check_sentence(check, SCORING.classes)


def test_the_file_fits_its_published_schema_and_comes_back(tmp_path: Path) -> None:
    point = operating_point(SCORING, exam(), Wanted(metric="precision", value=0.4))
    assert isinstance(point, OperatingPoint)
    file = tmp_path / "otter.json"
    file.write_bytes(point.to_json())
    schema = Path(__file__).parents[3] / "conf/operating-point.schema.json"
    jsonschema.validate(json.loads(file.read_text()), json.loads(schema.read_text()))
    assert json.loads(schema.read_text()) == OperatingPoint.model_json_schema()
    assert read_operating_point(file) == point


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "otter.json"
    with pytest.raises(InputError, match=r"otter\.json: No such file"):
        read_operating_point(file)
    file.write_text('{"threshold": 0.5}')
    with pytest.raises(InputError, match=r"otter\.json is no operating point"):
        read_operating_point(file)


def written(folder: Path, name: str, **changes: object) -> Path:
    point = operating_point(SCORING, exam(), Wanted(metric="recall", value=0.9))
    assert isinstance(point, OperatingPoint)
    file = folder / name
    file.write_bytes(point.model_copy(update=changes).to_json())
    return file


def test_the_points_of_a_pair_are_found_by_pair_and_class_id(tmp_path: Path) -> None:
    """The class may have moved in the list since the point was chosen."""
    pair = SCORING.pair.name
    other = Pair(dataset="animals", split="test", model="other")
    files = [written(tmp_path, "a.json"), written(tmp_path, "b.json", pair=other)]
    pairs = (pair, other.name)
    moved = ClassList.of_names(("c1", "c0", "c2"))
    (found,) = thresholds_for(files, pair, moved, pairs)
    assert found.class_index == 0
    assert found.wanted == Wanted(metric="recall", value=0.9)
    assert thresholds_for((), pair, moved, pairs) == ()
    with pytest.raises(InputError, match=r"a\.json: animals/test/net has no class c1"):
        thresholds_for(files, pair, ClassList.of_names(("c0", "c2")), pairs)
    with pytest.raises(InputError, match=r"c\.json: another file has one of c1"):
        thresholds_for([*files, written(tmp_path, "c.json")], pair, moved, pairs)
    with pytest.raises(InputError, match=r"b\.json: it is of animals/test/other, which is no pair"):
        thresholds_for(files, pair, moved, pairs[:1])


def documented() -> Callable[[list[float], dict[str, float]], int]:
    """The function that docs/targets.md tells a deployment to use."""
    text = (Path(__file__).parents[3] / "docs/targets.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    names: dict[str, Callable[[list[float], dict[str, float]], int]] = {}
    exec(code, names)  # noqa: S102 — our own documentation
    return names["decide"]


@needs_shared
@pytest.mark.parametrize(("index", "wanted"), [(3, 0.95), (6, 0.99)])
def test_on_real_predictions_the_file_does_what_it_says(index: int, wanted: float) -> None:
    """CIFAR-10 (cat, frog): the file alone, applied to every image, gives its own figures."""
    folder = SHARED / "data/label_errors"
    chances: NDArray[np.floating] = np.load(folder / "cifar10_test_set_pyx.npy")
    truth = np.load(folder / "cifar10_test_set_original_labels.npy")
    chances = chances.astype(np.float32)
    order = np.argsort(-chances, axis=1, kind="stable")
    first = order[:, 0]
    otherwise = np.where(first == index, order[:, 1], first)
    scores = ClassScores(
        index,
        chances[:, index].astype(np.float64),
        truth == index,
        first == index,
        first == truth,
        otherwise == truth,
    )
    tallies = tallies_of(np.eye(10, dtype=np.int64))
    point = operating_point(scoring_of(tallies), scores, Wanted(metric="recall", value=wanted))
    assert isinstance(point, OperatingPoint)
    precision, recall, _ = precision_recall_curve(truth == index, chances[:, index])
    assert point.expected.precision.value == precision[recall >= wanted].max()
    exported = json.loads(point.to_json())
    decide = documented()
    said = np.array([decide(row, exported) for row in chances.tolist()])
    assert (said[truth == index] == index).mean() == point.expected.recall.value
    assert (truth[said == index] == index).mean() == point.expected.precision.value
    assert (said == truth).mean() == point.expected.top1.value
