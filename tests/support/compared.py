"""Comparisons made of counts, for the tests of what is said and decided about them."""

from tasks.metrics.change import Change, paired_change
from tasks.metrics.comparison import Comparison, Side
from tasks.metrics.metric import Metric
from tasks.metrics.paired import mcnemar
from tasks.records import Pair


def top1(fixed: int, broken: int, n: int = 1_000) -> Change:
    hits = (700 + fixed, 700 + broken)
    return paired_change("top1", hits, (fixed, broken), n, mcnemar(fixed, broken))


def side(model: str, evaluation: str) -> Side:
    return Side(
        pair=Pair(dataset="d", split="s", model=model),
        evaluation=evaluation,
        scoring="s",
        model_fingerprint="f",
        dataset_version="v",
    )


def comparison(change: Change, **changes: object) -> Comparison:
    facts = {
        "id": "c",
        "baseline": side("old", "e1"),
        "candidate": side("new", "e2"),
        "class_ids": ("a", "b"),
        "class_names": ("ant", "bee"),
        "paired": True,
        "matched_by": "images",
        "common": 1_000,
        "only_baseline": 0,
        "only_candidate": 0,
        "n": 1_000,
        "unlabelled": 0,
        "failed_baseline": 0,
        "failed_candidate": 0,
        "retargeted": 0,
        "both_right": 700,
        "fixed": change.fixed or 0,
        "broken": change.broken or 0,
        "both_wrong": 248,
        "p": change.p,
        "chi_squared": None,
        "churn": Metric.proportion("churn", 120, 1_000),
        "overall": (change,),
        "per_class": (),
        "broken_samples": (),
        "fixed_samples": (),
    }
    return Comparison.model_validate({**facts, **changes})
