"""Nights over real scorings of random scores, for the tests of the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from shards.sample import ClassList
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.metrics.scoring import Scoring, compose_scoring
from tasks.metrics.tallies import Tallies
from tasks.models.spec import Numerics
from tasks.night import Night, Outcome, Provenance, SkippedNote, Work, judged_state, worst
from tasks.predictions.evaluation import Evaluation
from tasks.predictions.schema import Scored, prediction_rows
from tasks.records import Pair
from tasks.report.build import build_report
from tasks.report.history import Point
from tasks.report.view import Report

HOSTILE = "<script>alert('a')</script> | `b`"
NAMES = ("aeroplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", HOSTILE, "truck")
MISSING = "weights/lost.safetensors is not there; correct `weights` in the plan"
GATES = (
    Gate(metric="top1", min=0.75),
    Gate(metric="recall", scope="each_class", min=0.5),
    Gate(metric="nll", max=0.5, severity="warn"),
)


@dataclass(frozen=True)
class NightCase:
    night: Night
    scorings: Mapping[str, Scoring]

    @property
    def report(self) -> Report:
        return build_report(self.night, self.scorings)

    def scoring(self, model: str) -> Scoring:
        return next(s for s in self.scorings.values() if s.pair.model == model)

    def pair(self, model: str) -> Pair:
        return next(o.pair for o in self.night.outcomes if o.pair.model == model)


def make_scoring(
    pair: Pair,
    names: tuple[str, ...],
    *,
    n: int,
    skill: float,
    present: int | None = None,
    failed: int = 0,
    unlabelled: int = 0,
    seed: int = 7,
) -> Scoring:
    """Random logits in which the target's is raised by ``skill``; the first ``present`` classes."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, present or len(names), n)
    scores = generator.normal(size=(n, len(names))).astype(np.float32)
    scores[np.arange(n), targets] += np.float32(skill)
    kept: list[int | None] = targets.tolist()
    kept[:unlabelled] = [None] * unlabelled
    rows = prediction_rows(
        Scored(
            keys=[f"{row:05d}" for row in range(n)],
            targets=kept,
            scores=scores,
            errors=["truncated" if row >= n - failed else None for row in range(n)],
            output="logits",
        )
    )
    evaluation = Evaluation(
        id=f"e{pair.model}",
        pair=pair,
        dataset_version="v1d2",
        images_digest="images",
        targets_digest="targets",
        shards_folder="shards/cifar10/test/r1",
        model_fingerprint="f1n2",
        model_loader="module:a.b:c",
        preprocessing="as is",
        numerics=Numerics(precision="float32", decoder="pil", device_type="cpu"),
        run="r1",
        predictions=("p.parquet",),
    )
    ids = tuple(f"id{index:04d}" for index in range(len(names)))
    return compose_scoring(evaluation, ClassList(names, ids), Tallies.of(rows, len(names)))


def judged(scoring: Scoring, gates: tuple[Gate, ...] = GATES) -> Outcome:
    verdicts = tuple(judge(gate, scoring) for gate in gates)
    return Outcome(
        pair=scoring.pair,
        state=judged_state(verdicts, scoring.n, scoring.failed, 100),
        message="",
        scoring=scoring.id,
        verdicts=verdicts,
        work=Work(computed=3, reused=1, images=1_500, seconds=12.5),
        skipped=(SkippedNote(source_name="<b>.png", reason="no | image"),),
        samples=2_000,
        preprocessing="as is, mean 0 0 0, std 1 1 1",
        fingerprint="f1n2",
        dataset_version="v1d2",
    )


def make_night(outcomes: tuple[Outcome, ...]) -> Night:
    started = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
    return Night(
        name="20261123t023000z-n1",
        plan="nightly.yaml",
        plan_digest="d1g2",
        started=started,
        finished=started + timedelta(minutes=3, seconds=12),
        state=worst([outcome.state for outcome in outcomes]),
        outcomes=outcomes,
        provenance=Provenance(
            python="3.11.9",
            machine="x86_64",
            cores=8,
            devices=("cpu",),
            packages={"torch": "2.9.0", "numpy": "2.3.1"},
        ),
    )


def cifar(model: str) -> Pair:
    return Pair(dataset="cifar10", split="test", model=model)


def point(day: int, value: float | None = 0.9, **changes: object) -> Point:
    """Top-1 of a pair on a night of November."""
    facts = {
        "night": f"202611{day:02d}t020000z-n{day}",
        "value": value,
        "low": None if value is None else value - 0.02,
        "high": None if value is None else value + 0.02,
        "n": 0 if value is None else 1_000,
        "state": "not_measured" if value is None else "defined",
        "verdict": "passed",
        "model_fingerprint": "f1",
        "dataset_version": "d1",
        "quick": None,
    }
    return Point(**{**facts, **changes})
