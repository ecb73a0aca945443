"""What a page says of the origin of its figures: versions, digests, machine and times."""

from tasks.metrics.scoring import Scoring
from tasks.metrics.words import counted
from tasks.night import Night, Outcome
from tasks.report.view import Fact
from tasks.report.words import duration_text, moment_text


def versions_of(outcome: Outcome) -> tuple[Fact, ...]:
    """Of the model and of the dataset."""
    facts = (
        ("Model fingerprint", outcome.fingerprint),
        ("Dataset version", outcome.dataset_version),
        ("Preprocessing", outcome.preprocessing),
        *([("Weights", outcome.weights)] if outcome.weights else []),
    )
    return tuple((term, text or "not known") for term, text in facts)


def inputs_of(outcome: Outcome, scoring: Scoring | None) -> tuple[Fact, ...]:
    """All that the figures of a pair were computed from."""
    samples = f"{outcome.samples:,}" if outcome.samples else ""
    facts = [*versions_of(outcome), ("Samples in the split", samples)]
    if scoring is not None:
        facts += [
            ("Evaluation", scoring.evaluation),
            ("Scoring", scoring.id),
            ("Targets digest", scoring.targets_digest),
            ("Metrics revision", str(scoring.metrics_revision)),
        ]
    if scoring is not None and (said := scoring.overlaid) is not None:
        facts.append((f"Targets from {said.file}", f"{said.kind}, SHA-256 {said.file_sha256}"))
    return tuple((term, text or "not known") for term, text in facts)


def provenance_of(night: Night) -> tuple[Fact, ...]:
    """Of the night as a whole; its packages stand apart."""
    here = night.provenance
    return (
        ("Night", night.name),
        ("Plan", night.plan),
        ("Plan digest", night.plan_digest),
        ("Started", moment_text(night.started)),
        ("Finished", moment_text(night.finished)),
        ("Duration", duration_text(night.finished - night.started)),
        ("Devices", ", ".join(here.devices) or "none"),
        ("Machine", f"{here.machine}, {counted(here.cores, 'core')}"),
        ("Python", here.python),
    )
