"""Two evaluations on the same images, sample by sample: what was fixed, what broke, what is proven.

Where the images differ, accuracies are compared as of two independent sets, and everything that
needs pairs (fixed, broken, classes, losses, churn) rests on the samples that are common.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.sample import ClassList
from tasks.metrics.aligned import AlignedRows, MatchedBy, changed_rows, first, right
from tasks.metrics.change import Change, Tally, paired_change, unpaired_change
from tasks.metrics.comparison import (
    LISTED_SAMPLES,
    ChangedSample,
    Comparison,
    Side,
    comparison_id,
)
from tasks.metrics.intervals import mean_interval
from tasks.metrics.metric import Metric
from tasks.metrics.paired import (
    Fourfold,
    false_discovery,
    mcnemar,
    mcnemar_chi_squared,
    mcnemar_each,
)


@dataclass(frozen=True, eq=False)
class Measured:
    """A side and all its rows of predictions, under the targets that count."""

    side: Side
    rows: pa.Table


def compare(
    baseline: Measured,
    candidate: Measured,
    rows: AlignedRows,
    classes: ClassList,
    matched_by: MatchedBy,
    targets_file: str | None = None,
) -> tuple[Comparison, pa.Table]:
    """The comparison, and every fixed and broken sample (``aligned.CHANGED``).

    Args:
        baseline: one side.
        candidate: the other; its targets count.
        rows: their common samples.
        classes: the same on both sides.
        matched_by: how they were found to be common.
        targets_file: the file that replaced targets of the dataset, where one did.
    """
    predicted, labelled = rows.predicted, rows.labelled
    both = rows.kept(predicted & labelled)
    table = _fourfold(both, 1)
    changed = changed_rows(both)
    is_identity = baseline.side.evaluation == candidate.side.evaluation
    paired = matched_by == "images"
    overall = (
        (*_paired_shares(both), *_losses(both))
        if paired
        else (*_unpaired_shares(baseline.rows, candidate.rows), *_unpaired_losses())
    )
    comparison = Comparison(
        id=comparison_id(baseline.side, candidate.side),
        baseline=baseline.side,
        candidate=candidate.side,
        class_ids=classes.ids,
        class_names=classes.names,
        paired=paired,
        matched_by=matched_by,
        targets_file=targets_file,
        common=rows.common,
        only_baseline=rows.only_baseline,
        only_candidate=rows.only_candidate,
        n=table.n,
        unlabelled=int((~labelled).sum()),
        failed_baseline=_failed(rows.baseline, labelled),
        failed_candidate=_failed(rows.candidate, labelled),
        retargeted=int(rows.retargeted.sum()),
        both_right=table.both_right,
        fixed=table.fixed,
        broken=table.broken,
        both_wrong=table.both_wrong,
        p=mcnemar(table.fixed, table.broken) if table.n else None,
        chi_squared=mcnemar_chi_squared(table.fixed, table.broken),
        churn=_churn(rows.kept(predicted)),
        overall=tuple(_identical(change) if is_identity else change for change in overall),
        per_class=_class_changes(both, len(classes)),
        broken_samples=_listed(changed, "broken", "candidate"),
        fixed_samples=_listed(changed, "fixed", "baseline"),
    )
    return comparison, changed


def _identical(change: Change) -> Change:
    """Of one evaluation with itself nothing differs, and no sampling is involved."""
    if change.state != "defined":
        return change
    return change.model_copy(update={"low": 0.0, "high": 0.0, "method": "identity"})


def _failed(rows: pa.Table, labelled: NDArray[np.bool_]) -> int:
    failed = pc.is_valid(rows["error"]).to_numpy(zero_copy_only=False)
    return int((labelled & failed).sum())


def _fourfold(both: AlignedRows, k: int) -> Fourfold:
    before, after = both.right(k)
    return Fourfold(
        both_right=int((before & after).sum()),
        fixed=int((after & ~before).sum()),
        broken=int((before & ~after).sum()),
        both_wrong=int((~before & ~after).sum()),
    )


def _depth(rows: pa.Table) -> int:
    """How many predictions are kept of a sample."""
    return int(pc.max(pc.list_value_length(rows["topk"])).as_py() or 1)


def _paired_shares(both: AlignedRows) -> Iterator[Change]:
    for k in range(1, _depth(both.candidate) + 1):
        table = _fourfold(both, k)
        if not table.n:
            yield Change(metric=f"top{k}", state="no_samples", n=0)
            continue
        hits = (table.both_right + table.fixed, table.both_right + table.broken)
        changed = (table.fixed, table.broken)
        yield paired_change(f"top{k}", hits, changed, table.n, mcnemar(*changed))


def _unpaired_shares(baseline: pa.Table, candidate: pa.Table) -> Iterator[Change]:
    known = [
        rows.filter(pc.and_(pc.is_valid(rows["target"]), pc.is_null(rows["error"])))
        for rows in (candidate, baseline)
    ]
    for k in range(1, _depth(candidate) + 1):
        ours, theirs = (
            Tally(hits=int(right(rows, rows["target"].to_numpy(), k).sum()), n=len(rows))
            for rows in known
        )
        yield unpaired_change(f"top{k}", ours, theirs)


def _unpaired_losses() -> Iterator[Change]:
    for name in ("nll", "brier"):
        yield Change(metric=name, state="unpaired", n=0)


def _losses(both: AlignedRows) -> Iterator[Change]:
    """Mean differences of the losses over the samples that have one under the same target."""
    scored = (side["nll"].is_valid().to_numpy() for side in (both.baseline, both.candidate))
    same = both.kept(~both.retargeted & np.logical_and(*scored))
    for name, loss in (("nll", _nll), ("brier", _brier)):
        yield _loss(name, loss(same.candidate), loss(same.baseline))


def _loss(name: str, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Change:
    n = len(ours)
    if not n:
        return Change(metric=name, state="no_samples", n=0)
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return Change(metric=name, state="infinite", n=n)
    differences = ours - theirs
    total = float(differences.sum())
    ends = (None, None) if n < 2 else mean_interval(total, float((differences**2).sum()), n)
    return Change(
        metric=name,
        baseline=float(theirs.mean()),
        candidate=float(ours.mean()),
        difference=total / n,
        low=ends[0],
        high=ends[1],
        n=n,
        method="none" if n < 2 else "student",
    )


def _nll(rows: pa.Table) -> NDArray[np.float64]:
    values: NDArray[np.float64] = rows["nll"].to_numpy().astype(np.float64)
    return values


def _brier(rows: pa.Table) -> NDArray[np.float64]:
    squares = rows["sum_sq_prob"].to_numpy().astype(np.float64)
    values: NDArray[np.float64] = squares - 2 * rows["target_prob"].to_numpy() + 1
    return values


def _churn(predicted: AlignedRows) -> Metric:
    n = predicted.common
    if not n:
        return Metric.undefined("churn", "no_samples")
    changed = int((first(predicted.baseline) != first(predicted.candidate)).sum())
    return Metric.proportion("churn", changed, n)


def _class_changes(both: AlignedRows, classes: int) -> tuple[Change, ...]:
    targets = both.candidate["target"].to_numpy().astype(np.int64)
    before, after = both.right(1)
    support = np.bincount(targets, minlength=classes)
    present = np.flatnonzero(support)

    def count(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(targets[mask], minlength=classes)[present].astype(np.int64)

    fixed, broken = count(after & ~before), count(before & ~after)
    p_values = mcnemar_each(fixed, broken)
    columns = (
        *(present, support[present], count(after), count(before), fixed, broken),
        *(p_values, false_discovery(p_values)),
    )
    return tuple(
        paired_change("recall", (ours, theirs), (won, lost), n, p, index, q)
        for index, n, ours, theirs, won, lost, p, q in zip(
            *(column.tolist() for column in columns), strict=True
        )
    )


def _listed(changed: pa.Table, change: str, mistaken: str) -> tuple[ChangedSample, ...]:
    rows = changed.filter(pc.equal(changed["change"], change)).slice(0, LISTED_SAMPLES)
    return tuple(
        ChangedSample(
            key=row["key"],
            target=row["target"],
            said=row[f"{mistaken}_prediction"],
            confidence=row[f"{mistaken}_confidence"],
        )
        for row in rows.to_pylist()
    )
