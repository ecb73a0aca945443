"""The figures of classes → rows of the report, the worst recall first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.metrics.metric import Metric
from tasks.metrics.ranking import RANKED_CLASS_NAMES
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels, counted, figure
from tasks.report.view import ClassRow, ConfusedRow, PairView
from tasks.report.words import Figure, figure_of

WHOLE_LIST = 50
"""Up to so many classes all are listed, with their state; beyond, only those with samples."""

LISTED_CONFUSED = 20
WORST_LISTED = 20


@dataclass(frozen=True, slots=True)
class WorstClass:
    """A class with a low recall, of any pair of a night."""

    model: str
    dataset: str
    name: str
    recall: Figure
    images: str

    def named(self) -> dict[str, str]:
        """As a row of a table with these titles."""
        return {
            "Model": self.model,
            "Dataset": self.dataset,
            "Class": self.name,
            "Recall": self.recall.text,
            "95 % interval": self.recall.interval,
            "Images": self.images,
        }


def worst_classes(pairs: Sequence[PairView]) -> tuple[WorstClass, ...]:
    """The classes of all pairs with the lowest recall, ties by the pairs' and classes' order."""
    found = []
    for view in pairs:
        if view.scoring is None:
            continue
        labels = class_labels(view.scoring.class_names, view.scoring.class_ids)
        for index in present_classes(view.scoring)[:WORST_LISTED]:
            recall = next(m for m in view.scoring.of_class(index) if m.name == "recall")
            support = f"{view.scoring.support[index]:,}"
            row = (view.pair.model, view.split, labels[index], figure_of(recall), support)
            found.append((recall.value or 0.0, WorstClass(*row)))
    found.sort(key=lambda pair: pair[0])
    return tuple(row for _, row in found[:WORST_LISTED])


def present_classes(scoring: Scoring) -> tuple[int, ...]:
    """The classes that have samples, the worst recall first, ties by class index."""
    recall = {m.class_index: m.value for m in scoring.per_class if m.name == "recall"}
    present = [index for index, support in enumerate(scoring.support) if support]
    return tuple(sorted(present, key=lambda index: (recall[index], index)))


def class_rows(scoring: Scoring) -> tuple[ClassRow, ...]:
    """One row per class that is listed; those without samples stand at the end."""
    absent = [index for index, support in enumerate(scoring.support) if not support]
    listed = [*present_classes(scoring), *(absent if _all_listed(scoring) else ())]
    labels = class_labels(scoring.class_names, scoring.class_ids)
    metrics: defaultdict[int, dict[str, Metric]] = defaultdict(dict)
    for metric in scoring.per_class:
        if metric.class_index is not None:
            metrics[metric.class_index][metric.name] = metric
    # Records of before the areas lack them, and without kept scores no class has one.
    is_ranked = any(
        metric.name in RANKED_CLASS_NAMES and metric.value is not None
        for metric in scoring.per_class
    )
    return tuple(
        _class_row(scoring, index, labels[index], metrics[index], is_ranked=is_ranked)
        for index in listed
    )


def class_note(scoring: Scoring) -> str:
    """How many classes have samples, and what became of the others."""
    present = len(present_classes(scoring))
    total = len(scoring.support)
    if present == total:
        return f"All {counted(total, 'class has', 'classes have')} samples."
    rest = "are listed last" if _all_listed(scoring) else "are not listed"
    return f"{present:,} of {counted(total, 'class', 'classes')} have samples; the others {rest}."


def confused_rows(scoring: Scoring) -> tuple[ConfusedRow, ...]:
    """The most frequent mistakes, with their share of the images of the target's class."""
    labels = class_labels(scoring.class_names, scoring.class_ids)
    mistakes = [cell for cell in scoring.confusion if cell[0] != cell[1]]
    mistakes.sort(key=lambda cell: (-cell[2], cell[0], cell[1]))
    return tuple(
        ConfusedRow(
            target=labels[target],
            prediction=labels[prediction],
            count=f"{count:,} of {scoring.support[target]:,}",
            share=figure("recall", count / scoring.support[target]),
            cell=(target, prediction),
        )
        for target, prediction, count in mistakes[:LISTED_CONFUSED]
    )


def _all_listed(scoring: Scoring) -> bool:
    return len(scoring.support) <= WHOLE_LIST


def _class_row(
    scoring: Scoring, index: int, label: str, metrics: Mapping[str, Metric], *, is_ranked: bool
) -> ClassRow:
    shown_already = label != scoring.class_names[index] or label == scoring.class_ids[index]
    precision, recall, f1 = (figure_of(metrics[name]) for name in ("precision", "recall", "f1"))
    return ClassRow(
        index=index,
        label=label,
        id="" if shown_already else scoring.class_ids[index],
        precision=precision,
        recall=recall,
        f1=f1,
        support=f"{scoring.support[index]:,}",
        areas=_areas(metrics) if is_ranked else None,
    )


def _areas(metrics: Mapping[str, Metric]) -> tuple[Figure, Figure]:
    average_precision, auroc = (figure_of(metrics[name]) for name in RANKED_CLASS_NAMES)
    return average_precision, auroc
