"""``nightmark operating-point``: a threshold for one class, and what it costs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import OUT, figures_table, print_table, write_file
from shards.errors import InputError
from shards.sample import ClassList
from shards.sources.builtin import label_index
from shards.store import Store
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.operating_point import OperatingPoint, Unreachable, operating_point
from tasks.metrics.point_words import point_sentences
from tasks.metrics.threshold import ClassScores, Wanted, choose
from tasks.metrics.words import figure
from tasks.stored import find_scored
from tasks.targets.rows import class_scores, stored_overlay

commands = typer.Typer()
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Recalls at which the curve is printed."""


@commands.command("operating-point")
def find_operating_point(
    reference: Annotated[
        str,
        typer.Argument(
            help="DATASET/SPLIT/MODEL[@NIGHT or @EVALUATION].",
            metavar="REFERENCE",
            show_default=False,
        ),
    ],
    class_label: Annotated[
        str, typer.Option("--class", help="A class, by id or unique name.", show_default=False)
    ],
    recall: Annotated[
        float | None, typer.Option(help="Find this share of the class, most precisely.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Be right this often, and find the most.")
    ] = None,
    proven: Annotated[
        bool, typer.Option("--proven", help="The lower end of the interval must reach it.")
    ] = False,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = CONFIDENCE,
    to: Annotated[
        Path | None, typer.Option(help="Write it as JSON, for a deployment and for plans.")
    ] = None,
    root: Annotated[
        str, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")
    ] = "artifacts",
) -> None:
    """Find the threshold that reaches a recall or a precision of one class, and its price."""
    wanted = _wanted(recall, precision, confidence, proven=proven)
    store = Store.at(root)
    stored = find_scored(store, reference)
    index = _index(stored.scoring.classes, class_label, reference)
    overlay = stored_overlay(store, stored.scoring)
    scores = class_scores(store, stored.evaluation, overlay, index)
    if scores is None:
        raise InputError(
            f"{reference}: the probabilities of all classes were not kept, so no threshold can be "
            f"chosen; evaluate again with `runtime.keep_scores: true` (up to 1,000 classes)"
        )
    point = operating_point(stored.scoring, scores, wanted)
    _print_curve(scores)
    if isinstance(point, Unreachable):
        raise InputError(point.sentence)
    for sentence in point_sentences(point):
        OUT.print(sentence, markup=False, soft_wrap=True)
    if to is not None:
        write_file(to, point.to_json())
        OUT.print(f"Written: {to}", markup=False, soft_wrap=True)


@commands.command("operating-point-schema")
def operating_point_schema() -> None:
    """Print the JSON Schema of what ``operating-point --to`` writes."""
    OUT.print(operating_point_schema_text(), markup=False, soft_wrap=True, end="")


def operating_point_schema_text() -> str:
    """As it is committed in conf/."""
    return json.dumps(OperatingPoint.model_json_schema(), indent=2) + "\n"


def _wanted(
    recall: float | None, precision: float | None, confidence: float, *, proven: bool
) -> Wanted:
    if (recall is None) == (precision is None):
        raise InputError("give either --recall or --precision: one decides, the other is the price")
    for name, value in (("recall", recall), ("precision", precision)):
        if value is not None and not 0 < value <= 1:
            raise InputError(f"--{name} {value}: a share above 0 and up to 1 is needed, e.g. 0.9")
    if not 0 < confidence < 1:
        raise InputError(f"--confidence {confidence}: a share between 0 and 1 is needed, e.g. 0.95")
    value = recall if recall is not None else precision
    return Wanted.model_validate(
        {
            "metric": "precision" if recall is None else "recall",
            "value": value,
            "proven": proven,
            "confidence": confidence,
        }
    )


def _index(classes: ClassList, label: str, reference: str) -> int:
    found = label_index(classes).get(label)
    if found is None:
        fault = "names several classes" if label in classes.names else "is no class"
        raise InputError(f"--class {label} {fault} of {reference}; write a class id")
    return found


def _print_curve(scores: ClassScores) -> None:
    curve = list(scores.curve())
    table = figures_table(
        names=(), figures=("recall at least", "recall", "precision", "called", "threshold")
    )
    for level in LEVELS:
        at = choose(curve, scores.support, Wanted(metric="recall", value=level))
        if at is not None:
            table.add_row(
                figure("recall", level),
                figure("recall", at.hits / scores.support),
                figure("precision", at.hits / at.called),
                f"{at.called:,}",
                f"{at.threshold:.6g}",
            )
    if table.row_count:
        print_table(table)
