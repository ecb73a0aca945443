"""Top-k accuracy as metrics, over all samples or over a slice of them."""

from collections.abc import Mapping

from tasks.metrics.metric import Metric, Scope
from tasks.predictions.ranking import TOP_K


def top_metrics(
    hits: Mapping[int, int],
    n: int,
    failed: int,
    *,
    unranked: int = 0,
    classes: int | None = None,
    slice_name: str | None = None,
) -> list[Metric]:
    """One figure for each k, and two more if samples failed: all of them wrong, all of them right.

    Args:
        hits: k → samples whose target is among the first k, as far as that is known.
        n: labelled samples that were predicted.
        failed: labelled samples that were not.
        unranked: of n, those of which only this is known: the target is not among the first five.
        classes: among so many first predictions every target is.
        slice_name: what the samples are a slice of, or None for all.
    """
    scope: Scope = "overall" if slice_name is None else "slice"
    found: list[Metric] = []

    def share(name: str, part: int, whole: int) -> Metric:
        return Metric.proportion(name, part, whole, scope=scope, slice_name=slice_name)

    for k, known in hits.items():
        name, right = f"top{k}", known
        if unranked and k > TOP_K:
            if classes is None or k < classes:
                found.append(Metric.undefined(name, "needs_scores", n, slice_name=slice_name))
                continue
            right = n
        if n:
            found.append(share(name, right, n))
        else:
            found.append(Metric.undefined(name, "no_samples", slice_name=slice_name))
        if failed:
            found.append(share(f"{name}_failed_as_wrong", right, n + failed))
            found.append(share(f"{name}_failed_as_right", right + failed, n + failed))
    return found
