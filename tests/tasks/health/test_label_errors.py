"""Confident learning against cleanlab, on real probabilities and on made ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.sample import ClassList
from tasks.health.finding import LISTED
from tasks.health.label_errors import LabelledScores, Standards, label_errors, suspects
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.metrics.made_by_hand import unhurried

NAMES = ClassList.of_names(("plane", "car", "<script>", *(f"c{i}" for i in range(7))))


def whole(targets: np.ndarray, probabilities: np.ndarray) -> LabelledScores:
    return LabelledScores([f"{row:05d}" for row in range(len(targets))], targets, probabilities)


def cleanlab_rows(targets: np.ndarray, probabilities: np.ndarray) -> list[int]:
    """The off-diagonal samples of its confident joint."""
    count = pytest.importorskip("cleanlab.count")
    _, rows = count.compute_confident_joint(
        targets, probabilities, calibrate=False, return_indices_of_off_diagonals=True
    )
    return sorted(int(row) for row in rows)


def found_rows(scores: LabelledScores) -> list[int]:
    standards = Standards.of([scores], scores.probabilities.shape[1])
    return sorted(int(suspect.key) for _, suspect in suspects(scores, standards))


@needs_shared
def test_real_probabilities_give_the_suspects_of_cleanlab() -> None:
    folder = SHARED / "data/label_errors"
    probabilities = np.load(folder / "cifar10_test_set_pyx.npy").astype(np.float64)
    targets = np.load(folder / "cifar10_test_set_original_labels.npy").astype(np.int64)
    scores = whole(targets, probabilities)
    rows = found_rows(scores)
    assert rows == cleanlab_rows(targets, probabilities)
    found = label_errors([scores], NAMES)
    assert found.evidence.suspects_total == len(rows)
    margins = [
        suspect.given_probability - suspect.probability for suspect in found.evidence.suspects
    ]
    assert margins == sorted(margins)
    # Its own ranking of the same rows, by normalised margin.
    rank = pytest.importorskip("cleanlab.rank")
    quality = rank.get_normalized_margin_for_each_label(targets, probabilities)
    worst = sorted(rows, key=lambda row: (quality[row], row))[:LISTED]
    assert [int(suspect.key) for suspect in found.evidence.suspects] == worst


@unhurried
@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=2, max_value=6))
def test_made_probabilities_give_the_suspects_of_cleanlab(seed: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    # Two of each class, as cleanlab needs every class to occur.
    targets = np.concatenate([np.tile(np.arange(classes), 2), generator.integers(0, classes, 60)])
    probabilities = generator.dirichlet(np.full(classes, 0.3), len(targets))
    scores = whole(targets, probabilities)
    meets = probabilities >= Standards.of([scores], classes).values
    # Where several classes are met and the most probable is none of them, cleanlab takes that one
    # all the same; the paper, and nightmark, takes the most probable of those that are met.
    surest = meets[np.arange(len(targets)), probabilities.argmax(axis=1)]
    as_the_paper = set(np.flatnonzero((meets.sum(axis=1) < 2) | surest).tolist())
    ours, theirs = found_rows(scores), cleanlab_rows(targets, probabilities)
    assert as_the_paper & set(ours) == as_the_paper & set(theirs)


def test_parts_give_what_the_whole_gives() -> None:
    generator = np.random.default_rng(1)
    targets = generator.integers(0, 10, 500)
    scores = whole(targets, generator.dirichlet(np.full(10, 0.2), 500))
    cut = [
        LabelledScores(scores.keys[a:b], targets[a:b], scores.probabilities[a:b])
        for a, b in ((0, 1), (1, 1), (1, 320), (320, 500))
    ]
    assert label_errors(cut, NAMES) == label_errors([scores], NAMES)


def test_a_swapped_label_stands_first_and_names_both_classes() -> None:
    targets = np.repeat(np.arange(10), 50)
    probabilities = np.full((500, 10), 0.01)
    probabilities[np.arange(500), targets] = 0.91
    targets[7] = 2
    found = label_errors([whole(targets, probabilities)], NAMES)
    (suspect,) = found.evidence.suspects
    assert (suspect.key, suspect.name) == ("00007", "labelled <script>, looks like plane")
    assert (suspect.probability, suspect.given_probability) == (0.91, 0.01)
    assert found.severity == "info"
    assert "1 image of 500 (0.2 %" in found.sentence


def test_many_suspects_warn_and_are_cut() -> None:
    targets = np.repeat(np.arange(10), 50)
    probabilities = np.full((500, 10), 0.01)
    probabilities[np.arange(500), targets] = 0.91
    targets[::10] = (targets[::10] + 1) % 10
    found = label_errors([whole(targets, probabilities)], NAMES, exact=False)
    assert found.severity == "warn"
    assert (len(found.evidence.suspects), found.evidence.suspects_total) == (LISTED, 50)
    assert "float16" in found.sentence


def test_a_class_of_one_sample_is_never_suggested_and_nothing_is_not_checked() -> None:
    targets = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.05, 0.95], [0.6, 0.4]])
    assert found_rows(whole(targets, probabilities)) == [3], "not 2, which looks like class 1"
    assert not label_errors([], NAMES).checked
