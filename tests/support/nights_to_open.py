"""Nights to look at: bad, empty, incomplete, the first one, and one of 1,000 real classes.

Each is an artifact root with the records that a run leaves, and the night's pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.models._meta import _IMAGENET_CATEGORIES

from shards.reader import ShardedSplit
from shards.store import Store
from tasks.comparisons import compare_stored, store_comparison
from tasks.gates.baseline import AgainstBaseline, compared_with
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.health.finding import Evidence, Finding, ImagePair, SearchedSplit
from tasks.layout import SplitName, night_folder, night_metrics
from tasks.metrics.spec import ScoringSpec
from tasks.night import Night, Outcome, SkippedNote, Work, judged_state
from tasks.records import Pair
from tasks.report.history import metrics_table
from tasks.report.pages import compose_report, write_history, write_night
from tasks.stored import StoredScoring, read_scorings
from tasks.tables import table_bytes
from tests.shards.made import ListSource, build, made_sample
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

HOSTILE = "<script>alert('class')</script>"
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", HOSTILE)
IMAGENET: tuple[str, ...] = tuple(_IMAGENET_CATEGORIES)
GATES = (
    Gate(metric="top1", min=0.75),
    Gate(metric="recall", scope="each_class", min=0.5),
    Gate(metric="nll", max=0.5, severity="warn"),
)
SLICED = ScoringSpec(
    class_groups={
        "animals": ("bird", "cat", "deer", "dog", "frog", "horse"),
        "vehicles": ("airplane", "automobile", "ship"),
        HOSTILE: (HOSTILE,),
    }
)
WORK = Work(computed=8, reused=2, images=1_600, seconds=42.0, slots=1)


@dataclass(frozen=True)
class Opened:
    """A root, and the night in it that is looked at."""

    folder: Path
    night: Night

    @property
    def pages(self) -> Path:
        return self.folder / night_folder(self.night.name)

    @property
    def history(self) -> Path:
        return self.folder / "nights" / "index.html"

    @property
    def index(self) -> Path:
        return self.pages / "index.html"

    def report(self, pair: Pair) -> Path:
        return self.pages / str(pair) / "report.html"


def bad_night(folder: Path) -> Opened:
    """Every verdict, a fall against the baseline, hostile names, and six nights before it."""
    store = Store.at(folder)
    targets = _targets(len(CIFAR), 2_000)
    baseline = _evaluated(store, "resnet20", targets, 4.2, seed=1, version="1")
    steady = _evaluated(store, "resnet56", targets, 4.5, seed=2, version="1")
    for number in range(6):
        _store(store, number, _judged(baseline), _judged(steady))
    worse = logits(targets, len(CIFAR), 4.2, 1)
    worse[targets == 3, 5] += np.float32(6)
    pair = pair_name("resnet20", "cifar10")
    fallen = store_evaluation(
        store, pair, worse, targets.tolist(), version="2", names=CIFAR, spec=SLICED
    )
    few = _evaluated(store, "small", targets[:40], 2.5, seed=3, version="1")
    lost = Outcome(
        pair=Pair(dataset="cifar10", split="test", model="lost"),
        state="unusable",
        message=f"weights/{HOSTILE}.safetensors is not there; correct `weights` in the plan",
    )
    cut = Outcome(
        pair=Pair(dataset="cifar10", split="test", model="cut"),
        state="incomplete",
        message="2 of 10 shards could not be predicted: the engine was killed twice on them",
        work=Work(computed=8, images=1_600, seconds=61.0, slots=1),
    )
    note = _compared(store, fallen, baseline)
    skipped = (SkippedNote(source_name="<b>7.png", reason="it is no image"),)
    hurt = _judged(fallen, comparison=note, skipped=skipped)
    night = _store(store, 6, hurt, _judged(steady), _judged(few), cut, lost)
    return Opened(folder, night)


def empty_night(folder: Path) -> Opened:
    """No pair at all."""
    return Opened(folder, _store(Store.at(folder), 0))


def incomplete_night(folder: Path) -> Opened:
    """Nothing was measured to the end, at a deadline."""
    missing = [
        Outcome(
            pair=Pair(dataset="cifar10", split="test", model=model),
            state="incomplete",
            message=f"the deadline came when {done} of 10 shards were predicted; run again",
            work=Work(computed=done, images=200 * done, seconds=30.0 * done, slots=1),
        )
        for model, done in (("resnet20", 7), ("resnet56", 0))
    ]
    store = Store.at(folder)
    night = _store(store, 0, *missing)
    changed = night.model_copy(update={"deadline": night.started + timedelta(minutes=4)})
    return Opened(folder, _write(store, changed))


def first_night(folder: Path) -> Opened:
    """All passed, nothing to compare with."""
    store = Store.at(folder)
    targets = _targets(len(CIFAR), 2_000)
    models = [_evaluated(store, f"resnet{depth}", targets, 4.5, depth, "1") for depth in (20, 56)]
    return Opened(folder, _store(store, 0, *map(_judged, models)))


def thousand_classes(folder: Path, per_class: int = 5) -> Opened:
    """ImageNet's classes under their names, a fall in some of them, and two nights before it."""
    store = Store.at(folder)
    targets = np.repeat(np.arange(len(IMAGENET)), per_class)
    scores = logits(targets, len(IMAGENET), 4.6, 1)
    # Neighbours in ImageNet's order are often kinds of one thing, and are confused.
    near = (targets + 1) % len(IMAGENET)
    scores[np.arange(len(targets)), near] += np.float32(2.5)
    pair = pair_name("resnet50", "imagenet", "val")
    before = store_evaluation(store, pair, scores, targets.tolist(), names=IMAGENET, version="1")
    for number in range(2):
        _store(store, number, _judged(before))
    dogs = (targets >= 151) & (targets < 180)
    scores[dogs, 207] += np.float32(4)
    after = store_evaluation(store, pair, scores, targets.tolist(), names=IMAGENET, version="2")
    note = _compared(store, after, before)
    return Opened(folder, _store(store, 2, _judged(after, comparison=note)))


def leaked_night(folder: Path, *, known: bool = True) -> Opened:
    """Twelve images with their shards; one is in the training images too, and two are alike.

    Args:
        folder: the root.
        known: whether the finding says where the training images lie, as those of today do.
    """
    store = Store.at(folder)
    seen = SplitName("seen", "train")
    training = [made_sample(number, number % 3) for number in (40, 7, 41)]
    place = seen.shards("recipe")
    build(ListSource(training), store, place)
    searched = SearchedSplit(
        dataset=seen.dataset,
        split=seen.split,
        version=ShardedSplit.open(store, place).version,
        shards_folder=place,
    )
    build(ListSource([made_sample(number, number % 3) for number in range(12)]), store)
    targets = np.arange(12) % 3
    scores = logits(targets, 3, 20, 1)
    scores[:4] = np.roll(scores[:4], 1, axis=1)
    keys = [f"made_{number:03d}" for number in range(12)]
    stored = store_evaluation(store, pair_name("m"), scores, targets.tolist(), keys=keys)
    leaked = ImagePair(key="made_007", other="made_007", copy_kind="exact", distance=0)
    twice = ImagePair(key="made_002", other="made_005", copy_kind="near", distance=0.125)
    where = searched if known else None
    findings = (
        Finding.warning("leakage", "One is.", _copies(leaked, where), "Take it out."),
        Finding.warning("duplicates", "Two are.", _copies(twice, None), "Keep one."),
    )
    return Opened(folder, _store(store, 0, _judged(stored, findings=findings)))


def _copies(pair: ImagePair, searched: SearchedSplit | None) -> Evidence:
    return Evidence(pairs=(pair,), pairs_total=1, searched=searched)


def _targets(classes: int, n: int) -> NDArray[np.int64]:
    return np.random.default_rng(11).integers(0, classes, n)


def _evaluated(
    store: Store, model: str, targets: NDArray[np.int64], skill: float, seed: int, version: str
) -> StoredScoring:
    scores = logits(targets, len(CIFAR), skill, seed)
    pair = pair_name(model, "cifar10")
    return store_evaluation(
        store, pair, scores, targets.tolist(), version=version, names=CIFAR, spec=SLICED
    )


def _judged(stored: StoredScoring, gates: Sequence[Gate] = GATES, **changes: object) -> Outcome:
    verdicts = tuple(judge(gate, stored.scoring) for gate in gates)
    state = judged_state(verdicts, stored.scoring.n, stored.scoring.failed, 100)
    facts = {
        "verdicts": verdicts,
        "state": state,
        "message": "",
        "work": WORK,
        "samples": stored.scoring.n,
        "preprocessing": stored.evaluation.preprocessing,
    }
    return outcome_of(stored, **{**facts, **changes})


def _compared(store: Store, ours: StoredScoring, baseline: StoredScoring) -> AgainstBaseline:
    comparison, changed = compare_stored(store, baseline, ours)
    store_comparison(store, comparison, changed)
    return compared_with(comparison, "d1").note


def _store(store: Store, number: int, *outcomes: Outcome) -> Night:
    return _write(store, store_night(store, number, *outcomes))


def _write(store: Store, night: Night) -> Night:
    scorings = read_scorings(store, night.outcomes)
    store.publish(night_metrics(night.name), table_bytes(metrics_table(night, scorings)))
    write_night(store, compose_report(store, night, scorings))
    write_history(store)
    return night
