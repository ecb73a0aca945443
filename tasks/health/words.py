"""A finding's evidence, line by line, as the command and the pages show it. Nothing is escaped."""

from collections.abc import Iterator

from tasks.health.finding import ConfusedPair, Finding, ImagePair, Suspect

SHOWN = 10
"""Of each kind of evidence so many are shown; the record holds more."""


def evidence_lines(finding: Finding) -> tuple[str, ...]:
    """The first of the classes, pairs and labels that a finding rests on, and how many more."""
    return tuple(_lines(finding))


def likeness(pair: ImagePair) -> str:
    """``equal pixels``, or ``same shot, mirrored, distance 0.120``."""
    if pair.copy_kind == "exact":
        return "equal pixels"
    return f"same shot{', mirrored' if pair.mirrored else ''}, distance {pair.distance:.3f}"


def _lines(finding: Finding) -> Iterator[str]:
    said = finding.evidence
    if said.classes:
        more = said.classes_total - len(said.classes[:SHOWN])
        yield f"classes: {', '.join(said.classes[:SHOWN])}{_more(more)}"
    for lines, total in (
        ([_confused(pair) for pair in said.confused], said.confused_total),
        ([_pair(pair) for pair in said.pairs], said.pairs_total),
        ([_suspect(suspect) for suspect in said.suspects], said.suspects_total),
    ):
        yield from lines[:SHOWN]
        if lines and total > SHOWN:
            yield f"and {total - SHOWN:,} more"


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _confused(pair: ConfusedPair) -> str:
    return f"{pair.name}: {pair.count:,}"


def _pair(pair: ImagePair) -> str:
    sign = "=" if pair.copy_kind == "exact" else "≈"
    return f"{pair.key} {sign} {pair.other}: {likeness(pair)}"


def _suspect(suspect: Suspect) -> str:
    return (
        f"{suspect.key}: {suspect.name} ({100 * suspect.probability:.1f} %, its label "
        f"{100 * suspect.given_probability:.1f} %)"
    )
