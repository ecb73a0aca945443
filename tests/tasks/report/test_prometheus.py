"""The text file in Prometheus' own grammar, with the figures of the scorings."""

from prometheus_client.parser import text_string_to_metric_families

from tasks.night import SEVERITY
from tasks.report.prometheus import prometheus_text
from tests.tasks.report.nights import NightCase

Samples = dict[tuple[str, ...], float]


def samples(case: NightCase) -> dict[str, list[tuple[dict[str, str], float]]]:
    text = prometheus_text(case.night, case.scorings).decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_every_overall_figure_is_there_with_its_interval(case: NightCase) -> None:
    found = samples(case)
    parts = {"": "value", "_low": "low", "_high": "high", "_images": "n"}
    for suffix, part in parts.items():
        told = {
            (labels["model"], labels["metric"]): value
            for labels, value in found[f"nightmark_metric{suffix}"]
        }
        assert told == {
            (scoring.pair.model, metric.name): getattr(metric, part)
            for scoring in case.scorings.values()
            for metric in scoring.overall
            if getattr(metric, part) is not None
        }


def test_each_pair_has_one_verdict(case: NightCase) -> None:
    told = samples(case)["nightmark_verdict"]
    assert len(told) == len(SEVERITY) * len(case.night.outcomes)
    holds = {labels["model"]: labels["verdict"] for labels, value in told if value}
    assert holds == {o.pair.model: o.state for o in case.night.outcomes}


def test_when_the_night_ended(case: NightCase) -> None:
    [(labels, value)] = samples(case)["nightmark_night_finished_timestamp_seconds"]
    assert (labels, value) == ({"plan": case.night.plan}, case.night.finished.timestamp())
